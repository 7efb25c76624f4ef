"""What people are to be told of a thread: derived from its events, in order, for any channel.

Pure. How a telling looks in Slack or in a mail is written in `outbound`; nothing here sends.
Each telling has a key that stays the same while its content changes, so that a channel posts it
once and updates it through its life.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from deploy.locks import Hold
from deploy.plan import Plan
from deploybot import calls
from deploybot.approvals import ApprovalRequest, Grant, may_settle
from deploybot.events import (
    Answered,
    AnswerRefused,
    ApiMessageReceived,
    ApprovalDenied,
    ApprovalEscalated,
    ApprovalExpired,
    ApprovalGranted,
    ApprovalReminded,
    ApprovalRequested,
    ApprovalSuperseded,
    BranchUpdated,
    Cancelled,
    DeployFailed,
    DeployOutcomeUnknown,
    DeployResolved,
    DeployStarted,
    DeploySucceeded,
    DriftFound,
    EditRefused,
    EditRequested,
    EmailReceived,
    Escalated,
    Event,
    Finished,
    Forked,
    ForkMade,
    HandedOver,
    HoldForgotten,
    HoldPlaced,
    HoldReleased,
    LinedUp,
    MailBounced,
    Message,
    MessageAltered,
    Paused,
    PlansShown,
    QuestionAsked,
    Resumed,
    ScheduleFired,
    SlackMessageReceived,
    Slept,
    StepFailed,
    StopRequested,
    TestsFailed,
    TestsPassed,
    TurnCame,
)
from deploybot.telling import (
    CODE_MISUSED,
    QUARANTINED,
    Asked,
    Card,
    CardState,
    Opening,
    Private,
    Said,
    Shown,
    Telling,
    Yours,
)
from deploybot.thread import Thread
from deploybot.votes import is_met, to_call


def _waits_to_start(card: Card) -> bool:
    """Tell whether it was approved and nothing runs: not yet, or between two of its changes."""
    between = card.state is CardState.DEPLOYING and not card.operation
    return between or card.state in (CardState.APPROVED, CardState.SCHEDULED)


@dataclass
class _Reel:
    """The tellings so far, in the order in which they were first told."""

    told: dict[str, Telling] = field(default_factory=dict)
    heard: dict[str, str] = field(default_factory=dict)
    """What was heard in Slack, by the message's own id."""
    quiet: bool = False
    """Whether what goes well is said in the opening alone: nobody has written here."""
    people: tuple[str, ...] = ()
    """Who is concerned, the nearest first: whoever spoke last, and those it is done for."""

    def tell(self, telling: Telling) -> None:
        self.told[telling.key] = telling

    def card(self, request_id: str, **changes: Any) -> None:
        card = self.told.get(f"card:{request_id}")
        if isinstance(card, Card):
            self.told[card.key] = replace(card, **changes)

    def close_open(self, by: str, at: datetime) -> None:
        """Somebody spoke or cancelled: what was open can no longer be answered."""
        for key, telling in self.told.items():
            if isinstance(telling, Card) and telling.state is CardState.OPEN:
                self.told[key] = replace(telling, state=CardState.CLOSED, by=by, at=at)
            if isinstance(telling, Asked) and telling.is_open:
                self.told[key] = replace(telling, closed=True, by=by)

    def spoke(self, *people: str) -> None:
        """Keep who is concerned now, before those who were."""
        self.people = tuple(dict.fromkeys((*people, *self.people)))

    def answered_in_words(self, by: str, text: str) -> None:
        """Take what somebody wrote for their answer to the open question, in words of their own."""
        for key, telling in self.told.items():
            if isinstance(telling, Asked) and telling.is_open:
                self.told[key] = replace(telling, answer=text, by=by)

    def pass_on(self, telling: Said) -> None:
        """Say what goes well, or how it ended: in the opening, and aloud where people wrote."""
        self.opening_line(telling.text)
        if not self.quiet:
            self.tell(telling)

    def close_approved(self, state: CardState, event: Event, note: str) -> None:
        """Nothing more will come of what was approved, or of its next change."""
        for key, telling in self.told.items():
            if isinstance(telling, Card) and _waits_to_start(telling):
                self.told[key] = replace(telling, state=state, by=event.by, at=event.at, note=note)

    def opening_line(self, line: str) -> None:
        opening = self.told.get("opening")
        if isinstance(opening, Opening):
            self.told["opening"] = replace(opening, lines=(*opening.lines, line))


