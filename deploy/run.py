"""Carrying an approved plan out, once, and running an environment's tests; what is shown elsewhere."""

import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from deploy import bake, failpoints, placeholders, process
from deploy.catalog import Catalog, EnvironmentTable
from deploy.connections import Connections
from deploy.errors import CancelledError, RepositoryError, StepFailedError
from deploy.git import Repository
from deploy.target import (
    Guard,
    LogLine,
    Order,
    Outcome,
    Progress,
    Report,
    Running,
    StepStarted,
    Target,
    TestReport,
)
from deploy.targets import target_of

__all__ = ["Outcome", "Progress", "Running", "TestReport", "run", "run_tests"]


def run(target: Target, order: Order, *, guard: Guard, progress: Report) -> Outcome | Running:
    """Run an order to its end and return how it ended; never runs an approval twice.

    What runs elsewhere is only launched here, and Running is returned: `target.settle` follows it.
    The guard is asked before every step, and at least every 0.2 s while one waits. A CancelledError
    of its ends the order as failed at the next safe step. Anything else that it raises comes
    through at once: commands are killed, nothing more is done, and the journal has no end for the
    order. Raises SeenApprovalError, OldFenceError or RefusedError before anything ran.
    """
    started = time.monotonic()
    try:
        guard()
    except CancelledError as stopped:
        return _outcome(target, StepFailedError("start", str(stopped)), started)
    failpoints.at("target.begin.before")
    target.begin(order)
    failpoints.at("target.begin.after")
    at = "start"

    def heard(told: Progress) -> None:
        nonlocal at
        if isinstance(told, StepStarted):
            at = told.name
            failpoints.at("target.step.before")
        with suppress(CancelledError):  # the guard says so again, where it is safe to stop
            progress(told)

    failed: StepFailedError | None = None
    try:
        for done in target.steps(order, guard, heard):
            failpoints.at("target.step.after")
            heard(done)
    except StepFailedError as error:
        failed = error
    except CancelledError as stopped:
        failed = StepFailedError(at, str(stopped))
    if target.remote and failed is None:
        return _running(target, order)
    failpoints.at("target.end.before")
    target.end(order, failed)
    failpoints.at("target.end.after")
    return _outcome(target, failed, started)


def _running(target: Target, order: Order) -> Running:
    probe = target.probe(order.approval_id)
    return probe if isinstance(probe, Running) else Running(step=None)


def _outcome(target: Target, failed: StepFailedError | None, started: float) -> Outcome:
    live = target.current()
    return Outcome(
        outcome="failed" if failed else "succeeded",
        step=failed.step if failed else None,
        error=failed.error if failed else None,
        exit_code=failed.exit_code if failed else None,
        tail=failed.tail if failed else (),
        live_sha=live.sha if live else None,
        seconds=round(time.monotonic() - started, 3),
        stranded=failed.stranded if failed else False,
    )


def run_tests(
    catalog: Catalog,
    environment: str,
    *,
    sha: str | None = None,
    clock: Callable[[], datetime],
    guard: Guard,
    progress: Report,
    connections: Connections | None = None,
) -> TestReport:
    """Watch what is live for the environment's bake time, then run its tests against it.

    The tests are those of the commit `sha`, or without one of the commit that went live last. If they pass, each service whose release did not change meanwhile is marked verified. The tests
    find services by `<SERVICE>_URL` (a dash becomes `_`) and see ENVIRONMENT and SHA.
    """
    started = time.monotonic()
    table = catalog.environments[environment]
    if table.tests is None and not table.bake_seconds:
        return _not_run("no tests are configured")
    targets = {
        name: target_of(catalog, name, environment, clock, connections) for name in table.services
    }
    live = {name: now for name, target in targets.items() if (now := target.current())}
    if not live:
        return _not_run(f"nothing is live on {environment}")
    services = bake.watched(catalog, environment, live)
    if problem := _not_well(table, services, guard):
        return _not_run(problem)
    if table.tests is None:
        names = [one.service for one in services]
        summary = f"well for {table.bake_seconds:g} s: {', '.join(names)}"
        verified = {name: live[name].sha for name in names if targets[name].verify(live[name].sha)}
        seconds = round(time.monotonic() - started, 3)
        return TestReport(
            passed=True,
            seconds=seconds,
            exit_code=None,
            summary=summary,
            tail=(),
            verified=verified,
        )
    sha = sha or max(live.values(), key=lambda one: one.since).sha
    urls = {_variable(name): place.url for name, place in table.services.items() if place.url}
    where = catalog.repositories[catalog.tests_repository(environment)]
    with tempfile.TemporaryDirectory(prefix="deploy-tests-") as folder:
        try:
            Repository(where.path, where.url).export(sha, Path(folder), table.tests_path, guard)
            failpoints.at("tests.before")
            ran = process.run(
                placeholders.fill(table.tests, {"sha": sha, "environment": environment}),
                directory=Path(folder),
                variables={**table.tests_variables, **urls, "ENVIRONMENT": environment, "SHA": sha},
                seconds=table.tests_timeout_seconds,
                guard=guard,
                log=lambda line: progress(LogLine("tests", line)),
            )
        except (RepositoryError, FileNotFoundError, PermissionError) as error:
            return _not_run(f"they could not be started: {error}")
    failpoints.at("tests.after")
    passed = ran.exit_code == 0
    verified = {n: one.sha for n, one in live.items() if passed and targets[n].verify(one.sha)}
    return TestReport(
        passed=passed,
        seconds=round(time.monotonic() - started, 3),
        exit_code=ran.exit_code,
        summary=_summary(ran, table.tests_timeout_seconds),
        tail=ran.tail,
        verified=verified,
    )


def _not_well(
    table: EnvironmentTable, services: tuple[bake.Watched, ...], guard: Guard
) -> str | None:
    """Watch the services for the bake time; return what was wrong, None if nothing was."""
    if not table.bake_seconds:
        return None
    if table.tests is None and not services:
        return "nothing that is live there has a health page to watch"
    return bake.watch(services, table.bake_seconds, guard)


def _not_run(reason: str) -> TestReport:
    return TestReport(passed=False, seconds=0, exit_code=None, summary=reason, tail=())


def _variable(service: str) -> str:
    return f"{service.upper().replace('-', '_')}_URL"


def _summary(ran: process.Ran, seconds: float) -> str:
    if ran.exit_code is None:
        return f"they took longer than {seconds:g} s and were ended"
    if ran.exit_code == 0:
        return "all passed"
    said = [line.strip() for line in ran.tail if line.strip()]
    told = [line for line in said if "Error:" in line] or said or [f"exit code {ran.exit_code}"]
    return told[-1]
