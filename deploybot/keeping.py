"""What every store does and says alike; how threads are sealed is `chain`'s, where they lie each store's own."""

from datetime import datetime

from deploy.errors import CancelledError
from deploy.locks import Hold
from deploybot.errors import ClaimRefusedError, HoldChangedError, LeaseLostError
from deploybot.events import StopRequested
from deploybot.ports import Job, Operation
from deploybot.thread import Thread

__all__ = [
    "Job",
    "busy",
    "fence_moved",
    "hold_changed",
    "is_as_seen",
    "lease_lost",
    "stop_asked",
    "stopped",
    "waits_for",
]


def busy(claim: Operation, holder: Operation) -> ClaimRefusedError:
    """Say who holds the place that the claim asks for."""
    return ClaimRefusedError(
        f"{claim.service} in {claim.environment} is busy with operation {holder.id} of thread "
        f"{holder.thread}. Nothing was started. Wait for it to end, then look again.",
        holder=holder.thread,
    )


def fence_moved(claim: Operation, fence: int) -> ClaimRefusedError:
    """Say that the place was changed since the claim was made; `fence` is the next one."""
    return ClaimRefusedError(
        f"{claim.service} in {claim.environment} was changed meanwhile: the next fence is {fence}, "
        f"not {claim.fence}. Nothing was started. Look again at what is live.",
    )


def is_as_seen(there: Hold | None, hold: Hold | None, free: Hold | None, now: datetime) -> bool:
    """Tell whether a place is held as the writer of `hold` and `free` believes it to be."""
    lasting = there if there and (there.expires is None or now < there.expires) else None
    if free is not None:
        return there == free
    return hold is None or hold.made_by == "rollback" or lasting is None


def hold_changed(hold: Hold) -> HoldChangedError:
    """Say that the place is not held as the writer believed."""
    where = f"{hold.service or 'everything'} on {hold.environment}"
    return HoldChangedError(
        f"Somebody locked or freed {where} meanwhile. Nothing was changed. Look again."
    )


def waits_for(thread: Thread) -> tuple[str, str] | None:
    """Return the place in whose line the thread stands; while it is paused, others go before it."""
    return None if thread.standing.paused else thread.standing.line


def stopped(asked: StopRequested) -> str:
    """Say who wants an operation to stop, and why."""
    return f"{asked.by} stopped it" + (f": {asked.reason}" if asked.reason else "")


def stop_asked(why: str) -> CancelledError:
    """Say that a person wants the operation to stop."""
    return CancelledError(f"{why}.")


def lease_lost(operation: Operation) -> LeaseLostError:
    """Say that the operation ran out of time, or is not the one that holds the place."""
    return LeaseLostError(
        f"The lease of operation {operation.id} on {operation.service} in {operation.environment} "
        "is lost. Nothing more will be changed by it. What it did so far is being looked into.",
    )