def tellings(thread: Thread) -> tuple[Telling, ...]:
    """Return everything people are to have been told by now, oldest first."""
    reel = _Reel()
    for seq, event in own_events(thread):
        _about_the_thread(reel, seq, event)
        _about_requests(reel, seq, event)
        _about_deploys(reel, seq, event)
        _about_recovery(reel, seq, event)
        _about_places(reel, seq, event)
    return tuple(reel.told.values())


def own_events(thread: Thread) -> Iterator[tuple[int, Event]]:
    """Yield what happened on this thread itself, with its number: of a fork, nothing that was copied."""
    numbered = list(enumerate(thread.events, start=1))
    for index in range(len(numbered) - 1, -1, -1):
        if isinstance(numbered[index][1], Forked):
            return iter(numbered[index:])
    return iter(numbered)


def _about_the_thread(reel: _Reel, seq: int, event: Event) -> None:  # noqa: C901, PLR0912, PLR0915 - a case an event
    key = f"said:{seq}"
    match event:
        case SlackMessageReceived() | EmailReceived() | ApiMessageReceived():
            _heard(reel, seq, event)
        case MessageAltered(how="edited", ts=ts, under_way=True):
            reel.tell(
                Said(
                    f"edited:{ts}",
                    _edited(event.by, reel.heard.get(ts, "")),
                    "warning",
                    by=event.by,
                )
            )
        case MessageAltered(ts=ts, under_way=True):
            reel.tell(Said(f"deleted:{ts}", _deleted(event.by), "warning", by=event.by))
        case ScheduleFired(text=text):
            reel.close_open("clock", event.at)
            reel.tell(Opening("opening", text))
        case BranchUpdated(branch=branch, after=sha, subject=subject):
            reel.close_open(event.by, event.at)
            reel.spoke(event.pusher)
            reel.quiet = True
            reel.tell(Opening("opening", f"{branch} is now at {sha[:7]}\n{subject}"))
        case HandedOver(from_thread=origin, text=text, agent=agent):
            reel.spoke(*event.requesters)
            if origin:
                reel.tell(Opening("opening", text[:1].upper() + text[1:]))
            else:
                reel.tell(Said(key, f"The {agent} agent takes over.", "warning"))
        case TestsPassed(environment=environment, seconds=seconds):
            line = f"End-to-end tests passed on {environment} in {seconds:.1f} s."
            reel.pass_on(Said(key, line, "good"))
        case TestsFailed(environment=environment, summary=summary, tail=tail):
            line = f"End-to-end tests failed on {environment}"
            reel.opening_line(f"{line}.")
            reel.tell(Said(key, f"{line}: {summary}.", "bad", detail=tail))
        case QuestionAsked():
            reel.tell(Asked(f"question:{event.question_id}", event, reel.people))
        case Answered(question_id=question_id, answer=answer):
            reel.spoke(event.by)
            asked = reel.told.get(f"question:{question_id}")
            if isinstance(asked, Asked):
                reel.tell(replace(asked, answer=answer, by=event.by))
        case AnswerRefused(reason_code=code) if code == QUARANTINED:
            _put_aside(reel, event.text)
        case AnswerRefused(channel=channel, address=address, text=text):
            if event.reason_code == CODE_MISUSED:
                reel.tell(Said(key, f"{event.by} {MISUSED}", "warning", by=event.by))
            reel.tell(Private(f"refused:{seq}", channel, address, event.by, text))
        case MailBounced(person=person, address=address, until=until):
            text = (
                f"{person} does not get mail: a mail to {address} came back. No more is sent there "
                f"until {until:%Y-%m-%d %H:%M} UTC; please answer here, or on the thread's page."
            )
            reel.tell(Said(key, text, "warning", mention=(person,), by=person))
        case Slept(until=until, reason=reason):
            reel.tell(Said(key, f"Waiting until {until:%H:%M} UTC: {reason}"))
        case Paused():
            reel.tell(Said(key, "Paused: nothing starts until someone resumes.", "warning"))
        case Resumed():
            reel.tell(Said(key, "Resumed."))
        case Cancelled(reason=reason):
            reel.close_open(event.by, event.at)
            reel.tell(Said(key, f"Cancelled; nothing more will start. {reason}".strip()))
        case Escalated(reason=reason):
            reel.tell(Said(key, reason, "warning", mention=reel.people[:1]))
        case Forked(from_thread=origin, length=length):
            text = f"forked from thread {origin} after its first {length} events"
            reel.tell(Opening("opening", text, by=event.by))
        case ForkMade(thread=other):
            reel.tell(Said(key, f"A fork was made of this thread: {other}."))
        case PlansShown(plans=plans, start_at=start_at):
            reel.tell(Shown(key, plans, start_at))
        case Finished(message=message, silent=False):
            reel.pass_on(Said(key, message))
        case _:
            pass


