"""What every store does and says alike; how threads are sealed is `chain`'s, where they lie each store's own."""

from typing import Literal

from deploybot.errors import ClaimRefusedError, LeaseLostError
from deploybot.ports import Operation

Job = Literal["advance", "operate", "deliver"]
"""What a wake-up asks for: take the next step; deploy, test or recover; tell people."""


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


def lease_lost(operation: Operation) -> LeaseLostError:
    """Say that the operation ran out of time, or is not the one that holds the place."""
    return LeaseLostError(
        f"The lease of operation {operation.id} on {operation.service} in {operation.environment} "
        "is lost. Nothing more will be changed by it. What it did so far is being looked into.",
    )
