"""The target of what runs elsewhere: launched at most once here; `following` sees it to its end.

The journal is written before anything is asked of the place. So whatever dies, and whenever, what
was asked for can be found again by its approval, and nothing is ever asked for twice.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Generic, TypeVar

from deploy import failpoints, history
from deploy.errors import (
    BusyError,
    CancelledError,
    DeniedError,
    NoAnswerError,
    PlaceError,
    StepFailedError,
)
from deploy.plan import Action, PlannedStep
from deploy.process import pause
from deploy.records import IntentRecord, LaunchedRecord, Record
from deploy.remote_tables import RemoteTable
from deploy.target import Guard, Live, Order, Probe, Report, Site, StepDone, StepStarted
from deploy.targets.elsewhere import Elsewhere
from deploy.targets.following import Following
from deploy.targets.journaled import Journaled

PATIENCE_SECONDS = 60.0
"""How long a launch waits in all for a place that asks to wait."""

PlaceT = TypeVar("PlaceT", bound=Elsewhere)


class Remote(Journaled, Generic[PlaceT]):
    """One service of one environment at a place that runs what it is asked to.

    What the place says is live may raise PlaceError; nothing is guessed in its stead.
    """

    remote = True

    def __init__(self, site: Site, table: RemoteTable, there: PlaceT) -> None:
        super().__init__(site)
        self.there = there
        self.following = Following(self.journal, there, table, site.clock)

    def current(self) -> Live | None:
        """Return what is live, by the place's word, with what the journal knows of it."""
        live = self.there.current(self.records())
        if live is None:
            return None
        verified = history.is_verified(self.records(), live.sha)
        return live.model_copy(update={"verified": verified})

    def live_sha(self) -> str | None:
        """Return the commit that is live, by the place's word."""
        live = self.there.current(self.records())
        return live.sha if live else None

    def planned_steps(self, action: Action, sha: str) -> tuple[PlannedStep, ...]:
        """Return the steps, from what is prepared here to what the place does by itself."""
        return self.there.planned_steps(action, sha)

    def begin(self, order: Order) -> None:
        """Record that the order begins; refuse one that the journal or the place has seen.

        Raises SeenApprovalError, OldFenceError, RefusedError (`plan_changed`) or PlaceError.
        """
        self.prepare()
        self.journal.check(order.approval_id, order.fence)
        self.there.witness(order)
        super().begin(order)

    def steps(self, order: Order, guard: Guard, report: Report) -> Iterator[StepDone]:
        """Take the steps up to the launch; those behind it run elsewhere.

        A launch that may or may not have been heard is no failure: it is looked for. Once it was
        asked for, a person's stop is passed on to the place.
        """
        facts: dict[str, str] = {}
        for step in order.plan.steps:
            _ask(guard, step.name)
            report(StepStarted(step.name))
            started = time.monotonic()
            launches = step.name == self.there.launches_at
            failed: StepFailedError | None = None
            try:
                if launches:
                    self._launch(order, step.name, facts, guard)
                else:
                    facts |= self._prepare(order, step.name, facts, guard)
            except StepFailedError as error:
                failed = error
            done = StepDone(step.name, failed is None, round(time.monotonic() - started, 3))
            if launches and failed is None:
                self._tell(order, done, report)
                return
            yield done
            if failed is not None:
                raise failed

    def end(self, order: Order, failed: StepFailedError | None) -> None:
        """Record an order that was never launched as failed; what was launched ends elsewhere."""
        if failed is not None:
            super().end(order, failed)

    def probe(self, approval_id: str) -> Probe:
        """Tell what became of an approval, from the journal and the place; changes nothing."""
        return self.following.probe(approval_id)

    def settle(self, order: Order) -> Probe:
        """Follow an order to its end, which is recorded once; shut out one not launched yet."""
        self.close(order)
        return self.following.settle(order.approval_id)

    def cancel(self, order: Order) -> None:
        """Ask the place to stop the order; settling tells later whether it did."""
        self.following.stop(order.approval_id, "a person stopped it")

    def _tell(self, order: Order, done: StepDone, report: Report) -> None:
        try:
            report(done)
        except CancelledError as stopped:
            self.following.stop(order.approval_id, str(stopped))

    def _prepare(
        self, order: Order, step: str, facts: dict[str, str], guard: Guard
    ) -> dict[str, str]:
        """Take a step before the launch, waiting where the place asks for it."""
        waited = 0.0
        while True:
            try:
                return self.there.prepare(step, order, facts)
            except BusyError as error:
                waited = _wait(error, waited, step, guard)
            except PlaceError as error:
                raise StepFailedError(step, f"{error} Nothing was launched.") from error

    def _launch(self, order: Order, step: str, facts: dict[str, str], guard: Guard) -> None:
        """Write down that the work is asked for, then ask, holding the journal all the while.

        So no newer order can begin between the two, however long this process is held up.
        """
        facts = facts | self._before(order, step)
        intent = IntentRecord(
            at=self.clock(),
            approval_id=order.approval_id,
            previous=order.plan.previous_sha,
            facts=facts,
        )
        told: dict[str, str] | None = None
        waited, is_written = 0.0, False
        while told is None:
            _ask(guard, step)
            try:
                with self.journal.owned(order.fence) as write:
                    if not is_written:
                        write(intent)
                        is_written = True
                    told = self._ask_for_it(order, facts, write)
            except BusyError as error:
                waited = _wait(error, waited, step, guard)
            except DeniedError as error:
                raise StepFailedError(step, f"{error} Nothing was launched.") from error
        with suppress(PlaceError):  # it is for people to see; the work itself is what counts
            self.there.announce({**facts, **told})

    def _ask_for_it(
        self, order: Order, facts: dict[str, str], write: Callable[[Record], None]
    ) -> dict[str, str]:
        try:
            failpoints.at("elsewhere.launch.before")
            told = self.there.launch(order, facts)
            failpoints.at("elsewhere.launch.after", lost=lambda: NoAnswerError("No answer came."))
        except NoAnswerError:
            return {}  # it may have been heard: it is looked for from now on
        write(LaunchedRecord(at=self.clock(), approval_id=order.approval_id, facts=told))
        return told

    def _before(self, order: Order, step: str) -> dict[str, str]:
        try:
            return self.there.before(order)
        except PlaceError as error:
            raise StepFailedError(step, f"{error} Nothing was launched.") from error


def _ask(guard: Guard, step: str) -> None:
    """Ask the guard; a person's stop before the launch is a failed step, with nothing launched."""
    try:
        guard()
    except CancelledError as error:
        raise StepFailedError(step, str(error)) from error


def _wait(error: BusyError, waited: float, step: str, guard: Guard) -> float:
    """Wait as long as the place asks, under the guard; StepFailedError when that is too long."""
    if waited + error.retry_after > PATIENCE_SECONDS:
        raise StepFailedError(step, f"{error} Nothing was launched; try again later.") from error
    deadline = time.monotonic() + error.retry_after
    while (left := deadline - time.monotonic()) > 0:
        _ask(guard, step)
        pause(min(0.2, left))
    return waited + error.retry_after
