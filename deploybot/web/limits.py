"""How often a token may call: counted in Redis for all web processes together."""

import time
from typing import Protocol

import redis
from limits import RateLimitItem, parse
from limits.storage import RedisStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from deploybot.queue import PREFIX
from deploybot.web.problem import ProblemError


class Limits(Protocol):
    """Lets a call through, or refuses it."""

    def count(self, token: str, *, writes: bool) -> None:
        """Count one call of this token; raises ProblemError 429 when it is one too many."""


class NoLimits:
    """Lets every call through."""

    def count(self, token: str, *, writes: bool) -> None:
        """Count nothing."""


class RedisLimits:
    """So many reads and so many writes of a token in any stretch of time, such as 600/minute."""

    def __init__(self, connection: redis.Redis, *, reads: str, writes: str) -> None:
        storage = RedisStorage(
            "redis://", connection_pool=connection.connection_pool, key_prefix=f"{PREFIX}limit"
        )
        self._limiter = SlidingWindowCounterRateLimiter(storage)
        self._reads, self._writes = parse(reads), parse(writes)

    def count(self, token: str, *, writes: bool) -> None:
        """Count one call of this token; raises ProblemError 429 when it is one too many."""
        item, what = (self._writes, "writes") if writes else (self._reads, "reads")
        if self._limiter.hit(item, what, token):
            return
        raise ProblemError(
            429,
            f"This token has called more often than {item} allows, so nothing was done. "
            "Wait as long as Retry-After says, and send it again.",
            reason_code="too_many_requests",
            headers={"Retry-After": str(self._seconds(item, what, token))},
        )

    def _seconds(self, item: RateLimitItem, what: str, token: str) -> int:
        stats = self._limiter.get_window_stats(item, what, token)
        return max(1, round(stats.reset_time - time.time() + 0.5))
