"""Numbers that outlive one process: how a model has fared, and what has been spent.

A worker forks for every job, so what is counted in one job must be seen by the next. What is counted,
and what follows from it, is written in `breaker` and `spending`.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, cast

import redis

from deploybot.queue import PREFIX, answering


class Tally(Protocol):
    """Counters that everyone who asks models sees, each gone some time after it was begun."""

    def get(self, *keys: str) -> tuple[int, ...]:
        """Return the counts, 0 for those that are not there."""

    def add(self, key: str, amount: int, seconds: float) -> int:
        """Count, and return the sum; a counter ends `seconds` after its first count."""

    def forget(self, *keys: str) -> None:
        """End these counters now."""


@dataclass
class MemoryTally:
    """Counters of one process; `clock` counts seconds from any start."""

    clock: Callable[[], float] = time.monotonic
    _counts: dict[str, tuple[int, float]] = field(default_factory=dict, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def get(self, *keys: str) -> tuple[int, ...]:
        """Return the counts, 0 for those that are not there."""
        with self._lock:
            return tuple(self._count(key)[0] for key in keys)

    def add(self, key: str, amount: int, seconds: float) -> int:
        """Count, and return the sum."""
        with self._lock:
            before, ends = self._count(key)
            self._counts[key] = (before + amount, ends or self.clock() + seconds)
            return before + amount

    def forget(self, *keys: str) -> None:
        """End these counters now."""
        with self._lock:
            for key in keys:
                self._counts.pop(key, None)

    def _count(self, key: str) -> tuple[int, float]:
        count, ends = self._counts.get(key, (0, 0.0))
        if ends and ends <= self.clock():
            del self._counts[key]
            return 0, 0.0
        return count, ends


class RedisTally:
    """Counters in Redis, so that all workers of all machines count together."""

    def __init__(self, connection: redis.Redis) -> None:
        self._redis = connection

    def get(self, *keys: str) -> tuple[int, ...]:
        """Return the counts; raises StoreUnavailableError."""
        if not keys:
            return ()
        with answering():
            found = cast(list[bytes | None], self._redis.mget([key_of(key) for key in keys]))
        return tuple(int(count or 0) for count in found)

    def add(self, key: str, amount: int, seconds: float) -> int:
        """Count in one transaction, and return the sum; raises StoreUnavailableError."""
        with answering(), self._redis.pipeline(transaction=True) as together:
            together.set(key_of(key), 0, px=max(round(seconds * 1000), 1), nx=True)
            together.incrby(key_of(key), amount)
            return int(together.execute()[1])

    def forget(self, *keys: str) -> None:
        """End these counters now; raises StoreUnavailableError."""
        if keys:
            with answering():
                self._redis.delete(*(key_of(key) for key in keys))


def key_of(key: str) -> str:
    """Name a counter in Redis."""
    return f"{PREFIX}tally:{key}"
