"""The time as the store tells it, so that nothing expires, starts or counts by a clock that is wrong.

Between two looks it goes by the monotonic clock, which nobody can set. As long as the store has
never answered, the clock of this machine must do.
"""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import redis

AGAIN_SECONDS = 10.0
TRY_AGAIN_SECONDS = 1.0
LONGEST_ANSWER = 1.0
"""An answer that took longer tells the time too badly."""
SKEW_SECONDS = 30.0
"""From here on people are told that a clock is wrong."""


class StoreTime:
    """Call it for the time; `local` is this machine's clock, `monotonic` counts seconds from any start."""

    def __init__(
        self,
        connection: redis.Redis,
        local: Callable[[], datetime],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._redis = connection
        self._local = local
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._known: tuple[datetime, float] | None = None
        self._look_at = monotonic()

    def __call__(self) -> datetime:
        """Return the time."""
        moment = self._monotonic()
        with self._lock:
            if moment >= self._look_at:
                self._look(moment)
            if self._known is None:
                return self._local()
            at, then = self._known
        return at + timedelta(seconds=self._monotonic() - then)

    def skew(self) -> float:
        """Return by how many seconds this machine's clock is ahead of the store's; 0.0 if unknown."""
        here = self()
        return (self._local() - here).total_seconds() if self._known else 0.0

    def _look(self, moment: float) -> None:
        self._look_at = moment + TRY_AGAIN_SECONDS
        try:
            seconds, micros = self._redis.time()
        except redis.RedisError:
            return
        after = self._monotonic()
        if after - moment <= LONGEST_ANSWER or self._known is None:
            told = datetime.fromtimestamp(seconds, UTC) + timedelta(microseconds=micros)
            self._known = told, (moment + after) / 2
            self._look_at = after + AGAIN_SECONDS


def skewed(seconds: float, host: str) -> str:
    """Say that a machine's clock is wrong; "" if it is right enough."""
    if abs(seconds) <= SKEW_SECONDS:
        return ""
    way = "ahead of" if seconds > 0 else "behind"
    return (
        f"The clock of {host} is {abs(seconds):.0f} s {way} the store's. Nothing here goes by it, "
        "but logs do, and others may: set it right (chronyc tracking, or timedatectl)."
    )
