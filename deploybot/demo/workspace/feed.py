"""Changes for the open pages: each goes to every listener whose person may see it."""

import asyncio
import threading
from collections import deque
from dataclasses import dataclass

from deploybot.demo.workspace.settings import Json

_KEPT = 2_000


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that became different; `only_for` limits who is told (None: everybody)."""

    seq: int
    kind: str
    body: Json
    only_for: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Listener:
    """An open page: the loop it lives on, and where its changes wait. None in the queue: the end."""

    loop: asyncio.AbstractEventLoop
    queue: "asyncio.Queue[Change | None]"
    user: str


class Feed:
    """Numbers changes, keeps the last ones for pages that come back, and wakes listeners."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: deque[Change] = deque(maxlen=_KEPT)
        self._listeners: set[Listener] = set()
        self._closed = False
        self.seq = 0

    def tell(self, kind: str, body: Json, only_for: frozenset[str] | None = None) -> None:
        """Pass a change on; safe from any thread."""
        with self._lock:
            self.seq += 1
            change = Change(self.seq, kind, body, only_for)
            self._kept.append(change)
            for listener in self._listeners:
                if only_for is None or listener.user in only_for:
                    listener.loop.call_soon_threadsafe(listener.queue.put_nowait, change)

    def listen(self, user: str, after: int) -> Listener:
        """Return a listener that gets every change after a number; call on the loop it lives on."""
        listener = Listener(asyncio.get_running_loop(), asyncio.Queue(), user)
        with self._lock:
            missed = [change for change in self._kept if change.seq > after]
            if after > self.seq or (missed and missed[0].seq != after + 1):
                missed = [Change(self.seq, "reset", {})]
            for change in missed:
                if change.only_for is None or user in change.only_for:
                    listener.queue.put_nowait(change)
            if self._closed:
                listener.queue.put_nowait(None)
            self._listeners.add(listener)
        return listener

    def leave(self, listener: Listener) -> None:
        """Forget a page that went away."""
        with self._lock:
            self._listeners.discard(listener)

    def close(self) -> None:
        """End every open page's stream."""
        with self._lock:
            self._closed = True
            for listener in self._listeners:
                listener.loop.call_soon_threadsafe(listener.queue.put_nowait, None)
