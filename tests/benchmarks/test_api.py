"""What listing and reading over the API cost with a hundred threads in the store, and with a hundred thousand."""

import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
import redis
from benchmarks.conftest import Table

from deploybot.events import ApiMessageReceived, QuestionAsked, ReadReturned
from deploybot.store import RedisStore
from deploybot.thread import Thread
from deploybot.web.api_reading import Reading
from deploybot.web.stream import Stream

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(900)]
NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
FEW, MANY = 100, 100_000
TIMES = 60
KINDS = ("list, rows known", "list, rows read anew", "page in the middle", "read one thread")


def fill(store: RedisStore, first: int, last: int) -> None:
    """Store threads of four events, each with an open question."""
    read = ReadReturned(at=NOON, by="agent:deploy", intent="list_git_commits", result=["x" * 200])
    asked = QuestionAsked(at=NOON, by="agent:deploy", question_id="q1", question="Which one?")
    for number in range(first, last):
        said = ApiMessageReceived(at=NOON, by="ann", delivery=f"d{number}", text="x" * 100)
        store.append(Thread(f"t{number:016x}"), said, read, read, asked, wake=False)


def median_ms(call: Callable[[], object]) -> float:
    taken = []
    for _ in range(TIMES):
        start = time.perf_counter()
        call()
        taken.append((time.perf_counter() - start) * 1000)
    return statistics.median(taken)


def measured(store: RedisStore, size: int) -> dict[str, float]:
    deps = SimpleNamespace(store=store, url_of=lambda thread_id: thread_id, stream=Stream(store))
    known = Reading(deps)  # type: ignore[arg-type]
    known.list(None, 50, "")
    middle = f"{store.written([f't{size // 2:016x}'])[0]}-t{size // 2:016x}"
    calls: dict[str, Callable[[], object]] = {
        KINDS[0]: lambda: known.list(None, 50, ""),
        KINDS[1]: lambda: Reading(deps).list(None, 50, ""),  # type: ignore[arg-type]
        KINDS[2]: lambda: known.list(None, 50, middle),
        KINDS[3]: lambda: known.show(f"t{size // 3:016x}"),
    }
    return {name: median_ms(call) for name, call in calls.items()}


def test_listing_and_reading_cost_the_same_with_a_hundred_thousand_threads(
    connection: redis.Redis, table: Table
) -> None:
    store = RedisStore(connection, key=b"k" * 32, now=lambda: NOON)
    fill(store, 0, FEW)
    few = measured(store, FEW)
    connection.config_set("appendfsync", "no")  # only to get there; reading waits for no disk
    fill(store, FEW, MANY)
    connection.config_set("appendfsync", "always")
    many = measured(store, MANY)

    for name in KINDS:
        table.add(
            f"{name}, of {MANY:,}", f"{many[name]:.2f} ms", f"{few[name]:.2f} ms of {FEW}", "< x2"
        )
    assert all(many[name] < 2 * few[name] for name in KINDS), (few, many)
