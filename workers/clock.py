"""The clock: wakes what is due, and what nobody woke; what due means is the store's to say."""

import logging
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import redis

from deploy import failpoints
from deploybot.alarms import Alarms
from deploybot.errors import StoreUnavailableError
from deploybot.meter import Meter
from deploybot.metrics import WAKE_UPS
from deploybot.queue import CLOCK_SEEN, PREFIX, QUEUES, Queues, answering, due_key
from deploybot.redis_safety import client
from deploybot.surveys import EVERY

logger = logging.getLogger(__name__)

AWAY = "store"
AWAY_TEXT = (
    "The store takes nothing now, so nothing that is said to the bot is kept, and nothing new "
    "starts. What runs comes to its end. Slack and GitHub deliver again later; look at Redis."
)
BACK_TEXT = (
    "The store answers again. What was kept goes on; what you wrote meanwhile may be missing."
)
LEASE_KEY = f"{PREFIX}clock"


@dataclass(frozen=True, kw_only=True)
class ClockSettings:
    """How often the clock looks, and how long it waits before it wakes a thread again, in seconds."""

    tick_seconds: float = 1.0
    sweep_seconds: float = 10.0
    lease_seconds: float = 10.0
    """How long after one clock's last sign another takes over."""


class Clock:
    """One clock of possibly several: the one that holds the lease sweeps, the others wait.

    `also` is called once a tick by that one, for whatever else must happen now and then.
    """

    def __init__(
        self,
        connection: redis.Redis,
        settings: ClockSettings | None = None,
        *,
        also: Sequence[Callable[[], None]] = (),
        alarms: Alarms | None = None,
    ) -> None:
        self._redis = connection
        self._settings = settings or ClockSettings()
        self._queues = Queues(connection)
        self._meter = Meter(connection)
        self._also = also
        self._alarms = alarms
        self._away_since: float | None = None
        self._name = uuid.uuid4().hex
        self._ticks_to_renewal = 0
        self._ticks = 0

    def run(self, stop: threading.Event) -> None:
        """Tick until `stop` is set; Redis being away for a while ends nothing."""
        while not stop.is_set():
            try:
                self.tick()
                self._is_back()
            except (StoreUnavailableError, redis.RedisError) as error:
                logger.warning("the clock cannot reach Redis", extra={"action": "tick"})
                self._ticks_to_renewal = 0
                self._is_away(error)
            stop.wait(self._settings.tick_seconds)

    def tick(self) -> int:
        """Wake every thread whose time has come; return how many wake-ups were enqueued."""
        if not self._is_mine():
            return 0
        with answering():
            if self._ticks == 0:
                first = dict.fromkeys(EVERY, 0)
                self._redis.zadd(due_key("survey"), first, nx=True)
            self._ticks += 1
            failpoints.at("clock.sweep.before")
            woken = sum(
                self._queues.sweep(job, again_seconds=self._settings.sweep_seconds)
                for job in QUEUES
            )
        failpoints.at("clock.sweep.after")
        if woken:
            logger.info("woke threads", extra={"action": "sweep", "woken": woken})
            self._meter.observe(WAKE_UPS, value=woken)
            self._meter.flush()
        for task in self._also:
            task()
        return woken

    def _is_away(self, error: Exception) -> None:
        """Tell people once the store has been away for as long as three sweeps."""
        now = time.monotonic()
        self._away_since = now if self._away_since is None else self._away_since
        if self._alarms and now - self._away_since >= 3 * self._settings.sweep_seconds:
            self._alarms.say(AWAY, f"{AWAY_TEXT} It says: {error.__cause__ or error}")

    def _is_back(self) -> None:
        if self._away_since is not None and self._alarms:
            self._alarms.over(AWAY, BACK_TEXT)
        self._away_since = None

    def _is_mine(self) -> bool:
        """Hold the lease, renewed a few times in its life: each renewal is a write to the disk."""
        if self._ticks_to_renewal > 0:
            self._ticks_to_renewal -= 1
            return True
        milliseconds = round(self._settings.lease_seconds * 1000)
        with answering():
            if not self._redis.set(LEASE_KEY, self._name, nx=True, px=milliseconds):
                holder = cast(bytes | None, self._redis.get(LEASE_KEY))
                if holder != self._name.encode() or not self._redis.pexpire(
                    LEASE_KEY, milliseconds
                ):
                    return False
            seconds, micros = self._redis.time()
            self._redis.set(CLOCK_SEEN, f"{seconds}.{micros:06d}")
        self._ticks_to_renewal = int(self._settings.lease_seconds / 3 / self._settings.tick_seconds)
        return True


def run(
    url: str, settings: ClockSettings, stop: threading.Event, alarms: Alarms | None = None
) -> None:
    """Run a clock on its own connection until `stop` is set."""
    Clock(client(url), settings, alarms=alarms).run(stop)