MISUSED = (
    "sent a reply with a code that is not theirs, or could not be shown to have sent it. It was "
    "refused: nothing was approved, and the code no longer counts. Its owner was told."
)
NOTES = 5
"""So many of a day's unreadable mails are named; nobody's channel is flooded by mail."""


def _put_aside(reel: _Reel, note: str) -> None:
    """Tell of mails that could not be read, in one message a day."""
    text = (
        "could not read some of today's mails\nNothing was done with them. They lie in the quarantine "
        "folder of their mailbox, or with the mail server that handed them over:"
    )
    opening = reel.told.get("opening")
    before = opening.lines if isinstance(opening, Opening) else ()
    lines = (
        *before[:NOTES],
        note if len(before) < NOTES else "There are more on this thread's page.",
    )
    reel.tell(Opening("opening", text, lines=lines, by="deploybot"))


def _heard(reel: _Reel, seq: int, event: Message) -> None:
    reel.answered_in_words(event.by, event.text)
    reel.spoke(event.by)
    reel.close_open(event.by, event.at)
    reel.quiet = False
    command = event.command if isinstance(event, SlackMessageReceived) else ""
    if isinstance(event, SlackMessageReceived) and event.ts:
        reel.heard[event.ts] = event.text
    if seq == 1 and (command or not isinstance(event, SlackMessageReceived)):
        how = "by email" if isinstance(event, EmailReceived) else "over the API"
        how = f"with {command}" if command else how
        reel.tell(Opening("opening", f"asked {how}:\n{event.text}", by=event.by))


def _about_requests(reel: _Reel, seq: int, event: Event) -> None:  # noqa: C901, PLR0912 - a case an event
    _about_calls(reel, seq, event)
    match event:
        case ApprovalRequested(request=request):
            reel.tell(Card(f"card:{request.id}", request, asked_at=event.at))
        case ApprovalGranted(request_id=request_id):
            card = reel.told.get(f"card:{request_id}")
            if isinstance(card, Card):
                grants = (*card.grants, Grant.of(event))
                enough = is_met(card.request, grants)
                approved = CardState.APPROVED
                if card.request.start_at is not None:
                    approved = CardState.SCHEDULED
                state = approved if enough else CardState.OPEN
                reel.card(request_id, grants=grants, state=state, at=event.at)
        case ApprovalDenied(request_id=request_id, feedback=feedback):
            reel.spoke(event.by)
            reel.card(request_id, state=CardState.DENIED, by=event.by, at=event.at, note=feedback)
        case ApprovalExpired(request_id=request_id):
            reel.card(request_id, state=CardState.EXPIRED, at=event.at)
        case StepFailed(intent="start", error=error):
            reel.close_approved(CardState.FAILED, event, f"never started: {error}")
        case Cancelled():
            reel.close_approved(CardState.CLOSED, event, "")
        case EditRequested(request_id=request_id):
            reel.card(request_id, editing=event.by)
        case EditRefused(request_id=request_id, reason_code=code, error=error):
            card = reel.told.get(f"card:{request_id}")
            if isinstance(card, Card):
                reel.card(request_id, editing="")
                reel.tell(_not_edited(seq, card.editing, code, error))
        case ApprovalSuperseded(request_id=request_id, edited_by=editor) if editor:
            reel.card(
                request_id,
                state=CardState.SUPERSEDED,
                editing=editor,
                by=editor,
                at=event.at,
                note="; ".join(event.changes),
            )
        case ApprovalSuperseded(request_id=request_id, changes=changes):
            note = f"What you saw has changed: {'; '.join(changes)}."
            reel.card(request_id, state=CardState.SUPERSEDED, at=event.at, note=note)
        case _:
            pass


