"""Who decided what, and whether they could: I3, I8, I12 and I13."""

from collections.abc import Iterator, Sequence

from deploybot.approvals import POLICY, ApprovalRequest, Grant, digest_of
from deploybot.events import (
    Answered,
    ApprovalDenied,
    ApprovalExpired,
    ApprovalGranted,
    ApprovalRequested,
    ApprovalSuperseded,
    BranchUpdated,
    Cancelled,
    DeployStarted,
    DeploySucceeded,
    Event,
    HoldPlaced,
    Message,
    Paused,
    Resumed,
    ScheduleFired,
    StepChosen,
    StopRequested,
)
from deploybot.invariants.evidence import Known, Read, World, own
from deploybot.next_step import BY_MODEL
from deploybot.votes import is_met

MACHINES = ("clock", "worker", "github")
_WORDS = Message | ScheduleFired | BranchUpdated
_DECISIONS = (
    Answered | ApprovalDenied | ApprovalGranted | Cancelled | Paused | Resumed | StopRequested
)  # fmt: skip


def founded(read: Read, known: Known, world: World) -> Iterator[str]:
    """I3: one request of its own, with its digest, in its time, met by those who may."""
    del known
    events = own(read.thread)
    for index, event in enumerate(events):
        if isinstance(event, DeployStarted):
            for wrong in _unfounded(events[:index], event, world):
                yield f"{read.thread.id}: {event.operation} {wrong}"


def _unfounded(before: Sequence[Event], start: DeployStarted, world: World) -> Iterator[str]:
    asked = [
        (index, event.request)
        for index, event in enumerate(before)
        if isinstance(event, ApprovalRequested) and event.request.id == start.request_id
    ]
    if len(asked) != 1:
        yield "started without a request of its own"
        return
    index, request = asked[0]
    since = before[index + 1 :]
    if not start.digest == request.digest == digest_of(request):
        yield "is not what was approved: its digest is another one"
    if start.part >= len(request.plans) or start.operation != request.operation(start.part):
        yield "is no part of its request"
    if start.part == 0 and start.at >= request.start_by:
        yield "started after its request had expired"
    if request.start_at is not None and start.at < request.start_at:
        yield "started before its time"
    if start.part and not _is_next(since, start):
        yield "started before the one ahead of it was live"
    if not _is_granted(since, request, world):
        yield "started without enough people's word"


def _is_next(since: Sequence[Event], start: DeployStarted) -> bool:
    live = {event.part for event in since if isinstance(event, DeploySucceeded)}
    return start.part - 1 in live


def _is_granted(since: Sequence[Event], request: ApprovalRequest, world: World) -> bool:
    """Walk from the request on: enough yeses in time, before anything that closes it, and no no."""
    grants: list[ApprovalGranted] = []
    for event in since:
        match event:
            case ApprovalGranted(request_id=request.id, digest=request.digest):
                if event.at < request.expires_at and _may_by_mail(request, event, world):
                    grants.append(event)
            case ApprovalDenied() | ApprovalExpired() | ApprovalSuperseded() | Cancelled():
                return False
            case ApprovalRequested():
                return False
            case _ if isinstance(event, _WORDS) and not _suffices(request, grants):
                return False
            case _:
                pass
    return _suffices(request, grants)


def _may_by_mail(request: ApprovalRequest, grant: ApprovalGranted, world: World) -> bool:
    by_mail = world.mail_decides
    return grant.channel != "email" or by_mail is None or request.plan.environment in by_mail


def _suffices(request: ApprovalRequest, grants: Sequence[ApprovalGranted]) -> bool:
    """Tell whether these are enough, by the plain rule; what groups and stand-ins say is `votes`'."""
    rule = request.rule
    if rule.automatic:
        return any(grant.by == POLICY for grant in grants)
    stood_in = any(grant.stands_for for grant in grants)
    if rule.groups or rule.stand_ins or rule.escalation or rule.break_glass or stood_in:
        return is_met(request, tuple(map(Grant.of, grants)))
    people = {grant.by for grant in grants if grant.by in rule.approvers}
    if not rule.requester_may_approve:
        people -= set(request.requesters)
    if not rule.author_may_approve:
        people -= set(request.authors)
    return len(people) >= max(rule.quorum, 1)


def by_people(read: Read, known: Known, world: World) -> Iterator[str]:
    """I8: models choose from their own steps, and decide nothing; nor does any machine."""
    del known, world
    for number, event in enumerate(read.thread.events, start=1):
        if isinstance(event, _DECISIONS | HoldPlaced) and _is_machine(event.by):
            yield f"event {number} of {read.thread.id}, {event.kind}, is by {event.by}"
        if isinstance(event, StepChosen) and not _may_choose(event):
            yield f"event {number} of {read.thread.id}: {event.model} chose {event.step.intent}"


def _may_choose(chosen: StepChosen) -> bool:
    return chosen.model == "code" or isinstance(chosen.step, BY_MODEL)


def _is_machine(who: str) -> bool:
    return who in MACHINES or who.startswith("agent:")


def by_a_word(read: Read, known: Known, world: World) -> Iterator[str]:
    """I12: each yes is a word that came in, or a standing rule's; no time that passed made one."""
    del known, world
    rules: dict[str, bool] = {}
    for number, event in enumerate(own(read.thread), start=1):
        match event:
            case ApprovalRequested(request=request):
                rules[request.id] = request.rule.automatic
            case ApprovalGranted(by=by):
                automatic = rules.get(event.request_id, False)
                if (by == POLICY) != automatic:
                    rule = "automatic" if automatic else "people's"
                    yield f"{read.thread.id}: a request that is {rule} was granted by {by}"
                elif not event.delivery:
                    yield f"{read.thread.id}: grant {number} came from nowhere"
            case _:
                pass


def final(read: Read, known: Known, world: World) -> Iterator[str]:
    """I13: nothing of a request happens once it was denied, expired, replaced or cancelled."""
    del known, world
    closed: dict[str, str] = {}
    open_one = ""
    for event in own(read.thread):
        match event:
            case ApprovalRequested(request=request):
                open_one = request.id
            case ApprovalGranted(request_id=about) | DeployStarted(request_id=about):
                if about in closed:
                    yield f"{read.thread.id}: {event.kind} of {about}, which was {closed[about]}"
            case ApprovalDenied(request_id=about):
                closed[about] = "denied"
            case ApprovalExpired(request_id=about):
                closed[about] = "expired"
            case ApprovalSuperseded(request_id=about):
                closed[about] = "replaced"
            case Cancelled() if open_one:
                closed.setdefault(open_one, "cancelled")
            case _:
                pass
