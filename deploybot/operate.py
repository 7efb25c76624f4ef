"""Carries approved changes out, at most once each, and settles those whose worker died.

No I/O of its own. The order of things is the promise: gate → claim, one atomic step → the target's
own refusal of anything seen → steps under lease and fence → the outcome, appended and released in
one atomic step. Nothing here ever runs an approval again.
"""

from datetime import timedelta

from deploy.errors import DeployError, LeaseLostError, RefusedError, SeenApprovalError
from deploy.locks import Hold
from deploy.plan import SHORT
from deploy.target import Began, Ended, NeverBegan, Order, Outcome, Progress
from deploybot.agent import rule_of
from deploybot.approvals import ApprovalRequest, differences, is_met
from deploybot.errors import ClaimRefusedError, ConflictError
from deploybot.events import (
    ApprovalExpired,
    ApprovalSuperseded,
    DeployFailed,
    DeployOutcomeUnknown,
    DeployStarted,
    DeploySucceeded,
    Event,
    StepFailed,
    TestsFailed,
    TestsPassed,
)
from deploybot.lease import Heartbeat, entry_of
from deploybot.next_step import RunTests
from deploybot.ports import Clockwork, Deployer, Operation, Store
from deploybot.thread import Status, Thread

WORKER = "worker"


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

    def operate(self, thread_id: str) -> Thread:
        """Do what the thread needs of a running system now, if anything; return the thread."""
        thread = self._store.load(thread_id)
        while True:
            try:
                match thread.status:
                    case Status.APPROVED:
                        return self._deploy(thread)
                    case Status.DEPLOYING:
                        return self._recover(thread)
                    case Status.WORKING if thread.job() == "operate":
                        return self._test(thread)
                    case _:
                        return thread
            except ConflictError:
                thread = self._store.load(thread_id)

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
        except SeenApprovalError as error:
            error_text = str(error)
            failed = self._failed(request, "begin", error_text, live=None, began=False)
            return self._end(thread, failed, operation)
        except DeployError as error:
            live = self._live(request)
            failed = self._failed(request, "begin", str(error), live=live, began=False)
            return self._end(thread, failed, operation)
        return self._end(thread, self._ended(request, outcome), operation)

    def _ended(self, request: ApprovalRequest, outcome: Outcome) -> Event:
        now = self._clock.now()
        if outcome.outcome == "succeeded":
            return DeploySucceeded(
                at=now,
                by=WORKER,
                request_id=request.id,
                sha=request.plan.sha,
                seconds=round(outcome.seconds, 2),
            )
        failed = self._failed(
            request, outcome.step or "deploy", outcome.error or "It failed.", live=outcome.live_sha
        )
        return failed.model_copy(update={"tail": outcome.tail})

    def _failed(
        self,
        request: ApprovalRequest,
        step: str,
        error: str,
        *,
        live: str | None,
        began: bool = True,
        recovered: bool = False,
    ) -> DeployFailed:
        return DeployFailed(
            at=self._clock.now(),
            by=WORKER,
            request_id=request.id,
            step=step,
            error=error,
            live=live,
            began=began,
            recovered=recovered,
        )

    def _end(self, thread: Thread, event: Event, operation: Operation) -> Thread:
        """Append how it ended and free the environment, whatever was said meanwhile."""
        request = _request(thread)
        hold = self._hold(request, event)
        while True:
            try:
                return self._store.append(thread, event, release=operation, hold=hold)
            except ConflictError:
                thread = self._store.load(thread.id)
                if thread.status is not Status.DEPLOYING:
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
        found = self._deployer.settle(_order(thread, request, operation))
        now = self._clock.now()
        match found:
            case NeverBegan():
                error = "The worker died after the approval and before the deploy began."
                live = self._live(request)
                failed = self._failed(
                    request, "start", error, live=live, began=False, recovered=True
                )
                return self._end(thread, failed, operation)
            case Ended(outcome="succeeded"):
                succeeded = DeploySucceeded(
                    at=now,
                    by=WORKER,
                    request_id=request.id,
                    sha=plan.sha,
                    seconds=max(0.0, (now - started.at).total_seconds()) if started else 0.0,
                    recovered=True,
                )
                return self._end(thread, succeeded, operation)
            case Ended(step=step, error=why, live_sha=live):
                failed = self._failed(
                    request, step or "deploy", why or "It failed.", live=live, recovered=True
                )
                return self._end(thread, failed, operation)
            case Began(last_step=step, live_sha=live):
                unknown = DeployOutcomeUnknown(
                    at=now, by=WORKER, request_id=request.id, step=step or "", live=live
                )
                return self._store.append(thread, unknown)

    # -- testing -------------------------------------------------------------------

    def _test(self, thread: Thread) -> Thread:
        """Run the chosen environment's tests against what is live; safe to repeat."""
        pending = thread.standing.pending
        if pending is None or not isinstance(pending.step, RunTests):
            return thread
        environment = pending.step.environment
        live = {
            row.service: row.live.sha
            for row in self._deployer.environments(environment)
            if row.live
        }
        try:
            report = self._deployer.test(environment, lambda: None)
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
