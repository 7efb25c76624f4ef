"""Fresh identifiers in Slack's shapes: message timestamps, event, view, trigger and block ids."""

import itertools
import secrets
import string
import threading
from collections.abc import Callable

_ALPHABET = string.ascii_uppercase + string.digits
_MICRO = 1_000_000


class Identifiers:
    """Mints identifiers; no two are the same, and timestamps only grow.

    `now` returns seconds since the epoch.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._last = 0
        self._count = itertools.count(1)
        self._lock = threading.Lock()

    def ts(self) -> str:
        """Return a message timestamp, `seconds.micros`, later than every one before it."""
        with self._lock:
            self._last = max(int(self._now() * _MICRO), self._last + 1)
            return f"{self._last // _MICRO}.{self._last % _MICRO:06d}"

    def short(self, prefix: str = "", length: int = 10) -> str:
        """Return an id like `Ev4K7Q…`: the prefix, then capitals and digits."""
        return prefix + "".join(secrets.choice(_ALPHABET) for _ in range(length))

    def trigger(self) -> str:
        """Return a trigger id, in Slack's three dotted parts."""
        return f"{int(self._now() * 1000)}.{next(self._count)}.{secrets.token_hex(16)}"

    def secret(self) -> str:
        """Return an unguessable path segment."""
        return secrets.token_urlsafe(18)
