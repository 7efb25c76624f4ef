"""Commands of your own that deploy, roll back, and tell what is live; running one is `process`."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy import orphans, placeholders, process
from deploy.errors import CancelledError, StepFailedError, TargetError
from deploy.plan import SHORT, Action, PlannedStep
from deploy.records import BeganRecord, EndedRecord, SpawnedRecord, SwitchedRecord
from deploy.refs import is_full_sha
from deploy.target import (
    Began,
    Ended,
    Guard,
    LogLine,
    Order,
    Probe,
    Report,
    Site,
    StepDone,
    StepStarted,
)
from deploy.target_tables import CommandTable
from deploy.targets.journaled import Journaled

CONFIRM = "confirm"


class Command(Journaled):
    """A service whose deploys are one command; what it does is its own affair.

    It sees the variables of its table and of the live service, and SHA, SERVICE, ENVIRONMENT and
    OPERATION. It is started at most once per approval; after a crash only `probe` is asked.
    """

    table: CommandTable

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        table = site.catalog.services[site.service].target
        if not isinstance(table, CommandTable):
            raise TypeError(f"{site.service} is no target of kind command")
        self.table = table

    def live_sha(self) -> str | None:
        """Return what `current` prints, or without it what the journal says.

        Raises TargetError when the command fails, or prints no full commit name.
        """
        argv = self.table.current
        if argv is None:
            return super().live_sha()
        ran = self._ask(placeholders.fill(argv, self._values()), {})
        last = ran.tail[-1].split() if ran.tail else []
        if ran.exit_code == 0 and (not last or is_full_sha(last[0])):
            return last[0] if last else None
        limit = ("ask_timeout_seconds", self.table.ask_timeout_seconds)
        said = process.how(ran, limit, self.table.silence_seconds)
        if ran.exit_code == 0:
            said = f"printed {last[0][:60]!r}, which is no full commit name"
        raise TargetError(
            f"What is live of {self.service} on {self.environment} cannot be told: {argv[0]} "
            f"{said}. Nothing was deployed; mend the command `current`."
        )

    def planned_steps(self, action: Action, sha: str) -> tuple[PlannedStep, ...]:
        """Return the command, and whether what is live is asked for afterwards.

        {operation} stays as it is: the approval has no name yet.
        """
        previous = self.live_sha()
        argv = placeholders.fill(self._command(action), self._values(sha, previous or ""))
        verb = "Deploy" if action == "deploy" else "Roll back to"
        steps = [PlannedStep(name=action, argv=argv, says=f"{verb} {sha[:SHORT]} by command")]
        if self.table.current is not None:
            asks = placeholders.fill(self.table.current, self._values())
            says = f"Ask until {sha[:SHORT]} is what is live"
            steps.append(PlannedStep(name=CONFIRM, argv=asks, says=says))
        return tuple(steps)

    def steps(self, order: Order, guard: Guard, report: Report) -> Iterator[StepDone]:
        """Run the command once, and ask what is live; each yielded as it ends."""
        deadline = time.monotonic() + self.table.timeout_seconds
        for step in order.plan.steps:
            started = time.monotonic()
            failed: StepFailedError | None = None
            try:
                guard()
                report(StepStarted(step.name))
                if step.name == CONFIRM:
                    self._confirm(order, guard, deadline)
                else:
                    self._run(order, guard, report, deadline)
            except CancelledError as stopped:
                failed = StepFailedError(step.name, str(stopped))
            except StepFailedError as error:
                failed = error
            done = StepDone(step.name, failed is None, round(time.monotonic() - started, 3))
            self.note(order, done)
            yield done
            if failed is not None:
                raise failed

    def end(self, order: Order, failed: StepFailedError | None) -> None:
        """Record what went live, if anything did, and how the order ended."""
        if failed is None or self._went_live(order):
            with self.journal.owned(order.fence) as write:
                write(self._switch(order))
        super().end(order, failed)

    def probe(self, approval_id: str) -> Probe:
        """Tell what became of an approval, by the journal, or else by the command `probe`."""
        records = self.journal.of(approval_id)
        began = next((r for r in records if isinstance(r, BeganRecord)), None)
        ended = any(isinstance(r, EndedRecord) for r in records)
        if began is None or ended or self.table.probe is None:
            return super().probe(approval_id)
        values = self._values(began.sha) | {"operation": approval_id}
        own = {"SHA": began.sha, "OPERATION": approval_id}
        ran = self._ask(placeholders.fill(self.table.probe, values), own)
        if ran.exit_code not in (0, 1):
            return super().probe(approval_id)
        return Ended(
            outcome="succeeded" if ran.exit_code == 0 else "failed",
            sha=began.sha,
            live_sha=began.sha if ran.exit_code == 0 else self.live_sha(),
            step=None if ran.exit_code == 0 else began.action,
            error=None if ran.exit_code == 0 else "The worker died, and the probe says it failed.",
            tail=ran.tail,
        )

    def settle(self, order: Order) -> Probe:
        """Shut the worker out, end what it left running, and probe; an end that the probe tells is recorded, once."""
        self.close(order)
        if isinstance(super().probe(order.approval_id), Began):
            self._end_orphans(order.approval_id)
        probe = self.probe(order.approval_id)
        if not isinstance(probe, Ended):
            return probe
        end = EndedRecord(
            at=self.clock(),
            approval_id=order.approval_id,
            outcome=probe.outcome,
            step=probe.step,
            error=probe.error,
            tail=probe.tail,
        )
        before = () if probe.outcome == "failed" else (self._switch(order),)
        self.journal.finish(end, *before)
        return super().probe(order.approval_id)

    def _run(self, order: Order, guard: Guard, report: Report, deadline: float) -> None:
        name, plan = order.plan.action, order.plan
        values = self._values(plan.sha, plan.previous_sha or "") | {"operation": order.approval_id}
        argv = placeholders.fill(self._command(plan.action), values)
        try:
            ran = process.run(
                argv,
                directory=self.table.directory,
                variables=self._variables({"SHA": plan.sha, "OPERATION": order.approval_id}),
                seconds=deadline - time.monotonic(),
                guard=guard,
                log=lambda line: report(LogLine(name, line)),
                manner=process.Manner(
                    silence_seconds=self.table.silence_seconds,
                    grace_seconds=process.GRACE_SECONDS,
                    starting=lambda: self._starting(order),
                ),
            )
        except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
            if error.filename not in (argv[0], str(self.table.directory)):
                raise  # it is not about the command
            text = f"{argv[0]} cannot be run in {self.table.directory}: {error.strerror}."
            raise StepFailedError(name, text) from error
        if ran.exit_code != 0:
            limit = ("timeout_seconds", self.table.timeout_seconds)
            said = process.how(ran, limit, self.table.silence_seconds)
            text = f"{Path(argv[0]).name} {said}."
            raise StepFailedError(name, text, exit_code=ran.exit_code, tail=ran.tail)

    @contextmanager
    def _starting(self, order: Order) -> Iterator[Callable[[int], None]]:
        """Start the command while nobody else may begin, and write down how to find it again."""
        with self.journal.owned(order.fence) as write:
            yield lambda session: write(
                SpawnedRecord(
                    at=self.clock(),
                    approval_id=order.approval_id,
                    session=session,
                    boot=orphans.boot(),
                )
            )

    def _end_orphans(self, approval_id: str) -> None:
        """End what the command of a dead worker left running on this machine."""
        for record in self.journal.of(approval_id):
            if isinstance(record, SpawnedRecord) and record.boot == orphans.boot():
                orphans.end(record.session, f"OPERATION={approval_id}")

    def _confirm(self, order: Order, guard: Guard, deadline: float) -> None:
        until = min(deadline, time.monotonic() + self.table.ask_timeout_seconds)
        while True:
            guard()
            try:
                live, problem = self.live_sha(), None
            except TargetError as error:
                live, problem = None, str(error)
            if live == order.plan.sha:
                return
            if time.monotonic() >= until:
                said = f"{live[:SHORT] if live else 'nothing'} is live"
                text = f"The command ended well, and yet {problem or said}."
                raise StepFailedError(CONFIRM, text)
            process.pause(process.GUARD_SECONDS)

    def _went_live(self, order: Order) -> bool:
        """Tell whether a failed order made its commit live all the same, as far as can be told."""
        if self.table.current is None:
            return False
        try:
            return self.live_sha() == order.plan.sha
        except TargetError:
            return False

    def _switch(self, order: Order) -> SwitchedRecord:
        plan = order.plan
        back = plan.action == "roll_back"
        return self.switched(order, plan.sha, plan.previous_sha, back=back)

    def _command(self, action: Action) -> tuple[str, ...]:
        if action == "roll_back" and self.table.roll_back is not None:
            return self.table.roll_back
        return self.table.deploy

    def _ask(self, argv: tuple[str, ...], own: dict[str, str]) -> process.Ran:
        try:
            return process.run(
                argv,
                directory=self.table.directory,
                variables=self._variables(own),
                seconds=self.table.ask_timeout_seconds,
                guard=lambda: None,
                log=lambda _: None,
            )
        except OSError as error:
            raise TargetError(
                f"{argv[0]} cannot be run in {self.table.directory}: {error.strerror}. Nothing "
                "was deployed; mend the command or its rights."
            ) from error

    def _values(self, sha: str | None = None, previous: str | None = None) -> dict[str, str]:
        values = {
            "service": self.service,
            "environment": self.environment,
            "url": self.place.url or "",
        }
        values |= {} if sha is None else {"sha": sha}
        return values if previous is None else values | {"previous_sha": previous}

    def _variables(self, own: dict[str, str]) -> dict[str, str]:
        named = {"SERVICE": self.service, "ENVIRONMENT": self.environment}
        return {**self.table.variables, **self.place.variables, **named, **own}
