"""Proposals: turns a chosen change into what people are asked to approve, or says why it cannot be.

Everything on the card but the reason is found by code. Nothing here runs anything: `operate` does,
once enough people said yes.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from deploy.errors import DeployError, RefusedError
from deploy.moments import parse_start
from deploy.plan import Plan
from deploybot.approvals import POLICY, ApprovalRequest, Rule
from deploybot.directory import ConfiguredDirectory, groups_now
from deploybot.errors import LookupFailedError
from deploybot.events import (
    ApprovalGranted,
    ApprovalRequested,
    Event,
    PlansShown,
    StepChosen,
    StepFailed,
)
from deploybot.lines import WORTH_WAITING, jumps, lined_up
from deploybot.next_step import Change, Deploy, DeployTogether, RollBack, to_wire
from deploybot.pipeline import this_turn
from deploybot.ports import Asking, Clockwork, Deployer, Directory, Store
from deploybot.thread import Thread


class Proposals:
    """Resolves and checks a change, and asks people; what runs is looked up here, not chosen."""

    def __init__(
        self,
        *,
        store: Store,
        deployer: Deployer,
        clock: Clockwork,
        directory: Directory | None = None,
    ) -> None:
        self._directory = directory or ConfiguredDirectory(deployer.catalog.groups)
        self._store = store
        self._deployer = deployer
        self._clock = clock

    def propose(self, thread: Thread, step: Change) -> Thread:
        """Show people exactly what would run; or wait in line for it; or say why it cannot run."""
        now, intent = self._clock.now(), str(to_wire(step)["intent"])
        by = f"agent:{thread.standing.agent}"
        planning = Planning(self._deployer, thread, step)
        try:
            start_at = self._start_at(thread, step, now)
            plans = planning.plans(start_at)
            rule = rule_of(self._deployer, step.environment, self._directory)
        except RefusedError as error:
            code = error.reason_code
            if code in WORTH_WAITING and not thread.standing.dry_run:
                return self._append(thread, self._lined_up(thread, step, planning, str(error)))
            failed = StepFailed(at=now, by=by, intent=intent, code=code, error=str(error))
            return self._append(thread, failed)
        except DeployError as error:
            failed = StepFailed(at=now, by=by, intent=intent, code="not_planned", error=str(error))
            return self._append(thread, failed)
        except LookupFailedError as error:
            text = f"Who may approve could not be looked up: {error}. Nobody was asked."
            failed = StepFailed(at=now, by=by, intent=intent, code="rights_unknown", error=text)
            return self._append(thread, failed)
        if thread.standing.dry_run:
            return self._append(thread, PlansShown(at=now, by=by, plans=plans, start_at=start_at))
        return self._append(thread, *self._asked(thread, step, plans, rule, start_at))

    def _asked(
        self,
        thread: Thread,
        step: Change,
        plans: tuple[Plan, ...],
        rule: Rule,
        start_at: datetime | None,
    ) -> Iterator[Event]:
        """Yield the request, and the standing rule's yes where that is enough."""
        now = self._clock.now()
        countdown = self._countdown(thread, step)
        if countdown is not None:
            rule = rule.model_copy(update={"automatic": True, "anyone_may_stop": True})
            start_at = now + timedelta(seconds=countdown)
        request = ApprovalRequest(
            id=self._clock.new_id(),
            thread=thread.id,
            head=thread.head,
            plan=plans[0],
            more=plans[1:],
            rule=rule,
            requesters=thread.standing.requesters,
            asked=thread.standing.asked,
            reason=step.reason,
            expires_at=start_at or now + timedelta(seconds=rule.expires_seconds),
            start_at=start_at,
        ).sealed()
        yield ApprovalRequested(at=now, by=f"agent:{thread.standing.agent}", request=request)
        if rule.automatic:
            yield ApprovalGranted(
                at=now,
                by=POLICY,
                delivery=f"policy:{request.id}",
                request_id=request.id,
                digest=request.digest,
                channel="policy",
            )

    def _start_at(self, thread: Thread, step: Change, now: datetime) -> datetime | None:
        """Return when the change is to start; None for at once. Raises RefusedError.

        A time without a day is the next one after it was asked for; planned anew once that has
        come, the change starts as soon as it is approved.
        """
        if isinstance(step, RollBack) or step.at is None:
            return None
        table = self._deployer.catalog.environments.get(step.environment)
        asked_at = next(
            event.at
            for event in this_turn(thread)
            if isinstance(event, StepChosen) and event.step == step
        )
        start = parse_start(step.at, asked_at, table.time_zone if table else "UTC")
        return start if start > now else None

    def _countdown(self, thread: Thread, step: Change) -> int | None:
        """Return after how many seconds plain code's own roll back starts by policy; None for never."""
        pending = thread.standing.pending
        if not isinstance(step, RollBack) or pending is None or pending.model != "code":
            return None
        return self._deployer.catalog.environments[step.environment].roll_back_after_seconds

    def _lined_up(self, thread: Thread, step: Change, planning: "Planning", why: str) -> Event:
        return lined_up(
            self._store,
            thread,
            planning.at,
            step.environment,
            why=why,
            first=jumps(step),
            now=self._clock.now(),
        )

    def _append(self, thread: Thread, *events: Event) -> Thread:
        return self._store.append(thread, *events, wake=False)


class Planning:
    """One change being planned, a service at a time; `at` is the service it has come to."""

    def __init__(self, deployer: Deployer, thread: Thread, step: Change) -> None:
        self._deployer = deployer.at_once()
        self._thread = thread
        self._step = step
        self.at = ""

    def plans(self, start_at: datetime | None = None) -> tuple[Plan, ...]:
        """Return what would run, in order; raises RefusedError with the first reason against it.

        Of several services, those that are live already at that commit are left out.
        """
        action = "roll_back" if isinstance(self._step, RollBack) else "deploy"
        parts = self._parts()
        plans: list[Plan] = []
        live: RefusedError | None = None
        for service, ref in parts:
            self.at = service
            asking = Asking(
                thread=self._thread.id,
                requesters=self._thread.standing.requesters,
                coming={plan.service: plan.sha for plan in plans},
                start_at=start_at,
            )
            try:
                plan = self._deployer.plan(
                    action, service, ref, self._step.environment, asking=asking
                )
            except RefusedError as error:
                if error.reason_code != "already_live" or len(parts) == 1:
                    raise
                live = error
            else:
                plans.append(plan)
        if not plans and live is not None:
            raise live
        return tuple(plans)

    def _parts(self) -> tuple[tuple[str, str | None], ...]:
        match self._step:
            case Deploy(service=service, ref=ref):
                return ((service, ref),)
            case RollBack(service=service, to=to):
                return ((service, to),)
            case DeployTogether(parts=parts):
                known = self._deployer.catalog.in_order(part.service for part in parts)
                refs = {part.service: part.ref for part in parts}
                return tuple((service, refs[service]) for service in known)


def rule_of(deployer: Deployer, environment: str, directory: Directory) -> Rule:
    """Return who may approve for an environment, as configured and looked up now.

    Raises LookupFailedError when nobody can tell who is in a group.
    """
    table = deployer.catalog.environments[environment]
    groups = groups_now(directory, table.groups)
    members = (person for group in groups for person in group.people)
    return Rule(
        approvers=tuple(dict.fromkeys((*table.named, *members))),
        quorum=table.quorum,
        requester_may_approve=table.requester_may_approve,
        automatic=table.automatic,
        expires_seconds=table.expires_seconds,
        named=table.named if groups else (),
        groups=groups,
        one_from_each=table.one_from_each,
    )
