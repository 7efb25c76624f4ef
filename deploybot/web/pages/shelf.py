"""Threads that were read just now: a page that loads itself again reads only what came since."""

import threading
from collections import OrderedDict
from typing import Protocol

from deploybot.thread import Thread

EVENTS = 30_000
"""Events that are kept in memory, of all threads together: some 60 MB."""


class Readable(Protocol):
    """A store, as far as it is read here."""

    def refresh(self, thread: Thread) -> Thread:
        """Return the thread with what was stored since, verified."""


class Shelf:
    """The threads that were looked at last, each as it was verified then."""

    def __init__(self, store: Readable, events: int = EVENTS) -> None:
        self._store = store
        self._events = events
        self._kept: OrderedDict[str, Thread] = OrderedDict()
        self._lock = threading.Lock()

    def load(self, thread_id: str) -> Thread:
        """Return the thread as it stands now; raises TamperedError when it does not verify."""
        with self._lock:
            known = self._kept.get(thread_id, Thread(thread_id))
        thread = self._store.refresh(known)
        with self._lock:
            self._keep(thread)
        return thread

    def _keep(self, thread: Thread) -> None:
        self._kept[thread.id] = thread
        self._kept.move_to_end(thread.id)
        total = sum(len(kept.events) for kept in self._kept.values())
        while total > self._events or len(self._kept) > self._events // 10:
            _, dropped = self._kept.popitem(last=False)
            total -= len(dropped.events)
