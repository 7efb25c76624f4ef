"""What the store costs on a disk that is really waited for, with the wake-ups of every append."""

import statistics
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
import redis
from redis_server import emptied, running_server

from deploybot.events import ApiMessageReceived, QuestionAsked, ReadReturned
from deploybot.store import RedisStore
from deploybot.thread import Thread

pytestmark = pytest.mark.benchmark
NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with running_server() as url:
        yield url


@pytest.fixture
def connection(url: str) -> Iterator[redis.Redis]:
    connection = emptied(url)
    yield connection
    connection.close()


@pytest.fixture
def store(connection: redis.Redis) -> RedisStore:
    return RedisStore(connection, key=b"k" * 32, now=lambda: NOON)


def said(number: int, size: int = 300) -> ApiMessageReceived:
    return ApiMessageReceived(at=NOON, by="ann", delivery=f"api:{number}", text="x" * size)


def milliseconds(call: Callable[[int], object], times: int) -> list[float]:
    taken = []
    for number in range(times):
        start = time.perf_counter()
        call(number)
        taken.append((time.perf_counter() - start) * 1000)
    return taken


def told(name: str, taken: list[float]) -> float:
    median = statistics.median(taken)
    p99 = statistics.quantiles(taken, n=100)[98]
    sys.stdout.write(f"{name}: p50 {median:.3f} ms, p99 {p99:.3f} ms\n")
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


def test_an_append_with_its_wake_ups_costs_a_few_plain_writes(store: RedisStore) -> None:
    write = milliseconds(lambda number: store.queues.connection.set("one", number), 500)
    plain = told("one plain SET, to the disk", write)
    threads = {"now": store.append(store.load("t1"), said(0))}

    def append(number: int) -> None:
        store.queues.started("advance", "t1")
        store.queues.started("deliver", "t1")
        threads["now"] = store.append(threads["now"], said(number), dedupe=(f"api:{number}",))

    def append_only(number: int) -> None:
        threads["now"] = store.append(threads["now"], said(number))

    told("append + 2 wake-ups + 2 clears", milliseconds(append, 500))
    store.queues.connection.delete("rq:queue:threads", "rq:queue:deliveries")
    median = told("append, wake-ups coalesced", milliseconds(append_only, 500))

    assert median < 4 * plain


@pytest.mark.parametrize("length", [10, 100, 1000])
def test_loading_costs_by_length(store: RedisStore, length: int) -> None:
    thread = store.append(store.load("t1"), *(said(number) for number in range(length)))

    whole = told(f"load {length}", milliseconds(lambda _: store.load("t1"), 50))
    tail = told(f"refresh after {length}", milliseconds(lambda _: store.refresh(thread), 50))

    assert tail < whole


def test_a_paused_thread_of_ten_events_takes_less_than_twelve_kilobytes(
    store: RedisStore, connection: redis.Redis
) -> None:
    before = connection.info("memory")["used_memory"]
    count = 2000
    for number in range(count):
        thread = paused_thread(store, number)
        store.delivered(thread.id, len(thread.events))
    for key in connection.scan_iter("rq:*"):
        connection.delete(key)  # the workers would have run these
    for key in connection.scan_iter("deploybot:wake:*"):
        connection.delete(key)

    each = (connection.info("memory")["used_memory"] - before) / count
    sys.stdout.write(f"paused thread of {len(thread.events)} events: {each:.0f} bytes\n")

    assert len(thread.events) == 10
    assert each < 12_000


def test_an_append_costs_the_same_among_many_threads(
    store: RedisStore, connection: redis.Redis
) -> None:
    def start(number: int) -> None:
        store.append(Thread(f"t{number}"), said(number))

    few = told("first append among none", milliseconds(start, 300))
    with connection.pipeline(transaction=False) as pipe:
        for number in range(100_000):
            pipe.zadd("deploybot:threads", {f"other{number}": number})
            pipe.zadd("deploybot:status:done", {f"other{number}": number})
            if number % 10_000 == 9_999:
                pipe.execute()
    many = told("first append among 100,000", milliseconds(lambda n: start(1000 + n), 300))

    assert many < 3 * few
