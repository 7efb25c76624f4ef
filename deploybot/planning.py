"""Planning: turns a step into the plans of its services, in order, on somebody's behalf."""

from datetime import datetime

from deploy.errors import RefusedError
from deploy.plan import Plan
from deploybot.next_step import Change, Deploy, DeployTogether, RollBack
from deploybot.ports import Asking, Deployer
from deploybot.thread import Thread


class Planning:
    """One change being planned, a service at a time; `at` is the service it has come to."""

    def __init__(
        self, deployer: Deployer, thread: Thread, step: Change, requesters: tuple[str, ...]
    ) -> None:
        self._deployer = deployer.at_once()
        self._thread = thread
        self._step = step
        self.requesters = requesters
        self.at = ""

    def plans(
        self, start_at: datetime | None = None, *, breaks_glass: bool = False
    ) -> tuple[Plan, ...]:
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
                requesters=self.requesters,
                coming={plan.service: plan.sha for plan in plans},
                start_at=start_at,
                breaks_glass=breaks_glass,
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
                named = tuple(part.service for part in parts)
                in_order = self._step.in_this_order
                known = named if in_order else self._deployer.catalog.in_order(named)
                refs = {part.service: part.ref for part in parts}
                return tuple((service, refs[service]) for service in known)
