"""What became of a request or a question that can no longer be answered, in words for whoever tries."""

from deploybot.approvals import ApprovalRequest, Grant, Refusal
from deploybot.events import (
    Answered,
    ApprovalDenied,
    ApprovalExpired,
    ApprovalGranted,
    ApprovalRequested,
    ApprovalSuperseded,
    Cancelled,
    DeployStarted,
    EditRequested,
    Event,
    Inbound,
)
from deploybot.ports import People
from deploybot.thread import Thread
from deploybot.votes import is_met


def being_edited(edit: EditRequested, people: People, *, then: str) -> Refusal:
    """Return the refusal of whoever answers while somebody's edit is planned; `then` says what did not happen."""
    return Refusal(
        reason_code="being_edited",
        text=f"{people.name(edit.by)} edited this request at {edit.at:%H:%M} UTC, {then}. A new card "
        "follows at once; if that change cannot be had, this one is open again, and the thread says "
        "why.",
    )


def closed_as(thread: Thread, request_id: str, people: People, *, said: str = "answer") -> Refusal:
    """Return the refusal of an answer that comes too late, with what became of the request."""
    superseded = any(
        isinstance(event, ApprovalSuperseded) and event.request_id == request_id
        for event in thread.events
    )
    text = closed_request(thread, request_id, people, said=said)
    return Refusal(reason_code="superseded" if superseded else "closed", text=text)


def closed_request(thread: Thread, request_id: str, people: People, *, said: str = "answer") -> str:
    """Say what became of a request that can no longer be answered."""
    events = iter(thread.events)
    request = next(
        (
            event.request
            for event in events
            if isinstance(event, ApprovalRequested) and event.request.id == request_id
        ),
        None,
    )
    if request is None:
        return "There is no such request in this thread, so nothing changed."
    plan = request.plan
    verb, where = ("roll back", "on") if plan.action == "roll_back" else ("deploy", "to")
    what = f"{verb} {plan.service} {where} {plan.environment}"
    fate = _fate(request, list(events), people)
    return f"This request ({what}) is closed: {fate}. Your {said} changed nothing."


def _fate(request: ApprovalRequest, later: list[Event], people: People) -> str:
    """Return how the request ended: by enough grants, or by the first event that closed it."""
    grants: list[ApprovalGranted] = []
    for event in later:
        if isinstance(event, ApprovalGranted) and event.request_id == request.id:
            grants.append(event)
        approved = is_met(request, tuple(map(Grant.of, grants)))
        if isinstance(event, DeployStarted) or (approved and not isinstance(event, ApprovalDenied)):
            break
        if fate := _closed_by(event, people):
            return fate
    if grants:
        last = grants[-1]
        return f"already approved by {people.name(last.by)} at {last.at:%H:%M} UTC"
    return "nobody can answer it any more"


def _closed_by(event: Event, people: People) -> str:  # noqa: PLR0911 - a case an event
    when = f"{event.at:%H:%M} UTC"
    who = people.name(event.by)
    match event:
        case ApprovalDenied():
            return f"already denied by {who} at {when}"
        case ApprovalExpired():
            return f"it expired at {when}"
        case ApprovalSuperseded(edited_by=editor, changes=changes) if editor:
            what = "; ".join(changes)
            return (
                f"{people.name(editor)} edited it ({what}) by {when}; a newer card took its place"
            )
        case ApprovalSuperseded():
            return f"what it showed had changed by {when}; a newer card took its place"
        case Cancelled():
            return f"cancelled by {who} at {when}"
        case Inbound() if event.kind.endswith("_received"):
            return f"{who} wrote in the thread at {when}; look at the newest card"
        case _:
            return ""


def closed_question(thread: Thread, question_id: str, people: People) -> str:
    """Say what became of a question that can no longer be answered."""
    for event in thread.events:
        if isinstance(event, Answered) and event.question_id == question_id:
            return (
                f"{people.name(event.by)} answered this at {event.at:%H:%M} UTC; "
                "your answer changed nothing. Write in the thread to add to it."
            )
    return "This question is closed; your answer changed nothing. Write in the thread instead."
