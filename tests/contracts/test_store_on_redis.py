"""What the store promises when Redis, the network or somebody with access to Redis misbehaves."""

import hashlib
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import redis
from forgetful_proxy import ForgetfulProxy, forgetful_proxy

from deploybot.chain import _mac
from deploybot.errors import (
    ConflictError,
    DuplicateError,
    OperatorError,
    StoreUnavailableError,
    TamperedError,
)
from deploybot.events import EVENT, ApiMessageReceived
from deploybot.ports import Operation
from deploybot.redis_safety import client
from deploybot.store import RedisStore, stream_key
from deploybot.thread import Thread

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
KEY = b"k" * 32


@pytest.fixture
def store(connection: redis.Redis) -> RedisStore:
    return RedisStore(connection, key=KEY, now=lambda: NOON)


def said(text: str, number: int = 1) -> ApiMessageReceived:
    return ApiMessageReceived(at=NOON, by="ann", delivery=f"api:{number}", text=text)


# -- lost replies ------------------------------------------------------------------


@pytest.fixture
def proxy(redis_url: str) -> Iterator[ForgetfulProxy]:
    with (
        tempfile.TemporaryDirectory(prefix="dbp-") as directory,
        forgetful_proxy(Path(directory), redis_url) as proxy,
    ):
        yield proxy


@pytest.fixture
def unsure_store(proxy: ForgetfulProxy, store: RedisStore) -> RedisStore:
    """A store that talks through the proxy; its scripts are loaded, so that each call is one try."""
    unsure = RedisStore(client(proxy.url), key=KEY, now=lambda: NOON)
    unsure.append(unsure.load("t0"), said("warm"))
    return unsure


@pytest.mark.parametrize("before", [False, True], ids=["after it was carried out", "before"])
@pytest.mark.parametrize("times", [1, 3])
def test_an_append_whose_reply_was_lost_is_stored_once(
    proxy: ForgetfulProxy, unsure_store: RedisStore, store: RedisStore, times: int, before: bool
) -> None:
    proxy.lose(times, before=before)

    grown = unsure_store.append(
        unsure_store.load("t1"), said("one"), said("two", 2), dedupe=("api:1",), aliases=("a",)
    )

    assert proxy.lost == times
    assert store.load("t1") == grown
    assert len(grown.events) == 2
    assert store.find("a") == "t1"
    assert store.queues.connection.llen("rq:queue:threads") == 2  # t0's and t1's


def test_a_claim_whose_reply_was_lost_is_made_once(
    proxy: ForgetfulProxy, unsure_store: RedisStore, store: RedisStore
) -> None:
    claim = Operation("o1", "backend", "production", "t1", "r1", 1)
    proxy.lose(1)

    unsure_store.append(unsure_store.load("t1"), said("go"), claim=claim)

    assert store.operation("backend", "production") == claim
    assert store.next_fence("backend", "production") == 2


def test_a_rival_that_was_quicker_is_not_taken_for_ourselves(
    proxy: ForgetfulProxy, unsure_store: RedisStore, store: RedisStore
) -> None:
    start = unsure_store.load("t1")
    store.append(store.load("t1"), said("the rival", 2), dedupe=("rival",))
    proxy.lose(1, before=True)

    with pytest.raises(ConflictError):
        unsure_store.append(start, said("us"))
    proxy.lose(1, before=True)
    with pytest.raises(DuplicateError):
        unsure_store.append(start, said("us"), dedupe=("rival",))

    assert [event.by for event in store.load("t1").events] == ["ann"]


def test_a_store_that_stays_away_is_reported_and_nothing_is_half_written(
    proxy: ForgetfulProxy, unsure_store: RedisStore, store: RedisStore
) -> None:
    proxy.lose(10_000, before=True)

    with pytest.raises(StoreUnavailableError, match="Try the same again"):
        unsure_store.append(unsure_store.load("t1"), said("one"), dedupe=("api:1",))

    proxy.lose(0)
    assert store.load("t1").events == ()
    assert unsure_store.append(unsure_store.load("t1"), said("one"), dedupe=("api:1",)).events


@pytest.mark.parametrize("setting", [("maxmemory", "1"), ("min-replicas-to-write", "3")])
def test_a_redis_that_takes_no_writes_gets_nothing_half_written(
    connection: redis.Redis, store: RedisStore, setting: tuple[str, str]
) -> None:
    store.append(store.load("t1"), said("one"))
    name, value = setting
    connection.config_set(name, value)
    try:
        with pytest.raises(StoreUnavailableError):
            store.append(store.load("t1"), said("two", 2), dedupe=("api:2",), aliases=("a",))
    finally:
        connection.config_set(name, "0")

    assert len(store.load("t1").events) == 1
    assert store.find("a") is None
    assert len(store.append(store.load("t1"), said("two", 2), dedupe=("api:2",)).events) == 2


def test_scripts_that_the_server_forgot_are_sent_again(
    connection: redis.Redis, store: RedisStore
) -> None:
    store.append(store.load("t1"), said("one"))
    connection.script_flush()

    assert len(store.append(store.load("t1"), said("two", 2)).events) == 2


# -- tampering ---------------------------------------------------------------------


def rewrite(
    connection: redis.Redis, change: Callable[[list[tuple[bytes, dict[bytes, bytes]]]], None]
) -> None:
    """Put a changed copy in the place of thread t1, as somebody with access to Redis can."""
    entries = connection.xrange(stream_key("t1"))
    change(entries)
    connection.delete(stream_key("t1"))
    for entry_id, fields in entries:
        connection.xadd(stream_key("t1"), fields, id=entry_id)


