"""What was taken in, and whether all of it is still there: I1 and I2."""

from collections.abc import Iterator

from deploybot.approvals import ApprovalRequest
from deploybot.events import ApprovalRequested
from deploybot.invariants.evidence import Known, Read, World, own


def heard_once(read: Read, known: Known, world: World) -> Iterator[str]:
    """I1: no delivery is in two places; what a word amounts to stands right behind it."""
    del world
    last: dict[str, tuple[int, set[str]]] = {}
    for number, event in enumerate(own(read.thread)):
        delivery = getattr(event, "delivery", "")
        if not delivery:
            continue
        elsewhere = known.deliveries.get(delivery)
        if elsewhere not in (None, read.thread.id):
            yield f"{delivery} is in {elsewhere} and in {read.thread.id}"
        at, kinds = last.get(delivery, (number - 1, set()))
        if at != number - 1 or event.kind in kinds:
            yield f"{delivery} is in {read.thread.id} twice"
        last[delivery] = number, kinds | {event.kind}


def all_heard(known: Known, world: World) -> Iterator[str]:
    """I1: whatever a client was told was taken is there."""
    for delivery in sorted(world.ledger.accepted - known.deliveries.keys()):
        yield f"{delivery} was acknowledged and is in no thread"


def unbroken(read: Read, known: Known, world: World) -> Iterator[str]:
    """I2: each entry is as it was sealed, and nothing that somebody has read is gone."""
    del known
    thread = read.thread
    if read.bad:
        yield f"{thread.id}: {read.bad}"
    length, head = world.ledger.read.get(thread.id, (0, ""))
    if length and read.heads[length - 1 : length] != (head,):
        yield f"event {length} of {thread.id} was read, and is gone or is another one now"
    for number, event in enumerate(thread.events):
        if isinstance(event, ApprovalRequested) and not _follows(event.request, read, number):
            yield f"request {event.request.id} names a head that {thread.id} never had"


def _follows(request: ApprovalRequest, read: Read, number: int) -> bool:
    """Tell whether the head that was approved with a request is that of an event before it."""
    if request.thread != read.thread.id:
        return True  # a copy in a fork names the thread that it was copied from
    return not request.head or request.head in read.heads[:number]


def anchored(known: Known, world: World) -> Iterator[str]:
    """I2: what targets have seen and Slack shows is of threads that had that head then."""
    for thread in sorted(world.ledger.read.keys() - known.heads.keys()):
        yield f"{thread} was read, and is gone"
    for thread, heads in world.shown_heads.items():
        if not heads.issubset(known.heads.get(thread, ())):
            yield f"Slack shows a head of {thread} that it never had: the log was rolled back"
    for (service, environment), site in world.places.items():
        for record in site.began():
            started = known.starts.get(record.approval_id)
            where = f"the journal of {service} on {environment}"
            if not started:
                yield f"{where} knows {record.approval_id}, and no thread does: the log was rolled back"
            elif not any(record.head in known.heads[start.thread] for start in started):
                yield f"{where} knows a head of {started[0].thread} that it never had"
