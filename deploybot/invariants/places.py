"""What ran where, by the threads and by the targets' own journals: I4, I5 and I6."""

from collections import Counter
from collections.abc import Iterator

from deploy.records import BeganRecord, ClosedRecord, EndedRecord, SwitchedRecord
from deploybot.events import DeployFailed, DeployOutcomeUnknown, DeploySucceeded
from deploybot.invariants.evidence import BY_HAND, Known, Read, Site, Start, World, own, starts
from deploybot.thread import Status

_ENDS = DeploySucceeded | DeployFailed | DeployOutcomeUnknown


def started_once(read: Read, known: Known, world: World) -> Iterator[str]:
    """I4: each change of each approval starts once, in one thread."""
    del world
    counts = Counter(start.event.operation for start in starts(read.thread))
    for operation, times in counts.items():
        if times > 1:
            yield f"{operation} started {times} times in {read.thread.id}"
        for other in known.starts.get(operation, ()):
            yield f"{operation} started in {other.thread} and in {read.thread.id}"


def began_once(known: Known, world: World) -> Iterator[str]:
    """I4: each approval began once at all targets together."""
    del known
    began = Counter(record.approval_id for site in world.places.values() for record in site.began())
    for approval, times in began.items():
        if times > 1:
            yield f"{approval} began {times} times at its target"


def one_at_a_time(known: Known, world: World) -> Iterator[str]:
    """I5: fences grow, nothing begins while another runs, and who is shut out changes nothing."""
    del known
    for (service, environment), site in world.places.items():
        for wrong in _overlaps(site):
            yield f"{service} on {environment}: {wrong}"


def _overlaps(site: Site) -> Iterator[str]:
    last, running, shut = -1, "", set[str]()
    for record in site.records:
        match record:
            case BeganRecord(approval_id=name, fence=fence):
                by_hand = name.startswith(BY_HAND)
                if fence < last or (fence == last and not by_hand):
                    yield f"{name} began under fence {fence}, though {last} was seen"
                if running:
                    yield f"{name} began while {running} ran"
                last, running = max(last, fence), name
            case EndedRecord(approval_id=name):
                if name in shut:
                    yield f"{name} ended after it was given up"
                running = "" if name == running else running
            case ClosedRecord(approval_id=name, fence=fence):
                last = max(last, fence)
                if not site.remote:  # what runs elsewhere goes on until it is seen to have ended
                    shut.add(name)
                    running = "" if name == running else running
            case SwitchedRecord(approval_id=name) if name != running:
                yield f"{name} switched what is live though it was not its turn"
            case _:
                pass


def ended_once(read: Read, known: Known, world: World) -> Iterator[str]:
    """I6: each start has one end, or still holds its place."""
    del known
    thread, running = read.thread, ""
    for event in own(thread):
        if event.kind == "deploy_started":
            if running:
                yield f"{thread.id}: {event.operation} started while {running} ran"
            running = event.operation
        elif isinstance(event, _ENDS):
            if not running:
                yield f"{thread.id}: {event.kind} of {event.request_id}, which did not run"
            running = ""
    held = {site.operation.id for site in world.places.values() if site.operation}
    status = thread.standing.status
    if not world.places:
        return
    if running and running not in held:
        yield f"{thread.id}: {running} has no end, and nothing keeps its place for it"
    if status is Status.OUTCOME_UNKNOWN and starts(thread)[-1].event.operation not in held:
        yield f"{thread.id}: the outcome is not known, and its place is free"


def as_the_target_says(known: Known, world: World) -> Iterator[str]:
    """I6: what a thread says of an end is what the target's journal says, and what is live."""
    for (service, environment), site in world.places.items():
        where = f"{service} on {environment}"
        if site.problem:
            yield f"{where} could not be asked: {site.problem}"
            continue
        if site.operation and not known.starts.get(site.operation.id):
            yield f"{where} is kept for {site.operation.id}, which no thread started"
        ends = {r.approval_id: r for r in site.records if isinstance(r, EndedRecord)}
        for record in site.began():
            for start in known.starts.get(record.approval_id, ()):
                yield from _differs(start, record, ends.get(record.approval_id), site, where)
        yield from _other_live(site, where)


def _differs(
    start: Start, began: BeganRecord, ended: EndedRecord | None, site: Site, where: str
) -> Iterator[str]:
    name, end = began.approval_id, start.end
    if began.sha != start.sha or began.digest != start.event.digest:
        yield f"{where}: {name} is not what was approved"
    if began.fence != start.event.fence:
        yield f"{where}: {name} began under a fence that its start does not have"
    match end:
        case DeploySucceeded() if ended is None or ended.outcome != "succeeded":
            yield f"{where}: {start.thread} says that {name} succeeded, and its target does not"
        case DeployFailed(began=False):
            yield f"{where}: {start.thread} says that {name} never began, and it did"
        case DeployFailed() if ended is not None and ended.outcome == "succeeded":
            yield f"{where}: {start.thread} says that {name} failed, and it succeeded"
        case DeployOutcomeUnknown() if ended is not None and not site.remote:
            yield f"{where}: {start.thread} does not know how {name} ended, and its target does"
        case _:
            pass


def _other_live(site: Site, where: str) -> Iterator[str]:
    """Say so if something is live that nobody is known to have put there."""
    switches = [record for record in site.records if isinstance(record, SwitchedRecord)]
    last = next((r for r in reversed(site.records) if isinstance(r, BeganRecord)), None)
    ends = {r.approval_id for r in site.records if isinstance(r, EndedRecord)}
    if not switches or last is None or last.approval_id not in ends:
        return  # in the middle of a change, or torn there: the thread says so
    if switches[-1].sha != site.live:
        there, ours = (site.live or "nothing")[:7], (switches[-1].sha or "nothing")[:7]
        yield f"{where}: {there} is live, and {ours} was put there last"
