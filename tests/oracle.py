"""What must hold of any thread, read off its events alone: shares nothing with the table it checks."""

from collections.abc import Iterable

from deploybot.approvals import POLICY, ApprovalRequest
from deploybot.events import (
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
    DeployStarted,
    DeploySucceeded,
    EditRefused,
    EditRequested,
    EmailReceived,
    Event,
    ScheduleFired,
    SlackMessageReceived,
    StepChosen,
)

WORDS = (SlackMessageReceived, EmailReceived, ApiMessageReceived, ScheduleFired, BranchUpdated)
ENDS = (DeploySucceeded, DeployFailed, DeployOutcomeUnknown)


def violations(events: Iterable[Event]) -> list[str]:
    """Return what is wrong with a history, in words; empty when all is as promised."""
    history = list(events)
    found: list[str] = []
    started: set[tuple[str, int]] = set()
    running: str | None = None
    for index, event in enumerate(history):
        if isinstance(event, DeployStarted):
            found += _unfounded_start(history[:index], event, started)
            if running is not None:
                found.append(f"{event.request_id} started while {running} ran")
            started.add((event.request_id, event.part))
            running = event.request_id
        elif isinstance(event, ENDS):
            if running != event.request_id:
                found.append(f"{event.kind} of {event.request_id}, which was not running")
            running = None
        elif isinstance(event, StepChosen) and running is not None:
            found.append(f"a step was chosen while {running} ran")
    return found


def _unfounded_start(
    before: list[Event], start: DeployStarted, seen: set[tuple[str, int]]
) -> list[str]:
    name = start.request_id
    requests = [e for e in before if isinstance(e, ApprovalRequested) and e.request.id == name]
    if len(requests) != 1:
        return [f"{name} started without a request of its own"]
    request = requests[0].request
    found = []
    if (name, start.part) in seen:
        found.append(f"{name} started twice")
    if start.digest != request.digest:
        found.append(f"{name} started with another digest")
    if start.part == 0 and start.at >= request.start_by:
        found.append(f"{name} started after it had expired")
    if not _granted(before[before.index(requests[0]) + 1 :], request):
        found.append(f"{name} started without enough people's word")
    return found


def _granted(after: list[Event], request: ApprovalRequest) -> bool:
    """Walk from the request on: enough yeses, before anything that closes it, and no no."""
    people: set[str] = set()
    met = edited = False
    for event in after:
        match event:
            case EditRequested() | EditRefused():
                edited = isinstance(event, EditRequested)
            case ApprovalGranted() if edited:
                pass
            case ApprovalGranted(request_id=request.id) if event.digest == request.digest:
                if event.at < request.expires_at and _may(request, event.by):
                    people.add(event.by)
                met = met or len(people) >= (1 if request.rule.automatic else request.rule.quorum)
            case ApprovalDenied() | ApprovalExpired() | ApprovalSuperseded() | Cancelled():
                return False
            case ApprovalRequested():
                return False
            case _ if isinstance(event, WORDS) and not met:
                return False
            case _:
                pass
    return met


def _may(request: ApprovalRequest, who: str) -> bool:
    rule = request.rule
    if rule.automatic:
        return who == POLICY
    own = who in request.requesters and not rule.requester_may_approve
    return who in rule.approvers and not own
