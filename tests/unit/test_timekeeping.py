"""The time as the store tells it: whatever this machine's clock says, and while the store is away."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import redis

from deploybot.timekeeping import AGAIN_SECONDS, StoreTime, skewed

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


class Machine:
    """A machine whose own clock may be wrong, before a store that may be away."""

    def __init__(self, ahead: float = 0.0) -> None:
        self.ahead = ahead
        self.passed = 0.0
        self.away = False
        self.asked = 0
        store = cast("Any", SimpleNamespace(time=self._time))
        self.time = StoreTime(store, self._local, lambda: self.passed)

    def _time(self) -> tuple[int, int]:
        self.asked += 1
        if self.away:
            raise redis.ConnectionError("away")
        at = (NOON + timedelta(seconds=self.passed)).timestamp()
        return int(at), round((at - int(at)) * 1_000_000)

    def _local(self) -> datetime:
        return NOON + timedelta(seconds=self.passed + self.ahead)


def test_a_wrong_clock_does_not_change_the_time():
    machine = Machine(ahead=600)

    assert machine.time() == NOON
    assert machine.time.skew() == 600


def test_time_goes_on_between_two_looks_however_the_clock_is_set():
    machine = Machine()
    machine.time()

    machine.passed, machine.ahead = 5.0, -3600
    now = machine.time()

    assert now == NOON + timedelta(seconds=5)
    assert machine.asked == 1


def test_the_store_is_asked_again_after_a_while():
    machine = Machine()
    machine.time()

    machine.passed = AGAIN_SECONDS
    machine.time()

    assert machine.asked == 2


def test_while_the_store_is_away_time_goes_on_from_what_it_said():
    machine = Machine(ahead=600)
    machine.time()
    machine.away = True

    machine.passed = 3 * AGAIN_SECONDS

    assert machine.time() == NOON + timedelta(seconds=3 * AGAIN_SECONDS)


def test_a_store_that_never_answered_leaves_it_to_this_machine():
    machine = Machine(ahead=600)
    machine.away = True

    assert machine.time() == NOON + timedelta(seconds=600)
    assert machine.time.skew() == 0


def test_a_clock_that_is_half_a_minute_off_is_told_of():
    assert skewed(29, "build-1") == ""
    assert "The clock of build-1 is 600 s ahead of the store's" in skewed(600, "build-1")
    assert "45 s behind" in skewed(-45, "build-1")