def _about_calls(reel: _Reel, seq: int, event: Event) -> None:
    """Tell who is called to a request: again, after others, or because one person was enough."""
    about = getattr(event, "request_id", "")
    card = reel.told.get(f"card:{about}")
    if not isinstance(card, Card):
        return
    match event:
        case ApprovalReminded(number=number):
            reel.card(about, reminders=number)
            whom = to_call(card.request, card.grants, escalated=card.escalated)
            reel.tell(calls.reminder(f"said:{seq}", card, whom))
        case ApprovalEscalated(to=to):
            reel.card(about, escalated=True)
            reel.tell(calls.escalation(f"said:{seq}", card, to))
        case ApprovalGranted(break_glass=reason) if reason:
            reel.tell(calls.broken_glass(f"said:{seq}", card, event.by, reason))
        case DeploySucceeded() | DeployFailed() | DeployResolved() if card.glass:
            last = event.part + 1 == len(card.request.plans)
            if last or not isinstance(event, DeploySucceeded):
                reel.tell(calls.review(f"review:{about}", card, card.glass))
        case _:
            pass


def _not_edited(seq: int, editor: str, code: str, error: str) -> Said:
    """Say in the thread why an edit came to nothing; whoever edited can act on it, and is pinged."""
    key = f"said:{seq}"
    if code == "unchanged":
        return Said(key, f"{editor} edited the request. {error}", by=editor)
    text = (
        f"{editor} edited the request, and that cannot be had: {error} The card is open as it was."
    )
    return Said(key, text, "warning", mention=(editor,), by=editor)


def _about_deploys(reel: _Reel, seq: int, event: Event) -> None:  # noqa: C901 - a case an event
    key = f"said:{seq}"
    match event:
        case DeployStarted(request_id=request_id, operation=operation):
            runs = {"operation": operation, "part": event.part, "link": ""}
            reel.card(request_id, state=CardState.DEPLOYING, **runs)
        case DeploySucceeded(request_id=request_id, sha=sha, seconds=seconds):
            card = reel.told.get(f"card:{request_id}")
            if isinstance(card, Card):
                plans = card.request.plans
                plan = plans[event.part]
                went = {"at": event.at, "live": sha, "link": event.link}
                went |= {"seconds": card.seconds + seconds}
                if event.part + 1 == len(plans):
                    went |= {"state": CardState.LIVE, "part": event.part}
                else:
                    went |= {"part": event.part + 1, "operation": ""}
                    if card.stopping:  # what runs was too far to stop, what follows is not begun
                        went |= {"state": CardState.CLOSED, "by": card.stopping}
                reel.card(request_id, **went)
                reel.opening_line(f"{plan.service} {sha[:7]} is live on {plan.environment}.")
                if plan.action == "roll_back" and plan.commits:
                    reel.tell(Said(key, _taken_back(plan), "warning"))
                reel.tell(Yours(f"yours:{request_id}:{event.part}", plan))
        case DeployFailed(request_id=request_id, step=step, error=error, live=live):
            note = f"{step}: {error}"
            state = CardState.FAILED
            reel.card(
                request_id,
                state=state,
                at=event.at,
                note=note,
                live=live,
                detail=event.tail,
                link=event.link,
            )
            reel.tell(Said(key, _failed(reel, event), "bad", detail=event.tail))
        case DeployOutcomeUnknown(request_id=request_id, step=step, live=live):
            state = CardState.UNKNOWN
            told = {"at": event.at, "note": step, "live": live, "link": event.link}
            reel.card(request_id, state=state, **told)
            text = (
                f"A worker died during {step or 'the deploy'}; the outcome is not known. Nothing "
                "was run again, and nothing else starts there until a person settles it."
            )
            reel.tell(Said(key, text, "bad", mention=_may_settle(reel, request_id)))
        case DeployResolved(request_id=request_id, outcome=outcome, live=live):
            state = CardState.LIVE if outcome == "succeeded" else CardState.FAILED
            reel.card(request_id, state=state, at=event.at, by=event.by, live=live)
            card = reel.told.get(f"card:{request_id}")
            if isinstance(card, Card) and state is CardState.LIVE:
                plan = card.request.plans[event.part]
                reel.tell(Yours(f"yours:{request_id}:{event.part}", plan))
        case _:
            pass


