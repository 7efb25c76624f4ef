"""What a worker does besides its work: renews its lease, says that it is there, and how far it is."""

from contextlib import suppress
from datetime import datetime, timedelta

from deploy.target import LogLine, Progress, StepDone
from deploybot.errors import StoreUnavailableError
from deploybot.ports import Clockwork, Operation, Store
from deploybot.thread import Thread

AGAIN = timedelta(seconds=1)
"""How often a worker says that it is at it."""


class Heartbeat:
    """The guard of a running operation: renews its lease, and stops the run when it is lost."""

    def __init__(
        self, store: Store, operation: Operation, clock: Clockwork, lease: timedelta
    ) -> None:
        self._store = store
        self._operation = operation
        self._clock = clock
        self._lease = lease
        self._renewed: datetime = clock.now()

    def __call__(self) -> None:
        """Renew the lease when a quarter of it is over; raise LeaseLostError when it is gone.

        A store that is away ends no run: whoever might take the place would have to reach it, too,
        and the target itself lets nobody act who was given up.
        """
        now = self._clock.now()
        if now - self._renewed < self._lease / 4:
            return
        with suppress(StoreUnavailableError):
            self._store.heartbeat(self._operation)
            self._renewed = now


class Attendance:
    """The guard of running tests: keeps other workers from running them, too."""

    def __init__(self, store: Store, thread: Thread, clock: Clockwork) -> None:
        self._store = store
        self._thread = thread
        self._clock = clock
        self._worker = clock.new_id()
        self._said: datetime = clock.now()

    def begins(self) -> bool:
        """Tell whether no other worker is at it."""
        return self._store.attend(self._thread, self._worker)

    def __call__(self) -> None:
        """Say once a second that this worker is at it; a store that is away ends no tests."""
        now = self._clock.now()
        if now - self._said >= AGAIN:
            with suppress(StoreUnavailableError):
                self._store.attend(self._thread, self._worker)
            self._said = now


def entry_of(progress: Progress) -> dict[str, object]:
    """Return one piece of progress as the JSON that the side stream keeps."""
    match progress:
        case StepDone(name=name, ok=ok, seconds=seconds):
            return {"kind": "step", "name": name, "ok": ok, "seconds": round(seconds, 2)}
        case LogLine(step=step, text=text):
            return {"kind": "log", "step": step, "text": text}
        case started:
            return {"kind": "started", "name": started.name}
