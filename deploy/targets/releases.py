"""Release directories: a commit is exported, built, checked, switched to, and confirmed or undone."""

import time
from collections.abc import Callable, Iterator
from datetime import datetime

from deploy import history, placeholders
from deploy.catalog import Catalog
from deploy.errors import Refusal, RefusedError, StepFailedError
from deploy.git import Repository
from deploy.journal import Journal
from deploy.plan import SHORT, Action, PlannedStep
from deploy.records import (
    BeganRecord,
    ClosedRecord,
    EndedRecord,
    Record,
    StepRecord,
    VerifiedRecord,
)
from deploy.target import (
    Began,
    Ended,
    Guard,
    Live,
    NeverBegan,
    Order,
    Probe,
    Report,
    StepDone,
    StepStarted,
)
from deploy.targets.release_directory import ReleaseDirectory
from deploy.targets.release_steps import ReleaseSteps

_WAY_BACK = "the release before is made live again"


class Releases:
    """The target of one service in one environment; `clock` gives the time for the journal."""

    def __init__(
        self, catalog: Catalog, service: str, environment: str, clock: Callable[[], datetime]
    ) -> None:
        self.catalog = catalog
        self.service = service
        self.environment = environment
        self.table = catalog.services[service].target
        self.place = catalog.environments[environment].services[service]
        self.config_hash = catalog.config_hash(service, environment)
        self.directory = ReleaseDirectory(self.table.base, environment, service)
        self.journal = Journal(self.directory.journal)
        self.clock = clock

    def current(self) -> Live | None:
        """Return what `current` points at, with what the journal knows of it."""
        sha = self.directory.live_sha()
        if sha is None:
            return None
        switched = history.last_switch_to(self.records(), sha)
        return Live(
            sha=sha,
            release=f"releases/{sha}",
            since=switched.at if switched else self.directory.live_since(),
            approval_id=switched.approval_id if switched else None,
            verified=history.is_verified(self.records(), sha),
        )

    def records(self) -> Iterator[Record]:
        """Yield the journal, the newest record first."""
        return self.journal.newest_first()

    def planned_steps(self, action: Action, sha: str) -> tuple[PlannedStep, ...]:
        """Return the steps; a roll back to a release that still stands is not built again."""
        short = sha[:SHORT]
        values = self.values(sha, None)
        steps: list[PlannedStep] = []
        if action == "deploy" or not self.directory.is_complete(sha):
            steps.append(PlannedStep(name="export", says=f"Write the files of {short} to disk"))
            for number, argv in enumerate(self.table.build, start=1):
                name = "build" if len(self.table.build) == 1 else f"build-{number}"
                filled = placeholders.fill(argv, values)
                steps.append(PlannedStep(name=name, argv=filled, says=f"Build {short}"))
        if self.table.start is not None:
            filled = placeholders.fill(self.table.start, values)  # its port is found as it starts
            says = f"Start {short} aside and ask {self.table.health} until it is well"
            steps.append(PlannedStep(name="check", argv=filled, says=says))
        steps.append(PlannedStep(name="switch", says=f"Make {short} live in one step"))
        if self.table.activate is not None:
            filled = placeholders.fill(self.table.activate, self.values(sha, self.port))
            says = f"Tell the running service; if that fails, {_WAY_BACK}"
            steps.append(PlannedStep(name="activate", argv=filled, says=says))
        if self.place.url is not None:
            url = f"{self.place.url}{self.table.health}"
            says = f"Ask {url} until {short} answers; if it does not, {_WAY_BACK}"
            steps.append(PlannedStep(name="confirm", says=says))
        return tuple(steps)

    def begin(self, order: Order) -> None:
        """Record that the order begins; refuse one whose plan no longer fits what is here.

        Raises SeenApprovalError, OldFenceError, RefusedError (`plan_changed`) or TargetError.
        """
        self.directory.prepare()
        self.journal.check(order.approval_id, order.fence)
        self._same_as_planned(order)
        self.journal.begin(
            BeganRecord(
                at=self.clock(),
                approval_id=order.approval_id,
                fence=order.fence,
                digest=order.digest,
                head=order.head,
                sha=order.plan.sha,
                action=order.plan.action,
            )
        )

    def steps(self, order: Order, guard: Guard, report: Report) -> Iterator[StepDone]:
        """Run the order's steps, each yielded as it ends; raise StepFailedError where one fails."""
        taking = ReleaseSteps(self, order, guard, report)
        for step in order.plan.steps:
            guard()
            report(StepStarted(step.name))
            started = time.monotonic()
            failed: StepFailedError | None = None
            try:
                taking.take(step)
            except StepFailedError as error:
                failed = error
            done = StepDone(step.name, failed is None, round(time.monotonic() - started, 3))
            self._note(order, done)
            yield done
            if failed is not None:
                raise failed

    def end(self, order: Order, failed: StepFailedError | None) -> None:
        """Record how the order ended, and remove releases that nobody will go back to."""
        with self.journal.owned(order.fence) as write:
            live = self.directory.live_sha()
            back = history.last_verified(self.records(), live)
            needed = {sha for sha in (live, order.plan.previous_sha, back) if sha is not None}
            self.directory.tidy(self.table.keep_releases, needed)
            write(
                EndedRecord(
                    at=self.clock(),
                    approval_id=order.approval_id,
                    outcome="failed" if failed else "succeeded",
                    step=failed.step if failed else None,
                    error=failed.error if failed else None,
                )
            )

    def verify(self, sha: str) -> bool:
        """Record that tests passed on `sha`; False, recording nothing, if it is not live now."""
        if self.directory.live_sha() != sha:
            return False
        self.journal.append(VerifiedRecord(at=self.clock(), sha=sha))
        return True

    def probe(self, approval_id: str) -> Probe:
        """Tell what became of an approval, from the journal."""
        records = self.journal.of(approval_id)
        began = next((r for r in records if isinstance(r, BeganRecord)), None)
        if began is None:
            return NeverBegan()
        live = self.directory.live_sha()
        ended = next((r for r in records if isinstance(r, EndedRecord)), None)
        if ended is None:
            steps = [r.name for r in records if isinstance(r, StepRecord)]
            return Began(last_step=steps[-1] if steps else None, live_sha=live)
        return Ended(
            outcome=ended.outcome,
            sha=began.sha,
            live_sha=live,
            step=ended.step,
            error=ended.error,
        )

    def settle(self, order: Order) -> Probe:
        """Close the order in the journal, so that its worker can do nothing more, and probe."""
        self.directory.prepare()
        self.journal.close(
            ClosedRecord(at=self.clock(), approval_id=order.approval_id, fence=order.fence)
        )
        return self.probe(order.approval_id)

    @property
    def port(self) -> str | None:
        """The port that the live service listens on, if it is configured."""
        return None if self.place.port is None else str(self.place.port)

    def values(self, sha: str, port: str | None) -> dict[str, str]:
        """Return what the placeholders of a command stand for."""
        values = {
            "sha": sha,
            "service": self.service,
            "environment": self.environment,
            "release": str(self.directory.release(sha)),
            "url": self.place.url or "",
        }
        return values if port is None else values | {"port": port}

    def repository(self) -> Repository:
        """Return the repository that the service is built from."""
        table = self.catalog.repositories[self.catalog.services[self.service].repository]
        return Repository(table.path, table.url)

    def _same_as_planned(self, order: Order) -> None:
        plan = order.plan
        changed = None
        if (plan.service, plan.environment) != (self.service, self.environment):
            changed = "it is for another place"
        elif plan.config_hash != self.config_hash:
            changed = "the configuration has changed"
        elif plan.previous_sha != self.directory.live_sha():
            changed = "another release went live"
        elif plan.steps != self.planned_steps(plan.action, plan.sha):
            changed = "its steps have changed"
        if changed is not None:
            raise RefusedError(
                Refusal(
                    "plan_changed",
                    f"The plan was made earlier, and since then {changed}. Nothing was deployed; "
                    "ask for the deploy again to see it as it is now.",
                )
            )

    def _note(self, order: Order, done: StepDone) -> None:
        with self.journal.owned(order.fence) as write:
            write(
                StepRecord(
                    at=self.clock(),
                    approval_id=order.approval_id,
                    name=done.name,
                    ok=done.ok,
                    seconds=done.seconds,
                )
            )
