"""A target as another package would bring it: the live commit is a line in a file on some shelf."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from deploy.errors import CancelledError, StepFailedError
from deploy.plan import Action, PlannedStep
from deploy.process import pause
from deploy.target import Guard, LogLine, Order, Report, Site, StepDone, StepStarted
from deploy.target_tables import AnyTarget
from deploy.targets.journaled import Journaled


class NoteTable(AnyTarget):
    """`kind = "note"`: the file that holds the live commit, and one that says how deploys go."""

    kind: Literal["note"]
    file: Path
    mood: Path


class Note(Journaled):
    """Writes the commit into a file, once the file that holds its mood says `quick`."""

    table = NoteTable

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        settings = site.catalog.services[site.service].target
        assert isinstance(settings, NoteTable)
        self.settings = settings

    def live_sha(self) -> str | None:
        file = self.settings.file
        return file.read_text().strip() if file.exists() else None

    def planned_steps(self, action: Action, sha: str) -> tuple[PlannedStep, ...]:
        return (PlannedStep(name="write", says=f"Write {sha} into {self.settings.file}"),)

    def steps(self, order: Order, guard: Guard, report: Report) -> Iterator[StepDone]:
        started = time.monotonic()
        failed = None
        try:
            guard()
            report(StepStarted("write"))
            self._wait(guard, report)
            with self.journal.owned(order.fence) as write:  # nobody else may act meanwhile
                previous = self.live_sha()
                new = self.settings.file.with_suffix(".new")
                new.write_text(f"{order.plan.sha}\n")
                new.replace(self.settings.file)
                with self.settings.mood.with_name("runs").open("a") as runs:
                    runs.write(f"{order.plan.sha}\n")
                back = order.plan.action == "roll_back"
                write(self.switched(order, order.plan.sha, previous, back=back))
        except CancelledError as stopped:
            failed = StepFailedError("write", str(stopped))
        except StepFailedError as error:
            failed = error
        done = StepDone("write", failed is None, round(time.monotonic() - started, 3))
        self.note(order, done)
        yield done
        if failed is not None:
            raise failed

    def _wait(self, guard: Guard, report: Report) -> None:
        """Do as the mood says, and obey both limits meanwhile."""
        ends = time.monotonic() + self.settings.timeout_seconds
        silent_until = time.monotonic() + self.settings.silence_seconds
        with self._busy():
            while (mood := self.settings.mood.read_text()) != "quick":
                guard()
                if mood == "fails":
                    text = "there is no such thing as a free deploy"
                    raise StepFailedError("write", "The shelf is full.", tail=(text,))
                if mood == "slow":
                    report(LogLine("write", "still at it"))
                    silent_until = time.monotonic() + self.settings.silence_seconds
                for limit, name in ((ends, "timeout_seconds"), (silent_until, "silence_seconds")):
                    if time.monotonic() >= limit:
                        raise StepFailedError("write", f"It ran into its limit {name}.")
                pause(0.05)

    @contextmanager
    def _busy(self) -> Iterator[None]:
        """Leave a trace for those who look from outside."""
        sign = self.settings.mood.with_name("acting")
        sign.write_text(str(os.getpid()))
        try:
            yield
        finally:
            sign.unlink()