QUOTED = 200
"""So many letters of an edited message are quoted as they were heard."""


def _edited(by: str, heard: str) -> str:
    """Return what an edit amounts to; the words that were heard are told once more."""
    words = " ".join(heard.split())
    quoted = words if len(words) <= QUOTED else f"{words[: QUOTED - 1]}…"
    return (
        f"{by} edited a message that I had read. The edit was seen and not followed: I go by the "
        f"words as they were, “{quoted}”. To have something else, write it as a new message; that "
        "closes what is open here, and I read it."
    )


def _deleted(by: str) -> str:
    return (
        f"{by} deleted a message that I had read. Nothing stopped by that: what followed from it "
        "goes on, and its words stay on the record, on the thread's page. To stop it, deny what is "
        "open, or write “stop”."
    )


MOST_AUTHORS = 10
"""So many authors of what was rolled back are named; they are called by nothing here."""


def _may_settle(reel: _Reel, request_id: str) -> tuple[str, ...]:
    """Return who must look now: those who may say how a change ended that its worker died with."""
    card = reel.told.get(f"card:{request_id}")
    if not isinstance(card, Card):
        return ()
    rule = card.request.rule
    return tuple(one for one in rule.everybody if may_settle(card.request, one) is None)


def _taken_back(plan: Plan) -> str:
    total = max(plan.commits_total, len(plan.commits))
    what = "1 commit is" if total == 1 else f"{total} commits are"
    return (
        f"{what} no longer live on {plan.environment}: {plan.service} was rolled back to "
        f"{plan.sha[:7]}. Written by {_authors(plan)}."
    )


def _about_recovery(reel: _Reel, seq: int, event: Event) -> None:
    """Tell of a success that the target's journal had to tell."""
    card = reel.told.get(f"card:{event.request_id}") if isinstance(event, DeploySucceeded) else None
    if isinstance(event, DeploySucceeded) and event.recovered and isinstance(card, Card):
        plan = card.request.plans[event.part]
        text = (
            f"Nobody could say so when it ended: {plan.service} {plan.sha[:7]} is live on "
            f"{plan.environment}. The target's own journal told how it ended; nothing was run again."
        )
        reel.tell(Said(f"said:{seq}:recovered", text, "warning"))


def _authors(plan: Plan) -> str:
    """Name the authors of what was taken back, each once, the newest first."""
    names = tuple(dict.fromkeys(commit.author for commit in plan.commits))
    more = f" and {len(names) - MOST_AUTHORS} more" if len(names) > MOST_AUTHORS else ""
    return f"{', '.join(names[:MOST_AUTHORS])}{more}"


