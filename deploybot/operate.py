"""Carries approved changes out, at most once each, and settles those whose worker died.

No I/O of its own. The order of things is the promise: gate → claim, one atomic step → the target's
own refusal of anything seen → steps under lease and fence → the outcome, appended and released in
one atomic step. Nothing here ever runs an approval again.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

from deploy.errors import DeployError, LeaseLostError
from deploy.locks import Hold
from deploy.plan import SHORT, Plan
from deploy.target import Ended, Order, Progress, Running
from deploybot.approvals import ApprovalRequest
from deploybot.errors import ClaimRefusedError, ConflictError, StoreUnavailableError
from deploybot.events import (
    DeployFailed,
    DeployOutcomeUnknown,
    DeployStarted,
    DeploySucceeded,
    Event,
)
from deploybot.gate import Gate
from deploybot.lease import Heartbeat, entry_of
from deploybot.outcomes import WORKER, Change, ended, settled, still_running
from deploybot.ports import Clockwork, Deployer, Directory, Operation, People, Store
from deploybot.propose import NOBODY_KNOWN
from deploybot.proving import Proving
from deploybot.thread import Status, Thread


class Operator:
    """Runs what was approved, tests what went live, and recovers what a dead worker left."""

    def __init__(
        self,
        *,
        store: Store,
        deployer: Deployer,
        clock: Clockwork,
        lease: timedelta = timedelta(seconds=20),
        directory: Directory | None = None,
        people: People = NOBODY_KNOWN,
        stalled: Callable[[Operation], object] = lambda _: None,
    ) -> None:
        """`stalled` is told when a worker finds that its lease ran out while it was at work."""
        self._gate = Gate(
            store=store, deployer=deployer, clock=clock, directory=directory, people=people
        )
        self._store = store
        self._deployer = deployer
        self._clock = clock
        self._lease = lease
        self._stalled = stalled
        self._proving = Proving(store=store, deployer=deployer, clock=clock)

    def operate(self, thread: Thread | str) -> Thread:
        """Do what the thread needs of a running system now, if anything; return the thread.

        As with `Agent.advance`: an id is read first, a thread in hand is not.
        """
        if isinstance(thread, str):
            thread = self._store.load(thread)
        while True:
            try:
                match thread.status:
                    case _ if thread.is_deploying:
                        return self._recover(thread)
                    case Status.APPROVED:
                        return self._deploy(thread)
                    case Status.WORKING if thread.job() == "operate":
                        return self._proving.test(thread)
                    case _:
                        return thread
            except ConflictError:
                thread = self._store.load(thread.id)

    # -- deploying -----------------------------------------------------------------

    def _deploy(self, thread: Thread) -> Thread:
        """Start the next change that was approved, unless its time has not come."""
        request, part = _request(thread), thread.standing.part
        now = self._clock.now()
        if part == 0 and request.start_at is not None and now < request.start_at:
            return thread
        if closed := self._gate.closed(thread, request, part):
            return self._store.append(thread, closed)
        plan = request.plans[part]
        operation = Operation(
            id=request.operation(part),
            service=plan.service,
            environment=plan.environment,
            thread=thread.id,
            request_id=request.id,
            fence=self._store.next_fence(plan.service, plan.environment),
        )
        started = DeployStarted(
            at=self._clock.now(),
            by=WORKER,
            request_id=request.id,
            digest=request.digest,
            operation=operation.id,
            fence=operation.fence,
            part=part,
        )
        try:
            alias = f"operation:{operation.id}"
            thread = self._store.append(thread, started, claim=operation, aliases=(alias,))
        except ClaimRefusedError as error:
            return self._store.append(
                thread, self._gate.refused(thread, plan, "operation_running", str(error))
            )
        return self._run(thread, Change(request, started), operation)

    def _run(self, thread: Thread, change: Change, operation: Operation) -> Thread:
        order = _order(thread, change)
        beat = Heartbeat(self._store, operation, self._clock, self._lease)

        def report(progress: Progress) -> None:
            beat()
            with suppress(StoreUnavailableError):  # it is for people to see; the run goes on
                self._store.report(operation.id, entry_of(progress))

        try:
            outcome = self._deployer.run(order, beat, report)
        except LeaseLostError:
            self._stalled(operation)
            return thread  # whoever took the lease asks the target and says what it found
        except DeployError as error:
            return self._settle(thread, change, operation, str(error))
        if isinstance(outcome, Running):
            self._store.let_go(operation)
            return self._look_again(thread, operation, outcome)
        event = ended(change, outcome, self._clock.now())
        return self._end(thread, event, operation, stranded=outcome.stranded)

    def _look_again(self, thread: Thread, operation: Operation, running: Running) -> Thread:
        """Leave what runs elsewhere to itself, tell how far it is, and look again later."""
        line = still_running(running)
        if line not in self._store.progress(operation.id)[-1:]:
            self._store.report(operation.id, line)
        self._store.later("operate", thread.id, running.look_again_seconds)
        return thread

    def _end(
        self, thread: Thread, event: Event, operation: Operation, *, stranded: bool = False
    ) -> Thread:
        """Append how it ended and free the environment, whatever was said meanwhile.

        An unknown outcome frees nothing: nothing else starts there until it is resolved. A way back
        that failed leaves the place held: people must look before anything else goes there.
        """
        hold = self._hold(thread, _change(thread).plan, event, stranded=stranded)
        if hold is not None and isinstance(event, DeployFailed):
            event = event.model_copy(update={"held": True})
        release = None if isinstance(event, DeployOutcomeUnknown) else operation
        while True:
            try:
                return self._store.append(thread, event, release=release, hold=hold)
            except ConflictError:
                thread = self._store.load(thread.id)
                if not thread.is_deploying:
                    return thread  # a sweeper asked the target and was first

    def _hold(self, thread: Thread, plan: Plan, event: Event, *, stranded: bool) -> Hold | None:
        """Keep what a roll back left as it is, so that nothing redeploys the bad commit."""
        table = self._deployer.catalog.environments[plan.environment]
        is_back = plan.action == "roll_back"
        match event:
            case DeploySucceeded() if is_back:
                bad = plan.previous_sha or ""
                reason = f"{bad[:SHORT]} was rolled back to {plan.sha[:SHORT]}"
            case DeployFailed(began=True) if is_back and thread.standing.stop is None:
                reason = f"the roll back to {plan.sha[:SHORT]} failed"
            case DeployFailed() if stranded:
                reason = f"{plan.sha[:SHORT]} failed, and so did the way back"
            case _:
                return None
        if not table.hold_after_rollback:
            return None
        lasts = table.hold_after_rollback_seconds
        return Hold(
            service=plan.service,
            environment=plan.environment,
            owner="deploybot",
            reason=reason,
            at=event.at,
            expires=event.at + timedelta(seconds=lasts) if lasts else None,
            made_by="rollback",
        )

    # -- recovering ----------------------------------------------------------------

    def _recover(self, thread: Thread) -> Thread:
        """Settle a start without an end once its lease has run out, by the target's journal."""
        change = _change(thread)
        plan = change.plan
        operation = Operation(
            id=change.started.operation,
            service=plan.service,
            environment=plan.environment,
            thread=thread.id,
            request_id=change.request.id,
            fence=change.started.fence,
        )
        if self._store.lease_is_alive(operation):
            return thread
        return self._settle(thread, change, operation, "")

    def _settle(self, thread: Thread, change: Change, operation: Operation, why: str) -> Thread:
        """Ask the target what became of the order, shut its worker out, and say what is true.

        What runs elsewhere is asked to stop first if a person wants it, and else only looked at.
        """
        order, plan = _order(thread, change), change.plan
        elsewhere = self._deployer.runs_elsewhere(plan.service, plan.environment)
        if elsewhere and thread.standing.stop is not None:
            self._deployer.cancel(order)
        found = self._deployer.settle(order)
        if isinstance(found, Running):
            return self._look_again(thread, operation, found)
        live = self._deployer.live(plan.service, plan.environment)
        event = settled(
            change,
            found,
            live=live.sha if live else None,
            why=why,
            now=self._clock.now(),
            watched=elsewhere,
        )
        stranded = isinstance(found, Ended) and found.stranded
        return self._end(thread, event, operation, stranded=stranded)


def _request(thread: Thread) -> ApprovalRequest:
    request = thread.standing.request
    if request is None:
        raise ConflictError(thread.id, len(thread.events), len(thread.events))
    return request


def _change(thread: Thread) -> Change:
    started = thread.standing.started
    if started is None:
        raise ConflictError(thread.id, len(thread.events), len(thread.events))
    return Change(_request(thread), started)


def _order(thread: Thread, change: Change) -> Order:
    return Order(
        approval_id=change.started.operation,
        fence=change.started.fence,
        digest=change.request.digest,
        head=thread.head,
        plan=change.plan,
    )
