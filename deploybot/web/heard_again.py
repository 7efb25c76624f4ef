"""What a call left in its thread, so that the same call, sent again, is known and another is not taken for it."""

from deploybot.events import (
    Answered,
    ApprovalDenied,
    ApprovalGranted,
    DeployResolved,
    EditRequested,
    Event,
    QuestionAsked,
)
from deploybot.questions import kept_of
from deploybot.thread import Thread
from deploybot.web.api_bodies import Decision, Editing, Resolution


def edits(event: Event, body: Editing) -> bool:
    """Tell whether this is the edit that was heard."""
    return isinstance(event, EditRequested) and (
        event.request_id,
        event.digest,
        event.comment,
    ) == (body.request, body.digest, body.comment)


def heard_as(thread: Thread, delivery: str) -> Event | None:
    """Return the event that a call has left in the thread, if any."""
    found = (event for event in thread.events if getattr(event, "delivery", None) == delivery)
    return next(found, None)


def was(thread: Thread, heard: Event, body: Decision) -> bool:
    """Tell whether this is the decision that was heard."""
    match heard:
        case ApprovalGranted():
            said: tuple[str, str, bool, str] = (
                heard.request_id,
                heard.digest,
                True,
                heard.comment,
            )
            alone = heard.break_glass == body.break_glass.strip()
            return alone and said == (body.request, body.digest, body.approved, body.comment)
        case ApprovalDenied():
            said = (heard.request_id, heard.digest, False, heard.feedback)
            return said == (body.request, body.digest, body.approved, body.comment)
        case Answered():
            return heard.question_id == body.request and heard.answer == _kept(thread, body)
        case _:
            return False


def settles(event: Event, by: str, body: Resolution) -> bool:
    """Tell whether this person has settled this request in this way with this event."""
    return isinstance(event, DeployResolved) and (
        event.request_id,
        event.outcome,
        event.comment,
        event.by,
    ) == (body.request, body.outcome, body.comment, by)


def _kept(thread: Thread, body: Decision) -> str:
    """Return what this answer to a question of the thread is kept as."""
    asked = (e for e in thread.events if isinstance(e, QuestionAsked))
    question = next((e for e in asked if e.question_id == body.request), None)
    return kept_of(question, words_of(body)) if question else words_of(body)


def words_of(body: Decision) -> str:
    """Return what this decision answers to a question."""
    return body.comment or ("yes" if body.approved else "no")
