"""How an operation ended, as the event that says so: from a run, or from what the target tells."""

from datetime import datetime

from deploy.target import Began, Ended, NeverBegan, Outcome, Probe, Running
from deploybot.approvals import ApprovalRequest
from deploybot.events import DeployFailed, DeployOutcomeUnknown, DeploySucceeded

WORKER = "worker"
"""Who did it, in the events of an operation."""

End = DeploySucceeded | DeployFailed | DeployOutcomeUnknown


def ended(request: ApprovalRequest, outcome: Outcome, now: datetime) -> End:
    """Return the event of a run that came to its end in its own worker."""
    if outcome.outcome == "succeeded":
        return DeploySucceeded(
            at=now,
            by=WORKER,
            request_id=request.id,
            sha=request.plan.sha,
            seconds=round(outcome.seconds, 2),
        )
    return DeployFailed(
        at=now,
        by=WORKER,
        request_id=request.id,
        step=outcome.step or "deploy",
        error=outcome.error or "It failed without saying why.",
        live=outcome.live_sha,
        tail=outcome.tail,
    )


def settled(
    request: ApprovalRequest,
    found: Probe,
    *,
    live: str | None,
    why: str,
    started: datetime | None,
    now: datetime,
) -> End:
    """Return the event of an order whose worker died or was turned away, by the target's word.

    `why` says what turned it away, "" for a worker that died; `live` is what is live now.
    """
    match found:
        case NeverBegan():
            return DeployFailed(
                at=now,
                by=WORKER,
                request_id=request.id,
                step="start",
                error=why or "The worker died after the approval and before the deploy began.",
                live=live,
                began=False,
                recovered=not why,
            )
        case Ended(outcome="succeeded"):
            return DeploySucceeded(
                at=now,
                by=WORKER,
                request_id=request.id,
                sha=request.plan.sha,
                seconds=max(0.0, (now - started).total_seconds()) if started else 0.0,
                recovered=True,
            )
        case Ended(step=step, error=error, live_sha=live_sha):
            return DeployFailed(
                at=now,
                by=WORKER,
                request_id=request.id,
                step=step or "deploy",
                error=error or "It failed without saying why.",
                live=live_sha,
                recovered=True,
            )
        case Running(step=step):
            return DeployOutcomeUnknown(
                at=now, by=WORKER, request_id=request.id, step=step or "", live=live
            )
        case Began(last_step=step, live_sha=live_sha):
            return DeployOutcomeUnknown(
                at=now, by=WORKER, request_id=request.id, step=step or "", live=live_sha
            )
