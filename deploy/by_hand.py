"""Deploys that a person gives at a shell: named, fenced, followed and stoppable; texts are `showing`'s."""

import hashlib
import json
from collections.abc import Callable
from datetime import datetime
from threading import Event

from deploy.errors import CancelledError, DeployError
from deploy.journal import BY_HAND, by_hand_fence
from deploy.look import Look
from deploy.plan import SHORT, Plan
from deploy.records import BeganRecord, ClosedRecord, EndedRecord
from deploy.run import run
from deploy.target import Order, Outcome, Probe, Report, Running, Target


class Stop:
    """A wish to stop what runs: set by a signal, read by whoever runs."""

    def __init__(self, who: str) -> None:
        self._who = who
        self._wish = Event()

    def __bool__(self) -> bool:
        return self._wish.is_set()

    def ask(self) -> None:
        """Wish it to stop."""
        self._wish.set()

    def guard(self) -> None:
        """Return while nobody wishes so; raise CancelledError from then on."""
        if self:
            raise CancelledError(f"stopped by {self._who}: interrupted at the keyboard")

    def wait(self, seconds: float) -> None:
        """Let so many seconds pass, or fewer when a wish comes; then as many as it takes."""
        if self:
            Event().wait(seconds)
        else:
            self._wish.wait(seconds)


def order_of(plan: Plan, target: Target, who: str, now: datetime) -> Order:
    """Return the order of a plan that the person `who` gives now."""
    canonical = json.dumps(plan.decides(), sort_keys=True, separators=(",", ":"))
    return Order(
        approval_id=f"{BY_HAND}{who}:{now:%Y%m%dT%H%M%S.%fZ}",
        fence=by_hand_fence(target.records()),
        digest=hashlib.sha256(canonical.encode()).hexdigest(),
        head="",
        plan=plan,
    )


def carry_out(
    target: Target, order: Order, *, stop: Stop, report: Report, seen: Callable[[Running], None]
) -> Outcome | Probe:
    """Run an order to its end, wherever it runs; `seen` is told of each look at what runs elsewhere.

    Once `stop` is set it ends at the next safe step, and what runs elsewhere is asked to.
    """
    outcome = run(target, order, guard=stop.guard, progress=report)
    if not isinstance(outcome, Running):
        return outcome
    asked = False
    while True:
        probe = target.settle(order)
        if not isinstance(probe, Running):
            return probe
        seen(probe)
        if stop and not asked:
            target.cancel(order)
            asked = True
        stop.wait(probe.look_again_seconds)


def unfinished(target: Target) -> BeganRecord | None:
    """Return the last order that began here, if it has no end and was not given up."""
    over: set[str] = set()
    for record in target.records():
        if isinstance(record, EndedRecord | ClosedRecord):
            over.add(record.approval_id)
        if isinstance(record, BeganRecord):
            return None if record.approval_id in over else record
    return None


def running(look: Look, service: str, environment: str) -> str | None:
    """Return in words what began there and has no end, for the rules to judge."""
    began = unfinished(look.target(service, environment))
    if began is None:
        return None
    verb = "The deploy of" if began.action == "deploy" else "The roll back to"
    return f"{verb} {began.sha[:SHORT]} that began at {began.at:%Y-%m-%d %H:%M:%S %Z}"


def settle(look: Look, service: str, environment: str) -> tuple[BeganRecord, Probe]:
    """Shut out the order that began there and has no end, and tell what became of it.

    Raises DeployError when there is none.
    """
    target = look.target(service, environment)
    began = unfinished(target)
    if began is None:
        raise DeployError(
            f"All that began for {service} on {environment} has ended. Nothing was unlocked; look "
            "at what is live, and go on."
        )
    live = target.current()
    plan = Plan(
        action=began.action,
        service=service,
        environment=environment,
        repository=look.catalog.services[service].repository,
        ref=began.sha,
        sha=began.sha,
        previous_sha=live.sha if live else None,
        steps=(),
        config_hash=look.catalog.config_hash(service, environment),
    )
    order = Order(
        approval_id=began.approval_id,
        fence=began.fence,
        digest=began.digest,
        head=began.head,
        plan=plan,
    )
    return began, target.settle(order)