@pytest.fixture
def thread(store: RedisStore) -> Thread:
    thread = store.load("t1")
    for number in range(4):
        thread = store.append(thread, said(f"words {number}", number))
    return thread


def test_changed_words_do_not_verify(
    connection: redis.Redis, store: RedisStore, thread: Thread
) -> None:
    def change(entries: list[tuple[bytes, dict[bytes, bytes]]]) -> None:
        fields = entries[2][1]
        fields[b"e"] = fields[b"e"].replace(b"words 2", b"words X")

    rewrite(connection, change)

    with pytest.raises(TamperedError, match="Event 3 of thread t1"):
        store.load("t1")


def test_an_event_sealed_with_a_plain_hash_does_not_verify(
    connection: redis.Redis, store: RedisStore, thread: Thread
) -> None:
    body = EVENT.dump_json(said("deploy everything", 9))
    forged = hashlib.sha256(thread.head.encode() + body).hexdigest()
    connection.xadd(stream_key("t1"), {"e": body, "m": forged}, id="5-0")

    with pytest.raises(TamperedError, match="Event 5"):
        store.load("t1")
    with pytest.raises(TamperedError, match="Event 5"):
        store.refresh(thread)


@pytest.mark.parametrize("gone", [0, 1])
def test_a_missing_event_is_noticed(
    connection: redis.Redis, store: RedisStore, thread: Thread, gone: int
) -> None:
    rewrite(connection, lambda entries: entries.pop(gone) and None)

    with pytest.raises(TamperedError, match=f"Event {gone + 1}"):
        store.load("t1")


def test_a_tail_that_disappeared_is_noticed_by_whoever_knew_it(
    connection: redis.Redis, store: RedisStore, thread: Thread
) -> None:
    rewrite(connection, lambda entries: entries.pop() and None)

    with pytest.raises(TamperedError, match="Event 4 of thread t1 has disappeared"):
        store.refresh(thread)


def test_an_event_moved_to_another_thread_does_not_verify(
    connection: redis.Redis, store: RedisStore, thread: Thread
) -> None:
    ((_, fields), *_) = connection.xrange(stream_key("t1"))
    connection.xadd(stream_key("t2"), fields, id="1-0")

    with pytest.raises(TamperedError, match="Event 1 of thread t2"):
        store.load("t2")


def test_two_events_that_changed_places_do_not_verify(
    connection: redis.Redis, store: RedisStore, thread: Thread
) -> None:
    def change(entries: list[tuple[bytes, dict[bytes, bytes]]]) -> None:
        first, second = entries[1], entries[2]
        entries[1:3] = [(first[0], second[1]), (second[0], first[1])]

    rewrite(connection, change)

    with pytest.raises(TamperedError, match="Event 2"):
        store.load("t1")


def test_another_key_verifies_nothing(connection: redis.Redis, thread: Thread) -> None:
    with pytest.raises(TamperedError):
        RedisStore(connection, key=b"x" * 32, now=lambda: NOON).load("t1")


@pytest.mark.row(38)
def test_an_event_of_a_newer_version_is_not_guessed_at(
    connection: redis.Redis, store: RedisStore, thread: Thread
) -> None:
    body = b'{"kind":"teleported","at":"2026-05-04T12:00:00Z","by":"ann"}'
    connection.xadd(stream_key("t1"), {"e": body, "m": _mac(KEY, thread.head, body)}, id="5-0")

    with pytest.raises(OperatorError, match="does not know"):
        store.load("t1")


# -- leases and size ---------------------------------------------------------------


def test_a_lease_is_judged_by_the_servers_clock(connection: redis.Redis, store: RedisStore) -> None:
    claim = Operation("o1", "backend", "production", "t1", "r1", 1)
    store.append(store.load("t1"), said("go"), claim=claim)
    wrong = RedisStore(connection, key=KEY, now=lambda: NOON.replace(year=2030))

    assert wrong.lease_is_alive(claim)
    assert 19_000 < connection.pttl("deploybot:lease:o1") <= 20_000


def test_progress_is_bounded_and_goes_away(connection: redis.Redis, store: RedisStore) -> None:
    claim = Operation("o1", "backend", "production", "t1", "r1", 1)
    store.append(store.load("t1"), said("go"), claim=claim)
    connection.delete("rq:queue:deliveries")
    store.queues.started("deliver", "t1")

    for number in range(1500):
        store.report("o1", {"n": number})

    lines = store.progress("o1")
    assert lines[-1] == {"n": 1499}
    assert 1000 <= len(lines) < 1200
    assert 0 < connection.ttl("deploybot:progress:o1") <= 24 * 3600
    assert connection.llen("rq:queue:deliveries") == 1  # shown as it comes, one wake-up at a time


def test_a_released_operation_is_forgotten_but_its_fence_is_not(
    connection: redis.Redis, store: RedisStore
) -> None:
    for fence in range(1, 4):
        claim = Operation(f"o{fence}", "backend", "production", "t1", "r1", fence)
        thread = store.append(store.load("t1"), said("go", fence), claim=claim)
        store.append(thread, release=replace(claim, thread="another"))

    assert store.next_fence("backend", "production") == 4
    assert connection.hlen("deploybot:operations") == 0
    assert connection.keys("deploybot:lease:*") == []
