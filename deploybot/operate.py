"""Carries approved changes out, at most once each, and settles those whose worker died.

No I/O of its own. The order of things is the promise: gate → claim, one atomic step → the target's
own refusal of anything seen → steps under lease and fence → the outcome, appended and released in
one atomic step. Nothing here ever runs an approval again.
"""

from datetime import timedelta

from deploy.errors import DeployError, LeaseLostError, RefusedError
from deploy.locks import Hold
from deploy.plan import SHORT
from deploy.target import Order, Progress
from deploybot.agent import rule_of
from deploybot.approvals import ApprovalRequest, differences, is_met
from deploybot.errors import ClaimRefusedError, ConflictError
from deploybot.events import (
    ApprovalExpired,
    ApprovalSuperseded,
    DeployOutcomeUnknown,
    DeployStarted,
    DeploySucceeded,
    Event,
    StepFailed,
    TestsFailed,
    TestsPassed,
)
from deploybot.lease import Attendance, Heartbeat, entry_of
from deploybot.next_step import RunTests
from deploybot.outcomes import WORKER, ended, settled
from deploybot.ports import Clockwork, Deployer, Operation, Store
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
    ) -> None:
        self._store = store
        self._deployer = deployer
        self._clock = clock
        self._lease = lease

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
                        return self._test(thread)
                    case _:
                        return thread
            except ConflictError:
                thread = self._store.load(thread.id)

    # -- deploying -----------------------------------------------------------------

    def _deploy(self, thread: Thread) -> Thread:
        request = _request(thread)
        if closed := self._gate(thread, request):
            return self._store.append(thread, closed)
        plan = request.plan
        operation = Operation(
            id=request.id,
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
        )
        try:
            thread = self._store.append(thread, started, claim=operation)
        except ClaimRefusedError as error:
            return self._store.append(thread, self._refused("operation_running", str(error)))
        return self._run(thread, request, operation)

    def _gate(self, thread: Thread, request: ApprovalRequest) -> Event | None:
        """Check everything again right before the start; return the event that closes, or None."""
        now = self._clock.now()
        if now >= request.expires_at:
            return ApprovalExpired(at=now, by="clock", request_id=request.id)
        shown = request.plan
        try:
            plan = self._deployer.plan(shown.action, shown.service, shown.ref, shown.environment)
        except RefusedError as error:
            return self._refused(error.reason_code, str(error))
        except DeployError as error:
            return self._refused("not_planned", str(error))
        changes = differences(request, plan)
        rule = rule_of(self._deployer, shown.environment)
        as_ruled_now = request.model_copy(update={"rule": rule})
        if request.sealed().digest != request.digest:
            changes = (*changes, "the request does not match its digest")
        if not is_met(as_ruled_now, thread.standing.grants):
            changes = (*changes, "who may approve")
        if not changes:
            return None
        return ApprovalSuperseded(
            at=self._clock.now(), by="agent:code", request_id=request.id, changes=changes
        )

    def _refused(self, code: str, error: str) -> StepFailed:
        now = self._clock.now()
        return StepFailed(at=now, by="agent:code", intent="start", code=code, error=error)

    def _run(self, thread: Thread, request: ApprovalRequest, operation: Operation) -> Thread:
        order = _order(thread, request, operation)
        beat = Heartbeat(self._store, operation, self._clock, self._lease)

        def report(progress: Progress) -> None:
            beat()
            self._store.report(operation.id, entry_of(progress))

        try:
            outcome = self._deployer.run(order, beat, report)
        except LeaseLostError:
            return thread  # whoever took the lease asks the target and says what it found
        except DeployError as error:
            return self._settle(thread, request, operation, str(error))
        return self._end(thread, ended(request, outcome, self._clock.now()), operation)

    def _end(self, thread: Thread, event: Event, operation: Operation) -> Thread:
        """Append how it ended and free the environment, whatever was said meanwhile.

        An unknown outcome frees nothing: nothing else starts there until it is resolved.
        """
        request = _request(thread)
        hold = self._hold(request, event)
        release = None if isinstance(event, DeployOutcomeUnknown) else operation
        while True:
            try:
                return self._store.append(thread, event, release=release, hold=hold)
            except ConflictError:
                thread = self._store.load(thread.id)
                if not thread.is_deploying:
                    return thread  # a sweeper asked the target and was first

    def _hold(self, request: ApprovalRequest, event: Event) -> Hold | None:
        """Keep what a roll back left as it is, so that nothing redeploys the bad commit."""
        table = self._deployer.catalog.environments[request.plan.environment]
        if request.plan.action != "roll_back" or not isinstance(event, DeploySucceeded):
            return None
        if not table.hold_after_rollback:
            return None
        bad = request.plan.previous_sha or ""
        lasts = table.hold_after_rollback_seconds
        return Hold(
            service=request.plan.service,
            environment=request.plan.environment,
            owner="deploybot",
            reason=f"{bad[:SHORT]} was rolled back to {request.plan.sha[:SHORT]}",
            at=event.at,
            expires=event.at + timedelta(seconds=lasts) if lasts else None,
            made_by="rollback",
        )

    def _live(self, request: ApprovalRequest) -> str | None:
        live = self._deployer.live(request.plan.service, request.plan.environment)
        return live.sha if live else None

    # -- recovering ----------------------------------------------------------------

    def _recover(self, thread: Thread) -> Thread:
        """Settle a start without an end, once its lease has run out, by the target's journal."""
        request, started = _request(thread), thread.standing.started
        plan = request.plan
        operation = self._store.operation(plan.service, plan.environment)
        if started is None or operation is None or operation.request_id != request.id:
            operation = Operation(
                id=request.id,
                service=plan.service,
                environment=plan.environment,
                thread=thread.id,
                request_id=request.id,
                fence=started.fence if started else 1,
            )
        elif self._store.lease_is_alive(operation):
            return thread
        return self._settle(thread, request, operation, "")

    def _settle(
        self, thread: Thread, request: ApprovalRequest, operation: Operation, why: str
    ) -> Thread:
        """Ask the target what became of the order, shut its worker out, and say what is true."""
        found = self._deployer.settle(_order(thread, request, operation))
        started = thread.standing.started
        event = settled(
            request,
            found,
            live=self._live(request),
            why=why,
            started=started.at if started else None,
            now=self._clock.now(),
        )
        return self._end(thread, event, operation)

    # -- testing -------------------------------------------------------------------

    def _test(self, thread: Thread) -> Thread:
        """Run the chosen environment's tests against what is live, unless somebody does; safe to repeat."""
        pending = thread.standing.pending
        if pending is None or not isinstance(pending.step, RunTests):
            return thread
        environment = pending.step.environment
        attending = Attendance(self._store, thread, self._clock)
        if not attending.begins():
            return thread
        live = {
            row.service: row.live.sha
            for row in self._deployer.environments(environment)
            if row.live
        }
        try:
            report = self._deployer.test(environment, attending)
        except DeployError as error:
            now = self._clock.now()
            event: Event = TestsFailed(
                at=now,
                by=WORKER,
                environment=environment,
                live=live,
                summary=f"they could not be run: {error}",
                tail=(),
                seconds=0.0,
            )
            return self._store.append(thread, event)
        now, seconds = self._clock.now(), round(report.seconds, 2)
        if report.passed:
            event = TestsPassed(
                at=now,
                by=WORKER,
                environment=environment,
                live=live,
                summary=report.summary,
                seconds=seconds,
            )
        else:
            event = TestsFailed(
                at=now,
                by=WORKER,
                environment=environment,
                live=live,
                summary=report.summary,
                tail=report.tail,
                seconds=seconds,
            )
        return self._store.append(thread, event)


def _request(thread: Thread) -> ApprovalRequest:
    request = thread.standing.request
    if request is None:
        raise ConflictError(thread.id, len(thread.events), len(thread.events))
    return request


def _order(thread: Thread, request: ApprovalRequest, operation: Operation) -> Order:
    return Order(
        approval_id=request.id,
        fence=operation.fence,
        digest=request.digest,
        head=thread.head,
        plan=request.plan,
    )