def _about_places(reel: _Reel, seq: int, event: Event) -> None:
    """Tell of lines, locks, stops and drift."""
    key = f"said:{seq}"
    match event:
        case LinedUp(service=service, environment=environment, position=position, why=why):
            reel.close_approved(CardState.IN_LINE, event, why)
            place = f"{service} on {environment}"
            text = (
                f"Number {position} in line for {place}: {why} "
                "It is planned anew when its turn comes; write here to leave the line."
            )
            reel.tell(Said(f"line:{service}:{environment}", text))
        case TurnCame(service=service, environment=environment):
            # The same message: the card that follows is what people must notice.
            text = f"Your turn: {service} on {environment} is free now, so it is planned anew."
            reel.tell(Said(f"line:{service}:{environment}", text))
        case HoldPlaced(hold=hold, how=how, was_owner=was_owner):
            text = _locked(hold, how, event.by, was_owner)
            reel.tell(Said(key, text, mention=_told(event), by=event.by))
        case HoldReleased(service=service, environment=environment, was=was, was_owner=owner):
            where = f"{service or 'everything'} on {environment}"
            text = f"{where} is free again, by {event.by}. It had been held: {was}."
            whom = (owner,) if owner and owner != event.by else ()
            reel.tell(Said(key, text, mention=whom))
        case HoldForgotten(hold=hold):
            where = f"{hold.service or 'everything'} on {hold.environment}"
            text = (
                f"{hold.owner} has locked {where} since {hold.at:%Y-%m-%d %H:%M} UTC "
                f"({hold.reason}). Still needed? If not: “unlock {where}”."
            )
            reel.tell(Said(key, text, "warning", mention=(hold.owner,), by=hold.owner))
        case StopRequested():
            for card in reel.told.values():
                if isinstance(card, Card) and card.state is CardState.DEPLOYING:
                    reel.told[card.key] = replace(card, stopping=event.by)
                    break
        case DriftFound(service=service, environment=environment, live=live, expected=expected):
            there = (live or "nothing")[:7]
            ours = f"{expected[:7]} was put there last" if expected else "nothing was put there"
            text = (
                f"{service} on {environment}: {there} is live, though {ours} by a deploy from here. "
                "Somebody changed it by other means; nothing was done about it."
            )
            reel.tell(Said(key, text, "warning"))
        case _:
            pass


def _locked(hold: Hold, how: str, by: str, was_owner: str) -> str:
    where = f"{hold.service or 'everything'} on {hold.environment}"
    until = f" until {hold.expires:%Y-%m-%d %H:%M} UTC" if hold.expires else ""
    kind = " (it only warns)" if hold.warn_only else ""
    verb = {
        "locked": f"{by} locked {where}{until}{kind}",
        "extended": f"{by} keeps {where} locked{until}{kind}",
        "handed_over": f"{by} handed the lock of {where} to {hold.owner}{until}",
        "taken_over": f"{by} took over the lock of {where} from {was_owner}{until}",
    }[how]
    return f"{verb}: {hold.reason}." if hold.reason else f"{verb}."


def _told(event: HoldPlaced) -> tuple[str, ...]:
    """Return who must notice that a lock changed hands: those who did not do it themselves."""
    people = (event.was_owner, event.hold.owner) if event.was_owner else ()
    return tuple(person for person in dict.fromkeys(people) if person and person != event.by)


def _failed(reel: _Reel, event: DeployFailed) -> str:
    live = f"{event.live[:7]} is live." if event.live else "Nothing is live there."
    card = reel.told.get(f"card:{event.request_id}")
    if isinstance(card, Card) and len(card.request.plans) > 1:
        live = f"{live} {_and_the_others(card.request, event.part)}"
    if not event.began:
        return f"Approved, but never started: {event.error} {live} Approve again to deploy."
    return f"Deploy failed at {event.step}: {event.error} {live}"


def _and_the_others(request: ApprovalRequest, part: int) -> str:
    """Say which changes of the same approval are live, and which were not begun."""
    done = [f"{plan.service} {plan.sha[:7]}" for plan in request.plans[:part]]
    left = [plan.service for plan in request.plans[part + 1 :]]
    said = [f"Live under the same approval: {', '.join(done)}." if done else ""]
    said.append(f"Not begun: {', '.join(left)}." if left else "")
    return " ".join(filter(None, said))
