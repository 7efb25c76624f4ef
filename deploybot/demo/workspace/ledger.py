"""What the workspace received from the bot and delivered to it, in order, for tests to read."""

import threading
from collections import deque
from collections.abc import Callable

from deploybot.demo.workspace.settings import Json

_MOST = 50_000


class Ledger:
    """An append-only list of entries, each with its number and time (seconds since the epoch)."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._entries: deque[Json] = deque(maxlen=_MOST)
        self._count = 0

    def note(self, direction: str, **what: object) -> None:
        """Add an entry; `direction` is from_bot or to_bot."""
        with self._lock:
            self._count += 1
            entry = {"n": self._count, "at": self._now(), "direction": direction, **what}
            self._entries.append(entry)

    def entries(self, after: int = 0, **wanted: str | None) -> list[Json]:
        """Return the entries after a number whose fields equal the wanted ones."""
        with self._lock:
            entries = list(self._entries)
        wanted = {key: value for key, value in wanted.items() if value is not None}
        return [
            entry
            for entry in entries
            if entry["n"] > after and all(entry.get(key) == wanted[key] for key in wanted)
        ]
