"""Exit codes: what each one tells a script, and which one a thread has earned."""

from collections.abc import Iterable
from enum import IntEnum

from deploybot.approvals import ApprovalRequest
from deploybot.events import (
    ApprovalDenied,
    ApprovalExpired,
    ApprovalRequested,
    Cancelled,
    DeployFailed,
    DeployOutcomeUnknown,
    DeployResolved,
    DeploySucceeded,
    StepFailed,
)
from deploybot.thread import Status, Thread


class Exit(IntEnum):
    """What a command ends with."""

    DONE = 0
    REFUSED = 1
    USAGE = 2
    DENIED = 3
    NEEDS_PEOPLE = 4
    DEPLOY_FAILED = 5
    OUTCOME_UNKNOWN = 6
    STILL_RUNNING = 7
    INTERRUPTED = 130


SAYS: dict[Exit, str] = {
    Exit.DONE: "Done: answered, deployed, or accepted.",
    Exit.REFUSED: "Refused, or not possible now; the sentence on standard error says why.",
    Exit.USAGE: "The command or a setting is wrong; nothing was sent.",
    Exit.DENIED: "Denied, expired or cancelled; nothing was deployed.",
    Exit.NEEDS_PEOPLE: "Others must move: an approval, an answer or its turn is waited for, or it is paused.",
    Exit.DEPLOY_FAILED: "A deploy ran and failed; `show` says at which step, and what is live.",
    Exit.OUTCOME_UNKNOWN: "A deploy's outcome is not known; nothing starts there until it is settled.",
    Exit.STILL_RUNNING: "`--timeout` ran out; the thread goes on.",
    Exit.INTERRUPTED: "Stopped by Ctrl-C; what was sent before goes on.",
}

_CHANGES = ("deploy", "roll_back", "start")
"""How the intents begin that change what is live."""
_AS_WISHED = "already_live"
_WAITS_FOR_OTHERS = (
    Status.AWAITING_APPROVAL,
    Status.AWAITING_INPUT,
    Status.IN_LINE,
    Status.PAUSED,
)


def exit_of(thread: Thread, since: int = 0) -> Exit:
    """Return what a thread has come to, by what happened behind its event number `since`.

    A deploy that failed is told even when the bot asks what to do now.
    """
    by_status = exit_of_status(thread.status)
    if by_status not in (Exit.DONE, Exit.NEEDS_PEOPLE):
        return by_status
    ended = _ended(thread, since)
    return ended if by_status is Exit.DONE or ended is Exit.DEPLOY_FAILED else by_status


def exit_of_status(status: Status) -> Exit:
    """Return what a thread has come to, as far as its status alone can tell."""
    if status is Status.OUTCOME_UNKNOWN:
        return Exit.OUTCOME_UNKNOWN
    if status in _WAITS_FOR_OTHERS:
        return Exit.NEEDS_PEOPLE
    return Exit.DONE if status is Status.DONE else Exit.STILL_RUNNING


def _ended(thread: Thread, since: int) -> Exit:
    """Judge what is over: each place by its last word, the worst of them counting."""
    requests = {
        event.request.id: event.request
        for event in thread.events
        if isinstance(event, ApprovalRequested)
    }
    places: dict[str, Exit] = {}
    last = Exit.DONE
    for event in thread.events[since:]:
        match event:
            case DeploySucceeded():
                places[_place(requests, event)] = last = Exit.DONE
            case DeployFailed() | DeployOutcomeUnknown():
                places[_place(requests, event)] = last = Exit.DEPLOY_FAILED
            case DeployResolved(outcome=outcome):
                last = Exit.DONE if outcome == "succeeded" else Exit.DEPLOY_FAILED
                places[_place(requests, event)] = last
            case ApprovalDenied() | ApprovalExpired() | Cancelled():
                last = Exit.DENIED
            case StepFailed(intent=intent, code=code) if intent.startswith(_CHANGES):
                last = Exit.DONE if code == _AS_WISHED else Exit.REFUSED
            case _:
                pass
    return _worst([last, *places.values()])


def _worst(codes: Iterable[Exit]) -> Exit:
    order = (Exit.DONE, Exit.REFUSED, Exit.DENIED, Exit.DEPLOY_FAILED)
    return max(codes, key=order.index)


def _place(
    requests: dict[str, ApprovalRequest],
    event: DeploySucceeded | DeployFailed | DeployOutcomeUnknown | DeployResolved,
) -> str:
    request = requests.get(event.request_id)
    if request is None or event.part >= len(request.plans):
        return event.request_id
    plan = request.plans[event.part]
    return f"{plan.environment}/{plan.service}"
