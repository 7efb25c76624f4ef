"""Locks: takes people's words on what they keep as it is, once, and stores what comes of them.

No I/O of its own. Who may what is `hold_rules`'; words in a thread are `hold_words`' and `agent`'s,
who end up with the same rules.
"""

from contextlib import suppress
from datetime import datetime, timedelta

from deploy.catalog import LOCK_REMINDER_HOURS, Catalog
from deploy.locks import Hold
from deploybot.directory import ConfiguredDirectory, approvers_now
from deploybot.errors import ConflictError, DuplicateError, HoldChangedError, IllegalEventError
from deploybot.events import HoldForgotten
from deploybot.hold_phrases import HoldRefusal
from deploybot.hold_rules import HoldStep, Scene, decide
from deploybot.inbox import TRIES, Receipt
from deploybot.next_step import PlaceHold, ReleaseHold
from deploybot.ports import Clockwork, Directory, People, Store
from deploybot.thread import Status, thread_id_for

HEARD_ALREADY = "Heard already."


def lock_thread(service: str | None, environment: str) -> str:
    """Return the thread that keeps what is said about a place's lock outside of any thread."""
    return thread_id_for("lock", environment, service or "")


class Holding:
    """Locks services and whole environments (`service` None), for people who say who they are.

    Each change is one event, stored in one step with the lock itself, once per `delivery`. It goes
    to the thread it was said `about`, unless that is busy, and else to the place's own.
    """

    def __init__(
        self,
        store: Store,
        catalog: Catalog,
        people: People,
        clock: Clockwork,
        *,
        directory: Directory | None = None,
    ) -> None:
        self._directory = directory or ConfiguredDirectory(catalog.groups)
        self._store = store
        self._catalog = catalog
        self._people = people
        self._clock = clock

    def of(self, service: str | None, environment: str) -> Hold | None:
        """Return the lock of exactly this place, if it has one; what a roll back holds before it."""
        wanted = (service, environment)
        here = [h for h in self._store.holds() if (h.service, h.environment) == wanted]
        return next((hold for hold in here if hold.made_by == "rollback"), next(iter(here), None))

    def lock(  # noqa: PLR0913 - what can be said of a lock
        self,
        service: str | None,
        environment: str,
        *,
        by: str,
        delivery: str,
        reason: str = "",
        seconds: int | None = None,
        until: datetime | None = None,
        warn_only: bool = False,
        about: str = "",
    ) -> Receipt:
        """Lock a place, or say one's own lock anew; `seconds` or `until` end it, neither lets it last."""
        step = PlaceHold(
            service=service,
            environment=environment,
            by=by,
            reason=reason,
            seconds=seconds,
            until=until,
            warn_only=warn_only,
        )
        return self._take(step, delivery, about)

    def unlock(
        self, service: str | None, environment: str, *, by: str, delivery: str, about: str = ""
    ) -> Receipt:
        """Free a place; one that is free already is (`not_locked`, accepted)."""
        return self._take(
            ReleaseHold(service=service, environment=environment, by=by), delivery, about
        )

    def extend(
        self,
        service: str | None,
        environment: str,
        *,
        by: str,
        delivery: str,
        seconds: int | None = None,
        until: datetime | None = None,
        about: str = "",
    ) -> Receipt:
        """Let a lock last longer: by so many seconds, or until then."""
        step = PlaceHold(
            service=service,
            environment=environment,
            by=by,
            how="extended",
            seconds=seconds,
            until=until,
        )
        return self._take(step, delivery, about)

    def hand_over(
        self,
        service: str | None,
        environment: str,
        *,
        to: str,
        by: str,
        delivery: str,
        about: str = "",
    ) -> Receipt:
        """Make a lock somebody else's; they are told."""
        step = PlaceHold(service=service, environment=environment, by=by, how="handed_over", to=to)
        return self._take(step, delivery, about)

    def take_over(
        self,
        service: str | None,
        environment: str,
        *,
        by: str,
        delivery: str,
        reason: str = "",
        about: str = "",
    ) -> Receipt:
        """Make a lock one's own; whoever had it is told."""
        step = PlaceHold(
            service=service, environment=environment, by=by, how="taken_over", reason=reason
        )
        return self._take(step, delivery, about)

    def remind(self) -> int:
        """Ask the owners of locks that have stood for long whether they are still wanted.

        To be called now and then. Each time is one event, stored with the lock; returns how many.
        """
        now = self._clock.now()
        return sum(
            self._reminded(hold, now) for hold in self._store.holds() if self._due(hold, now)
        )

    def _due(self, hold: Hold, now: datetime) -> bool:
        table = self._catalog.environments.get(hold.environment)
        hours = table.lock_reminder_hours if table else LOCK_REMINDER_HOURS
        if hold.made_by != "person":
            return False
        waited = (hold.reminded or hold.at) - hold.at
        return now >= hold.at + 2 * waited + timedelta(hours=hours)

    def _reminded(self, hold: Hold, now: datetime) -> bool:
        """Tell on the thread of the lock, or on the place's own if that is busy with something else."""
        own = lock_thread(hold.service, hold.environment)
        later = hold.model_copy(update={"reminded": now})
        for thread_id in dict.fromkeys(filter(None, (hold.thread, own))):
            thread = self._store.load(thread_id)
            event = HoldForgotten(at=now, by="clock", hold=hold)
            try:
                self._store.append(thread, event, hold=later, free=hold)
            except IllegalEventError:
                continue
            except (ConflictError, HoldChangedError):
                return False  # looked at again the next time
            return True
        return False

    def _take(self, step: HoldStep, delivery: str, about: str) -> Receipt:
        """Store what the word comes to, judged by what is locked when it is stored."""
        own = lock_thread(step.service, step.environment)
        if about and self._store.load(about).status is Status.DONE:
            with suppress(IllegalEventError):  # somebody wrote there at this moment
                return self._stored(step, delivery, about, about)
        return self._stored(step, delivery, own, about or own)

    def _stored(self, step: HoldStep, delivery: str, thread_id: str, said_in: str) -> Receipt:
        for _ in range(TRIES):
            thread = self._store.load(thread_id)
            if any(getattr(event, "delivery", None) == delivery for event in thread.events):
                return Receipt(accepted=True, text=HEARD_ALREADY, reason_code="duplicate")
            approvers = approvers_now(self._directory, self._catalog, step.environment)
            now = self._clock.now()
            scene = Scene(self._store.holds(), self._catalog, self._people, now, approvers)
            decided = decide(step, scene, delivery=delivery, thread=said_in)
            if isinstance(decided, HoldRefusal):
                free_already = isinstance(step, ReleaseHold) and decided.reason_code == "not_locked"
                return Receipt(free_already, decided.text, decided.reason_code)
            try:
                self._store.append(
                    thread, decided.event, dedupe=(delivery,), hold=decided.hold, free=decided.free
                )
            except DuplicateError:
                return Receipt(accepted=True, text=HEARD_ALREADY, reason_code="duplicate")
            except (ConflictError, HoldChangedError):
                continue
            return Receipt(accepted=True, text=decided.text)
        raise ConflictError(thread_id, 0, 0)
