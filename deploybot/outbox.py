"""What people are to be told of a thread: derived from its events, in order, for any channel.

Pure. How a telling looks in Slack or in a mail is written in `outbound`; nothing here sends.
Each telling has a key that stays the same while its content changes, so that a channel posts it
once and updates it through its life.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from deploybot.approvals import POLICY, ApprovalRequest, Grant
from deploybot.events import (
    Answered,
    AnswerRefused,
    ApiMessageReceived,
    ApprovalDenied,
    ApprovalExpired,
    ApprovalGranted,
    ApprovalRequested,
    ApprovalSuperseded,
    BranchUpdated,
    Cancelled,
    DeployFailed,
    DeployOutcomeUnknown,
    DeployResolved,
    DeployStarted,
    DeploySucceeded,
    EmailReceived,
    Escalated,
    Event,
    Finished,
    HandedOver,
    Message,
    Paused,
    QuestionAsked,
    Resumed,
    ScheduleFired,
    SlackMessageReceived,
    Slept,
    StepFailed,
    TestsFailed,
    TestsPassed,
)
from deploybot.thread import Thread


class CardState(StrEnum):
    """Where one approval request stands, as people see it."""

    OPEN = "open"
    APPROVED = "approved"
    DENIED = "denied"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"
    CLOSED = "closed"
    """Somebody's words or a cancel closed it."""
    DEPLOYING = "deploying"
    LIVE = "live"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Telling:
    """Something people are to be told; `key` names it for good."""

    key: str


@dataclass(frozen=True)
class Opening(Telling):
    """The first message of a thread that did not begin where it is told."""

    text: str
    """What began it: a first line that says it, and in the next ones the words of others."""
    lines: tuple[str, ...] = ()
    """What happened since, newest last; the message is updated."""
    by: str = ""
    """Who the first line is about; their name goes before it."""


@dataclass(frozen=True)
class Said(Telling):
    """A few sentences in the thread."""

    text: str
    tone: str = "plain"
    """plain, good, warning or bad."""
    mention: tuple[str, ...] = ()
    """People who should notice, by id."""
    detail: tuple[str, ...] = ()
    """Lines of output to show as they are."""


@dataclass(frozen=True)
class Card(Telling):
    """One approval request through its life; everything on it comes from these fields."""

    request: ApprovalRequest
    state: CardState = CardState.OPEN
    grants: tuple[Grant, ...] = ()
    by: str = ""
    """Who closed, denied or resolved it."""
    at: datetime | None = None
    note: str = ""
    """The denial's words, what changed, or what failed."""
    operation: str = ""
    """Key of the progress stream while it runs and after."""
    seconds: float = 0.0
    live: str | None = None
    detail: tuple[str, ...] = ()


@dataclass(frozen=True)
class Asked(Telling):
    """A question through its life."""

    question: QuestionAsked
    answer: str | None = None
    by: str = ""
    closed: bool = False


@dataclass(frozen=True)
class Private(Telling):
    """A sentence for one person's eyes, where they tried to answer."""

    channel: str
    """slack, email or api."""
    address: str
    person: str
    text: str


class Channel(Protocol):
    """One way to reach people."""

    @property
    def name(self) -> str:
        """What the channel is called; its notes are kept apart by it."""

    def deliver(
        self,
        thread: Thread,
        tellings: tuple[Telling, ...],
        sent: Mapping[str, str],
        note: Callable[[str, str], None],
    ) -> None:
        """Send or update what is not yet as it should be.

        `sent` is what this channel noted before under its own keys; `note` keeps a value at once.
        Raises DeliveryError when the channel does not take something now.
        """


@dataclass
class _Reel:
    """The tellings so far, in the order in which they were first told."""

    told: dict[str, Telling] = field(default_factory=dict)
    quiet: bool = False
    """Whether what goes well is said in the opening alone: nobody has written here."""

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
            if isinstance(telling, Asked) and telling.answer is None and not telling.closed:
                self.told[key] = replace(telling, closed=True, by=by)

    def pass_on(self, telling: Said) -> None:
        """Say what goes well, or how it ended: in the opening, and aloud where people wrote."""
        self.opening_line(telling.text)
        if not self.quiet:
            self.tell(telling)

    def close_approved(self, state: CardState, event: Event, note: str) -> None:
        """Nothing will come of what was approved."""
        for key, telling in self.told.items():
            if isinstance(telling, Card) and telling.state is CardState.APPROVED:
                self.told[key] = replace(telling, state=state, by=event.by, at=event.at, note=note)

    def opening_line(self, line: str) -> None:
        opening = self.told.get("opening")
        if isinstance(opening, Opening):
            self.told["opening"] = replace(opening, lines=(*opening.lines, line))


def tellings(thread: Thread) -> tuple[Telling, ...]:
    """Return everything people are to have been told by now, oldest first."""
    reel = _Reel()
    for seq, event in enumerate(thread.events, start=1):
        _about_the_thread(reel, seq, event)
        _about_requests(reel, event)
        _about_deploys(reel, seq, event)
    return tuple(reel.told.values())


