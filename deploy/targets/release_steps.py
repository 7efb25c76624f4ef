"""What each step of a release deploy does; their order and their record are `releases`' task."""

import errno
import shutil
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING

from deploy import failpoints, placeholders, process
from deploy.errors import CancelledError, RepositoryError, StepFailedError, TargetError
from deploy.free_ports import free_ports
from deploy.plan import SHORT, PlannedStep
from deploy.target import Guard, LogLine, Order, Report, StepStarted
from deploy.targets.health import wait_until_it_runs

if TYPE_CHECKING:
    from deploy.targets.releases import Releases

_TAIL_BYTES = 65_536
_TIMES_WELL = 5
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class ReleaseSteps:
    """The steps of one order, while it runs."""

    def __init__(self, target: "Releases", order: Order, guard: Guard, report: Report) -> None:
        self.target = target
        self.directory = target.directory
        self.order = order
        self.sha = order.plan.sha
        self.report = report
        self._guard = guard
        self._deadline = time.monotonic() + target.table.timeout_seconds
        self._stopped: Exception | None = None
        self._step = "start"
        self._is_switched = False
        self._is_undoing = False

    def take(self, step: PlannedStep) -> None:
        """Take one step; raise StepFailedError, or whatever the guard raised.

        What fails once the release is live is undone: the one before is made live again.
        """
        self._step = step.name
        try:
            self.guard()
            self.report(StepStarted(step.name))
            self._take(step)
        except StepFailedError as failed:
            raise self._undone(failed) from failed
        except (RepositoryError, TargetError) as error:
            raise self._undone(StepFailedError(step.name, str(error))) from error
        except OSError as error:
            if error is self._stopped:
                raise
            raise StepFailedError(step.name, self._disk_says(error)) from error

    def guard(self) -> None:
        """Ask the guard, and remember that it was the guard who stopped the run.

        That a person stopped it, or that the time of the whole order is up, fails the step.
        """
        try:
            self._guard()
        except CancelledError as stopped:
            if not self._is_undoing:
                raise StepFailedError(self._step, str(stopped)) from stopped
        except Exception as error:
            self._stopped = error
            raise
        if not self._is_undoing and time.monotonic() >= self._deadline:
            seconds = self.target.table.timeout_seconds
            text = f"It took longer than {seconds:g} s in all (timeout_seconds) and was ended."
            raise StepFailedError(self._step, text)

    def _take(self, step: PlannedStep) -> None:
        match step.name:
            case "export":
                self._export()
            case "check":
                self._check(step)
            case "switch":
                self._switch()
            case "activate":
                self._activate(step)
            case "confirm":
                self._confirm(step)
            case _:
                limit = ("build_timeout_seconds", self.target.table.build_timeout_seconds)
                self._command(step.name, step.argv or (), self.sha, limit)

    def _export(self) -> None:
        if self.directory.live_sha() == self.sha:
            raise TargetError(f"{self.sha[:SHORT]} is live, so its release is not built again.")
        free = shutil.disk_usage(self.directory.path).free
        needed = self.target.table.minimum_free_bytes
        if free < needed:
            raise TargetError(
                f"The disk of {self.directory.path} has {free} bytes free and {needed} are "
                "needed. What was live still is; make room and deploy again."
            )
        release = self.directory.start_anew(self.sha)
        repository = self.target.repository()
        if not repository.has(self.sha):
            repository.fetch()
        path = self.target.catalog.services[self.target.service].path
        repository.export(self.sha, release, path, self.guard)
        name = release / "RELEASE"
        name.unlink(missing_ok=True)
        name.write_text(f"{self.sha}\n")

    def _check(self, step: PlannedStep) -> None:
        target, seconds = self.target, self.target.table.health_timeout_seconds
        (port,) = free_ports(1)
        argv = placeholders.fill(target.table.start or (), self.target.values(self.sha, str(port)))
        url = f"http://127.0.0.1:{port}{target.table.health}"
        variables = self._variables(self.sha, str(port))
        release = self.directory.release(self.sha)
        with (
            tempfile.TemporaryFile() as output,
            process.serving(
                argv, directory=release, variables=variables, output=output
            ) as candidate,
        ):

            def well_so_far() -> None:
                self.guard()
                if candidate.poll() is not None:
                    raise StepFailedError(
                        step.name,
                        f"{self.sha[:SHORT]} ended by itself before it was well "
                        f"(exit code {candidate.returncode}). What was live still is.",
                        exit_code=candidate.returncode,
                        tail=_tail(output),
                    )

            problem = wait_until_it_runs(url, self.sha, seconds, well_so_far)
            if problem is not None:
                raise StepFailedError(
                    step.name,
                    f"{self.sha[:SHORT]} is not well: {problem}. What was live still is.",
                    tail=_tail(output),
                )

    def _switch(self) -> None:
        with self.target.journal.owned(self.order.fence) as write:
            previous = self.directory.live_sha()
            if previous != self.order.plan.previous_sha:
                raise TargetError("Another release went live meanwhile. It was left as it is.")
            if not self.directory.is_complete(self.sha):
                self.directory.mark_complete(self.sha)
            failpoints.at("target.switch.before")
            self.directory.point_at(self.sha)
            failpoints.at("target.switch.after")
            self._is_switched = True
            is_back = self.order.plan.action == "roll_back"
            write(self.target.switched(self.order, self.sha, previous, back=is_back))

    def _activate(self, step: PlannedStep) -> None:
        seconds = self.target.table.activate_timeout_seconds
        self._command(step.name, step.argv or (), self.sha, ("activate_timeout_seconds", seconds))

    def _confirm(self, step: PlannedStep) -> None:
        problem = self._live_problem(self.sha)
        if problem is not None:
            text = f"{self.sha[:SHORT]} went live and is not well: {problem}."
            raise StepFailedError(step.name, text)

    def _undone(self, failed: StepFailedError) -> StepFailedError:
        """Switch back to what was live before, if need be; return the failure with how that went."""
        if not self._is_switched:
            return failed
        self._is_undoing = True
        previous, is_well = self.order.plan.previous_sha, True
        try:
            with self.target.journal.owned(self.order.fence) as write:
                self.directory.point_at(previous)
                write(self.target.switched(self.order, previous, self.sha, back=True))
        except (OSError, TargetError) as error:
            is_well = False
            then = f"It is live still, because the switch back failed too: {error}"
        else:
            then = "Nothing was live before, and nothing is now."
            if previous is not None:
                again, is_well = self._again(previous)
                then = f"The release before, {previous[:SHORT]}, is live again{again}."
        return StepFailedError(
            failed.step,
            f"{failed.error.rstrip('.')}. {then}",
            exit_code=failed.exit_code,
            tail=failed.tail,
            stranded=not is_well,
        )

    def _again(self, previous: str) -> tuple[str, bool]:
        """Let the service know that the release before is back; return how that went, and whether well."""
        table = self.target.table
        try:
            if table.activate is not None:
                argv = placeholders.fill(
                    table.activate, self.target.values(previous, self.target.port)
                )
                limit = ("activate_timeout_seconds", table.activate_timeout_seconds)
                self._command("activate", argv, previous, limit)
        except StepFailedError as error:
            return f", but the service could not be told ({error.error})", False
        if self.target.place.url is None:
            return "", True
        problem = self._live_problem(previous)
        if problem is not None:
            return f", but is not well either: {problem}", False
        return " and well", True

    def _live_problem(self, sha: str) -> str | None:
        table, url = self.target.table, self.target.place.url
        seconds = table.confirm_timeout_seconds
        health = f"{url}{table.health}"
        return wait_until_it_runs(health, sha, seconds, self.guard, times=_TIMES_WELL)

    def _command(
        self, name: str, argv: tuple[str, ...], sha: str, limit: tuple[str, float]
    ) -> None:
        table = self.target.table
        try:
            ran = process.run(
                argv,
                directory=self.directory.release(sha),
                variables=self._variables(sha, self.target.port),
                seconds=limit[1],
                guard=self.guard,
                log=lambda line: self.report(LogLine(name, line)),
                manner=process.Manner(silence_seconds=table.silence_seconds),
            )
        except (FileNotFoundError, PermissionError) as error:
            if error is self._stopped:
                raise
            raise StepFailedError(name, f"{argv[0]} cannot be run: {error.strerror}.") from error
        if ran.exit_code != 0:
            text = f"{Path(argv[0]).name} {process.how(ran, limit, table.silence_seconds)}."
            raise StepFailedError(name, text, exit_code=ran.exit_code, tail=ran.tail)

    def _variables(self, sha: str, port: str | None) -> Mapping[str, str]:
        own = {
            "SHA": sha,
            "SERVICE": self.target.service,
            "ENVIRONMENT": self.target.environment,
            **({} if port is None else {"PORT": port}),
        }
        return {**self.target.table.variables, **self.target.place.variables, **own}

    def _disk_says(self, error: OSError) -> str:
        where = error.filename or self.directory.path
        live = self.directory.live_sha()
        then = "What was live still is"
        if live != self.order.plan.previous_sha:
            then = f"{live[:SHORT] if live else 'Nothing'} is live now"
        if error.errno in _FULL:
            free = shutil.disk_usage(self.directory.path).free
            return (
                f"The disk is full at {where} ({free} bytes free). {then}; make room and "
                "deploy again."
            )
        return f"{error.strerror or error} ({where}). {then}."


def _tail(output: IO[bytes]) -> tuple[str, ...]:
    size = output.seek(0, 2)
    output.seek(max(0, size - _TAIL_BYTES))
    lines = [process.plain(line) for line in output.read().splitlines()]
    return tuple(lines[-process.TAIL_LINES :])
