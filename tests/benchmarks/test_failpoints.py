"""What the points cost where nothing goes wrong: beside one append, which comes to four of them, nothing."""

import time

import pytest
import redis
from benchmarks.conftest import Table
from benchmarks.test_store import in_turn, said, told
from benchmarks.test_store import store as store  # noqa: PLC0414 - a fixture

from deploy import failpoints
from deploybot.store import RedisStore
from deploybot.thread import Thread

TIMES = 100_000
POINTS_OF_AN_APPEND = 4

pytestmark = pytest.mark.benchmark


def test_a_point_costs_an_append_less_than_a_thousandth(
    connection: redis.Redis, store: RedisStore, table: Table
) -> None:
    started = time.perf_counter()
    for _ in range(TIMES):
        failpoints.at("store.append.before")
    point = (time.perf_counter() - started) / TIMES * 1000
    (taken,) = in_turn(200, lambda n: store.append(Thread(f"t{n:016x}"), said(n)))

    append = told(table, "an append", taken)
    table.add("a point where nothing goes wrong", f"{point * 1e6:.0f} ns")
    assert POINTS_OF_AN_APPEND * point < append / 1000