def _about_the_thread(reel: _Reel, seq: int, event: Event) -> None:  # noqa: C901, PLR0912 - a case an event
    key = f"said:{seq}"
    match event:
        case SlackMessageReceived() | EmailReceived() | ApiMessageReceived():
            _heard(reel, seq, event)
        case ScheduleFired(text=text):
            reel.close_open("clock", event.at)
            reel.tell(Opening("opening", text))
        case BranchUpdated(branch=branch, after=sha, subject=subject):
            reel.close_open(event.by, event.at)
            reel.quiet = True
            reel.tell(Opening("opening", f"{branch} is now at {sha[:7]}\n{subject}"))
        case HandedOver(from_thread=origin, text=text, agent=agent):
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
            reel.tell(Asked(f"question:{event.question_id}", event))
        case Answered(question_id=question_id, answer=answer):
            asked = reel.told.get(f"question:{question_id}")
            if isinstance(asked, Asked):
                reel.tell(replace(asked, answer=answer, by=event.by))
        case AnswerRefused(channel=channel, address=address, text=text):
            reel.tell(Private(f"refused:{seq}", channel, address, event.by, text))
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
            reel.tell(Said(key, reason, "warning"))
        case Finished(message=message, silent=False):
            reel.pass_on(Said(key, message))
        case _:
            pass


def _heard(reel: _Reel, seq: int, event: Message) -> None:
    reel.close_open(event.by, event.at)
    reel.quiet = False
    if seq == 1 and not isinstance(event, SlackMessageReceived):
        how = "by email" if isinstance(event, EmailReceived) else "over the API"
        reel.tell(Opening("opening", f"asked {how}:\n{event.text}", by=event.by))


def _about_requests(reel: _Reel, event: Event) -> None:
    match event:
        case ApprovalRequested(request=request):
            reel.tell(Card(f"card:{request.id}", request))
        case ApprovalGranted(request_id=request_id):
            card = reel.told.get(f"card:{request_id}")
            if isinstance(card, Card):
                grants = (*card.grants, Grant(by=event.by, at=event.at))
                enough = event.by == POLICY or len(grants) >= card.request.rule.quorum
                state = CardState.APPROVED if enough else CardState.OPEN
                reel.card(request_id, grants=grants, state=state, at=event.at)
        case ApprovalDenied(request_id=request_id, feedback=feedback):
            reel.card(request_id, state=CardState.DENIED, by=event.by, at=event.at, note=feedback)
        case ApprovalExpired(request_id=request_id):
            reel.card(request_id, state=CardState.EXPIRED, at=event.at)
        case StepFailed(intent="start", error=error):
            reel.close_approved(CardState.FAILED, event, f"never started: {error}")
        case Cancelled():
            reel.close_approved(CardState.CLOSED, event, "")
        case ApprovalSuperseded(request_id=request_id, changes=changes):
            note = "What you saw has changed: " + "; ".join(changes) + ". Nothing was deployed."
            reel.card(request_id, state=CardState.SUPERSEDED, at=event.at, note=note)
        case _:
            pass


def _about_deploys(reel: _Reel, seq: int, event: Event) -> None:
    key = f"said:{seq}"
    match event:
        case DeployStarted(request_id=request_id, operation=operation):
            reel.card(request_id, state=CardState.DEPLOYING, operation=operation)
        case DeploySucceeded(request_id=request_id, sha=sha, seconds=seconds):
            reel.card(request_id, state=CardState.LIVE, at=event.at, seconds=seconds, live=sha)
            card = reel.told.get(f"card:{request_id}")
            if isinstance(card, Card):
                plan = card.request.plan
                reel.opening_line(f"{plan.service} {sha[:7]} is live on {plan.environment}.")
        case DeployFailed(request_id=request_id, step=step, error=error, live=live):
            note = f"{step}: {error}"
            state = CardState.FAILED
            reel.card(request_id, state=state, at=event.at, note=note, live=live, detail=event.tail)
            reel.tell(Said(key, _failed(reel, event), "bad", detail=event.tail))
        case DeployOutcomeUnknown(request_id=request_id, step=step, live=live):
            state = CardState.UNKNOWN
            reel.card(request_id, state=state, at=event.at, note=step, live=live)
            text = (
                f"A worker died during {step or 'the deploy'}; the outcome is not known. Nothing "
                "was run again, and nothing else starts there until a person settles it."
            )
            reel.tell(Said(key, text, "bad"))
        case DeployResolved(request_id=request_id, outcome=outcome, live=live):
            state = CardState.LIVE if outcome == "succeeded" else CardState.FAILED
            reel.card(request_id, state=state, at=event.at, by=event.by, live=live)
        case _:
            pass


def _failed(reel: _Reel, event: DeployFailed) -> str:
    live = f"{event.live[:7]} is live." if event.live else "Nothing is live there."
    if not event.began:
        return f"Approved, but never started: {event.error} {live} Approve again to deploy."
    return f"Deploy failed at {event.step}: {event.error} {live}"
