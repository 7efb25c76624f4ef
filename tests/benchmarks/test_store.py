"""What the store costs on a disk that is really waited for, with the wake-ups of every append."""

import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
import redis
from benchmarks.conftest import Table, settled
from redis_server import running_server

from deploybot.events import ApiMessageReceived, QuestionAsked, ReadReturned
from deploybot.redis_safety import client
from deploybot.store import RedisStore
from deploybot.thread import Thread

benchmark = pytest.mark.benchmark
NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


@pytest.fixture
def store(connection: redis.Redis) -> RedisStore:
    return RedisStore(connection, key=b"k" * 32, now=lambda: NOON)


def said(number: int, size: int = 300) -> ApiMessageReceived:
    return ApiMessageReceived(at=NOON, by="ann", delivery=f"api:{number}", text="x" * size)


def in_turn(times: int, *calls: Callable[[int], object]) -> list[list[float]]:
    """Call each so many times, one after the other, so that a slow moment is slow for all; ms."""
    taken: list[list[float]] = [[] for _ in calls]
    for number in range(times):
        for call, its in zip(calls, taken, strict=True):
            start = time.perf_counter()
            call(number)
            its.append((time.perf_counter() - start) * 1000)
    return taken


def told(table: Table, name: str, taken: list[float], bar: str = "") -> float:
    median = statistics.median(taken)
    p99 = statistics.quantiles(taken, n=100)[98]
    table.add(name, f"{median:.2f} ms", f"p99 {p99:.2f} ms", bar)
    return median


def paused_thread(store: RedisStore, number: int) -> Thread:
    """Ten events, about five kilobytes, ending with an open question."""
    thread = store.append(Thread(f"t{number:016x}"), said(number), aliases=(f"api:{number}",))
    for step in range(4):
        read = ReadReturned(
            at=NOON, by="agent:deploy", intent="list_git_commits", result=["x" * 350]
        )
        thread = store.append(thread, read, said(step))
    asked = QuestionAsked(at=NOON, by="agent:deploy", question_id="q1", question="Which one?")
    return store.append(thread, asked)


@benchmark
def test_an_append_with_its_wake_ups_costs_a_few_plain_writes(
    store: RedisStore, connection: redis.Redis, table: Table
) -> None:
    threads = {name: store.append(store.load(name), said(0)) for name in ("t1", "t2")}

    def append_and_clear(number: int) -> None:
        store.queues.started("advance", "t1")
        store.queues.started("deliver", "t1")
        threads["t1"] = store.append(threads["t1"], said(number), dedupe=(f"api:{number}",))

    def append(number: int) -> None:
        threads["t2"] = store.append(threads["t2"], said(number))

    write, both, one = in_turn(
        400, lambda number: connection.set("one", number), append_and_clear, append
    )

    plain = told(table, "one plain SET, to the disk", write)
    told(table, "append + 2 wake-ups + 2 clears", both)
    coalesced = told(table, "append, wake-ups coalesced", one, "< 4 plain writes")
    assert coalesced < 4 * plain


@benchmark
@pytest.mark.parametrize("length", [10, 100, 1000])
def test_loading_costs_by_length(store: RedisStore, length: int, table: Table) -> None:
    thread = store.append(store.load("t1"), *(said(number) for number in range(length)))

    whole, tail = in_turn(50, lambda _: store.load("t1"), lambda _: store.refresh(thread))

    read = told(table, f"load {length} events", whole)
    assert told(table, f"look for more after {length}", tail) < read


def waiting(store: RedisStore, connection: redis.Redis, numbers: range) -> Thread:
    """Let threads of these numbers wait for an answer, and return the last one."""
    for number in numbers:
        thread = paused_thread(store, number)
        store.delivered(thread.id, len(thread.events))
    for pattern in ("rq:*", "deploybot:wake:*"):  # the workers would have taken these
        for key in connection.scan_iter(pattern):
            connection.delete(key)
    return thread


@pytest.mark.parametrize("count", [50, pytest.param(2000, marks=benchmark)])
def test_a_paused_thread_of_ten_events_takes_less_than_twelve_kilobytes(
    count: int, store: RedisStore, connection: redis.Redis, table: Table
) -> None:
    waiting(store, connection, range(20))  # the server's scripts and tables are there from now on
    before = settled(connection)

    thread = waiting(store, connection, range(20, 20 + count))

    each = (settled(connection) - before) / count
    table.add("thread that waits after 10 events, 5 KB", f"{each / 1000:.1f} KB", bar="< 12 KB")

    assert len(thread.events) == 10
    assert each < 12_000


@benchmark
def test_an_append_costs_the_same_among_many_threads(
    store: RedisStore, connection: redis.Redis, table: Table
) -> None:
    with running_server() as url, client(url) as other:
        with other.pipeline(transaction=False) as pipe:
            for number in range(100_000):
                pipe.zadd("deploybot:threads", {f"other{number}": number})
                pipe.zadd("deploybot:status:done", {f"other{number}": number})
                if number % 10_000 == 9_999:
                    pipe.execute()
        among_many = RedisStore(other, key=b"k" * 32, now=lambda: NOON)

        few, many = in_turn(
            300,
            lambda number: store.append(Thread(f"t{number}"), said(number)),
            lambda number: among_many.append(Thread(f"t{number}"), said(number)),
        )

    alone = told(table, "first append among none", few)
    assert told(table, "first append among 100,000 threads", many, "< 3 times") < 3 * alone
