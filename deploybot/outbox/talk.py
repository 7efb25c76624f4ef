"""What is told of the talk on a thread: what was heard, asked and answered, and where the thread stands."""

from dataclasses import replace

from deploybot.events import (
    Answered,
    AnswerRefused,
    ApiMessageReceived,
    BranchUpdated,
    Cancelled,
    EmailReceived,
    Escalated,
    Event,
    Finished,
    Forked,
    ForkMade,
    HandedOver,
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
    TestsFailed,
    TestsPassed,
)
from deploybot.outbox.reel import Reel
from deploybot.telling import CODE_MISUSED, QUARANTINED, Asked, Opening, Private, Said, Shown


def about(reel: Reel, seq: int, event: Event) -> None:  # noqa: C901, PLR0912, PLR0915 - a case an event
    """Tell of what was said here, and of where the thread stands."""
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


def _put_aside(reel: Reel, note: str) -> None:
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


def _heard(reel: Reel, seq: int, event: Message) -> None:
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
