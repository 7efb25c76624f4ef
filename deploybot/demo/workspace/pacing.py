"""Slack's rate limits: one message a second per channel with a small burst, and tiers per minute."""

import math
import threading
from collections.abc import Callable

PER_MINUTE = {1: 1, 2: 20, 3: 50, 4: 100}
_POSTS = {"chat.postMessage"}
_MINUTE = 60.0


class Pacing:
    """Token buckets by method and channel; times in seconds."""

    def __init__(self, now: Callable[[], float], burst: int, *, on: bool) -> None:
        self.on = on
        self.burst = burst
        self._now = now
        self._lock = threading.Lock()
        self._buckets: dict[tuple[str, str], tuple[float, float]] = {}

    def wait(self, method: str, tier: int, channel: str) -> int | None:
        """Return None when the call may go, else the whole seconds for Retry-After."""
        if not self.on:
            return None
        if method in _POSTS:
            return self._take((method, channel), float(self.burst), 1.0)
        size = float(PER_MINUTE[tier])
        return self._take((method, ""), size, size / _MINUTE)

    def _take(self, key: tuple[str, str], size: float, per_second: float) -> int | None:
        with self._lock:
            now = self._now()
            left, then = self._buckets.get(key, (size, now))
            left = min(size, left + (now - then) * per_second)
            self._buckets[key] = (left - 1 if left >= 1 else left, now)
        return None if left >= 1 else max(1, math.ceil((1 - left) / per_second))
