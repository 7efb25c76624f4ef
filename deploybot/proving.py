"""Runs an environment's end-to-end tests against what is live there, one worker at a time."""

from deploy.errors import DeployError
from deploybot.events import Event, TestsFailed, TestsPassed
from deploybot.lease import Attendance
from deploybot.next_step import RunTests
from deploybot.outcomes import WORKER
from deploybot.ports import Clockwork, Deployer, Store
from deploybot.thread import Thread


class Proving:
    """Takes the step that plain code chose to prove what went live; safe to repeat."""

    def __init__(self, *, store: Store, deployer: Deployer, clock: Clockwork) -> None:
        self._store = store
        self._deployer = deployer
        self._clock = clock

    def test(self, thread: Thread) -> Thread:
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
