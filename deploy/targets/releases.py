"""Release directories: a commit is exported, built, checked, switched to, and confirmed or undone."""

import time
from collections.abc import Iterator
from datetime import datetime

from deploy import history, placeholders
from deploy.errors import StepFailedError
from deploy.git import Repository
from deploy.plan import SHORT, Action, PlannedStep
from deploy.target import Guard, Order, Report, Site, StepDone
from deploy.target_tables import ReleasesTable
from deploy.targets.journaled import Journaled
from deploy.targets.release_directory import ReleaseDirectory
from deploy.targets.release_steps import ReleaseSteps

_WAY_BACK = "the release before is made live again"


class Releases(Journaled):
    """The target of one service in one environment: release directories and a link to one."""

    table: ReleasesTable

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        table = site.catalog.services[site.service].target
        if not isinstance(table, ReleasesTable):
            raise TypeError(f"{site.service} is no target of kind releases")
        self.table = table
        self.directory = ReleaseDirectory(table.base, site.environment, site.service)

    def live_sha(self) -> str | None:
        """Return the commit that `current` points at."""
        return self.directory.live_sha()

    def live_since(self) -> datetime:
        """Return when `current` was last changed."""
        return self.directory.live_since()

    def prepare(self) -> None:
        """Make the folders; raise TargetError if a link stands where one of them should."""
        self.directory.prepare()

    def planned_steps(self, action: Action, sha: str) -> tuple[PlannedStep, ...]:
        """Return the steps; a roll back to a release that still stands is not built again."""
        short = sha[:SHORT]
        values = self.values(sha, None)
        steps: list[PlannedStep] = []
        stands = action == "roll_back" and self.directory.is_complete(sha)
        if not stands:
            steps.append(PlannedStep(name="export", says=f"Write the files of {short} to disk"))
            for number, argv in enumerate(self.table.build, start=1):
                name = "build" if len(self.table.build) == 1 else f"build-{number}"
                filled = placeholders.fill(argv, values)
                steps.append(PlannedStep(name=name, argv=filled, says=f"Build {short}"))
        if self.table.start is not None:
            filled = placeholders.fill(self.table.start, values)  # its port is found as it starts
            says = f"Start {short} aside and ask {self.table.health} until it is well"
            steps.append(PlannedStep(name="check", argv=filled, says=says))
        says = f"Make {short}{', built before and still whole,' if stands else ''} live in one step"
        steps.append(PlannedStep(name="switch", says=says))
        if self.table.activate is not None:
            filled = placeholders.fill(self.table.activate, self.values(sha, self.port))
            says = f"Tell the running service; if that fails, {_WAY_BACK}"
            steps.append(PlannedStep(name="activate", argv=filled, says=says))
        if self.place.url is not None:
            url = f"{self.place.url}{self.table.health}"
            says = f"Ask {url} until {short} answers; if it does not, {_WAY_BACK}"
            steps.append(PlannedStep(name="confirm", says=says))
        return tuple(steps)

    def steps(self, order: Order, guard: Guard, report: Report) -> Iterator[StepDone]:
        """Run the order's steps, each yielded as it ends; raise StepFailedError where one fails."""
        taking = ReleaseSteps(self, order, guard, report)
        for step in order.plan.steps:
            started = time.monotonic()
            failed: StepFailedError | None = None
            try:
                taking.take(step)
            except StepFailedError as error:
                failed = error
            done = StepDone(step.name, failed is None, round(time.monotonic() - started, 3))
            self.note(order, done)
            yield done
            if failed is not None:
                raise failed

    def end(self, order: Order, failed: StepFailedError | None) -> None:
        """Remove releases that nobody will go back to, and record how the order ended."""
        with self.journal.owned(order.fence):
            live = self.directory.live_sha()
            back = history.last_verified(self.records(), live)
            needed = {sha for sha in (live, order.plan.previous_sha, back) if sha is not None}
            self.directory.tidy(self.table.keep_releases, needed)
        super().end(order, failed)

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
