"""How an operation ended, as the event that says so: from a run, or from what the target tells."""

from dataclasses import dataclass
from datetime import datetime

from deploy.plan import Plan
from deploy.target import Began, Ended, NeverBegan, Outcome, Running
from deploybot.approvals import ApprovalRequest
from deploybot.events import DeployFailed, DeployOutcomeUnknown, DeployStarted, DeploySucceeded

WORKER = "worker"
"""Who did it, in the events of an operation."""
SILENT = "It failed without saying why."

End = DeploySucceeded | DeployFailed | DeployOutcomeUnknown


@dataclass(frozen=True)
class Change:
    """One of a request's changes on its way: which, and how it was started."""

    request: ApprovalRequest
    started: DeployStarted

    @property
    def plan(self) -> Plan:
        """Return what is to go live."""
        return self.request.plans[self.started.part]


def ended(change: Change, outcome: Outcome, now: datetime) -> End:
    """Return the event of a run that came to its end in its own worker."""
    if outcome.outcome == "succeeded":
        return DeploySucceeded(
            at=now,
            by=WORKER,
            request_id=change.request.id,
            sha=change.plan.sha,
            seconds=round(outcome.seconds, 2),
            part=change.started.part,
            link=outcome.link,
        )
    return DeployFailed(
        at=now,
        by=WORKER,
        request_id=change.request.id,
        step=outcome.step or "deploy",
        error=outcome.error or SILENT,
        live=outcome.live_sha,
        tail=outcome.tail,
        part=change.started.part,
        link=outcome.link,
    )


def settled(
    change: Change,
    found: NeverBegan | Ended | Began,
    *,
    live: str | None,
    why: str,
    now: datetime,
    watched: bool = False,
) -> End:
    """Return the event of an order whose worker died or was turned away, by the target's word.

    `why` says what turned it away, "" for a worker that died; `live` is what is live now; `watched`
    says that it ran elsewhere and nobody died.
    """
    request, part = change.request, change.started.part
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
                part=part,
            )
        case Ended(outcome="succeeded"):
            return DeploySucceeded(
                at=now,
                by=WORKER,
                request_id=request.id,
                sha=change.plan.sha,
                seconds=max(0.0, round((now - change.started.at).total_seconds(), 2)),
                recovered=not watched,
                part=part,
                link=found.link,
            )
        case Ended():
            return DeployFailed(
                at=now,
                by=WORKER,
                request_id=request.id,
                step=found.step or "deploy",
                error=found.error or SILENT,
                live=found.live_sha,
                tail=found.tail,
                recovered=not watched,
                part=part,
                link=found.link,
            )
        case Began():
            return DeployOutcomeUnknown(
                at=now,
                by=WORKER,
                request_id=request.id,
                step=found.last_step or "",
                live=found.live_sha,
                part=part,
            )


def still_running(running: Running) -> dict[str, object]:
    """Return what the side stream is told of something that runs elsewhere."""
    return {"kind": "running", "step": running.step or "", "link": running.link}
