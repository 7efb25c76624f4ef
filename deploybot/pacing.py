"""How fast a channel may be written to, counted for all workers together, in Redis."""

from datetime import datetime
from functools import cached_property
from typing import cast

import redis
from redis.commands.core import Script

from deploybot.errors import DeliveryError
from deploybot.queue import PREFIX, answering, script

SECOND = 1_000_000


class RedisPacing:
    """One message a second for each channel, once a small burst is spent.

    Every delivery runs in a process of its own, so the count is kept where all of them see it.
    """

    def __init__(self, connection: redis.Redis, *, burst: int = 5, per_second: float = 1.0) -> None:
        self._redis = connection
        self._cost = round(SECOND / per_second)
        self._burst = burst * self._cost

    def take(self, channel: str, now: datetime) -> None:
        """Count one message; raises DeliveryError with the seconds until the next one may go."""
        with answering():
            wait = cast(
                int,
                self._pace(keys=(f"{PREFIX}pace:{channel}",), args=(self._cost, self._burst)),
            )
        if wait > 0:
            seconds = wait / SECOND
            raise DeliveryError(f"Slack is told more in {seconds:.1f} s.", retry_after=seconds)

    @cached_property
    def _pace(self) -> Script:
        return script(self._redis, "pace")
