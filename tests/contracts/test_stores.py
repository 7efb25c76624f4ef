"""One suite for both stores: what the core is promised, whoever keeps the threads."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

import pytest
from redis_server import emptied, running_server, wait_until

from deploy.locks import Hold
from deploybot.errors import (
    ClaimRefusedError,
    ConflictError,
    DuplicateError,
    IllegalEventError,
    LeaseLostError,
)
from deploybot.events import (
    ApiMessageReceived,
    Finished,
    Paused,
    QuestionAsked,
    ReadReturned,
    Woke,
)
from deploybot.memory import MemoryStore
from deploybot.ports import Operation, Store
from deploybot.store import RedisStore
from deploybot.thread import Status, Thread

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


class Refreshing(Store, Protocol):
    def refresh(self, thread: Thread) -> Thread: ...


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with running_server() as url:
        yield url


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["redis", "memory"])
def make_store(
    request: pytest.FixtureRequest, clock: Clock, url: str
) -> Iterator[Callable[[float], Refreshing]]:
    if request.param == "memory":
        yield lambda lease: MemoryStore(now=clock, lease_seconds=lease)
        return
    connection = emptied(url)
    yield lambda lease: RedisStore(connection, key=b"k" * 32, now=clock, lease_seconds=lease)
    connection.close()


@pytest.fixture
def store(make_store: Callable[[float], Refreshing]) -> Refreshing:
    return make_store(20.0)


def said(text: str, number: int = 1) -> ApiMessageReceived:
    return ApiMessageReceived(at=NOON, by="ann", delivery=f"api:{number}", text=text)


def operation(store: Store, name: str = "o1", thread: str = "t1") -> Operation:
    fence = store.next_fence("backend", "production")
    return Operation(name, "backend", "production", thread, f"request-{name}", fence)


# -- threads -----------------------------------------------------------------------


def test_nobody_has_written_to_a_new_thread(store: Store) -> None:
    assert store.load("t1") == Thread("t1")


def test_what_is_appended_is_what_is_loaded(store: Store) -> None:
    grown = store.append(store.load("t1"), said("deploy <b>ä</b> \x00 \u202e to staging"))
    read = ReadReturned(at=NOON, by="agent:deploy", intent="list_git_tags", result=[{"tag": "v1"}])
    grown = store.append(grown, read, said("and now?", 2))

    assert store.load("t1") == grown
    assert [event.kind for event in grown.events] == [
        "api_message_received",
        "read_returned",
        "api_message_received",
    ]
    assert grown.status is Status.WORKING


def test_a_longer_thread_is_read_from_where_one_left_off(store: Refreshing) -> None:
    before = store.append(store.load("t1"), said("one"))
    after = store.append(before, said("two", 2), said("three", 3))

    assert store.refresh(before) == after
    assert store.refresh(after) == after


def test_each_thread_has_its_own_heads(store: Store) -> None:
    one = store.append(store.load("t1"), said("the same"))
    two = store.append(store.load("t2"), said("the same"))

    assert one.head
    assert one.head != two.head


def test_an_event_that_cannot_happen_is_not_stored(store: Store) -> None:
    with pytest.raises(IllegalEventError):
        store.append(store.load("t1"), said("hello"), Woke(at=NOON, by="clock"), dedupe=("k",))

    assert store.load("t1").events == ()
    assert store.append(store.load("t1"), said("hello"), dedupe=("k",)).events


def test_a_writer_that_lost_the_race_is_told_to_load_again(store: Store) -> None:
    stale = store.append(store.load("t1"), said("one"))
    store.append(stale, said("two", 2))

    with pytest.raises(ConflictError) as refused:
        store.append(stale, said("three", 3), dedupe=("three",), aliases=("three",))

    assert refused.value.length == 2
    assert len(store.load("t1").events) == 2
    assert store.find("three") is None
    assert len(store.append(store.load("t1"), said("three", 3), dedupe=("three",)).events) == 3


def test_of_many_writers_at_one_position_exactly_one_wins(store: Store) -> None:
    start = store.append(store.load("t1"), said("start"))

    def write(number: int) -> bool:
        try:
            store.append(start, said(str(number), number + 2))
        except ConflictError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(write, range(40)))

    assert won.count(True) == 1
    assert len(store.load("t1").events) == 2


def test_a_delivery_is_heard_once_even_by_another_thread(store: Store) -> None:
    store.append(store.load("t1"), said("hello"), dedupe=("slack:1", "mail:1"))

    with pytest.raises(DuplicateError) as refused:
        store.append(store.load("t2"), said("hello"), dedupe=("slack:2", "mail:1"))

    assert (refused.value.key, refused.value.thread) == ("mail:1", "t1")
    assert store.load("t2").events == ()
    assert store.append(store.load("t2"), said("new"), dedupe=("slack:2",)).events


def test_the_same_delivery_many_times_at_once_is_one_event(store: Store) -> None:
    def deliver(_: int) -> str:
        while True:
            try:
                store.append(store.load("t1"), said("hello"), dedupe=("slack:1",))
            except DuplicateError:
                return "duplicate"
            except ConflictError:
                continue
            return "stored"

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(deliver, range(50)))

    assert answers.count("stored") == 1
    assert len(store.load("t1").events) == 1


# -- finding -----------------------------------------------------------------------


def test_an_alias_finds_its_thread(store: Store) -> None:
    store.append(store.load("t1"), said("hello"), aliases=("slack:C1:1.2", "mail:<a@b>"))
    store.name("slack:C1:9.9", "t1")

    assert store.find("slack:C1:1.2") == "t1"
    assert store.find("mail:<a@b>") == "t1"
    assert store.find("slack:C1:9.9") == "t1"
    assert store.find("slack:C2:1.2") is None


def test_threads_are_listed_newest_first_page_by_page(store: Store) -> None:
    for number in range(7):
        store.append(store.load(f"t{number}"), said("hello", number))
    store.append(store.load("t2"), said("again", 8))

    pages = []
    cursor = ""
    while True:
        page = store.list(limit=3, cursor=cursor)
        pages.append(page.threads)
        cursor = page.cursor
        if not cursor:
            break

    assert pages == [("t2", "t6", "t5"), ("t4", "t3", "t1"), ("t0",)]


def test_a_thread_is_listed_under_the_status_it_has_now(store: Store) -> None:
    working = store.append(store.load("t1"), said("hello"))
    store.append(store.load("t2"), said("hello", 2))
    question = QuestionAsked(at=NOON, by="agent:deploy", question_id="q1", question="Which?")
    asked = store.append(working, question)

    assert store.list(status="awaiting_input").threads == ("t1",)
    assert store.list(status="working").threads == ("t2",)

    store.append(asked, Paused(at=NOON, by="ann"))

    assert store.list(status="awaiting_input").threads == ()
    assert store.list(status="paused").threads == ("t1",)
    assert store.list(status="no such status").threads == ()


# -- operations --------------------------------------------------------------------


def test_a_place_is_claimed_by_one_operation_at_a_time(store: Store) -> None:
    first = operation(store)
    thread = store.append(store.load("t1"), said("go"), claim=first)

    with pytest.raises(ClaimRefusedError) as refused:
        store.append(store.load("t2"), said("go"), claim=replace(first, id="o2", fence=2))

    assert refused.value.holder == "t1"
    assert store.load("t2").events == ()
    assert store.operation("backend", "production") == first
    assert store.operation("backend", "staging") is None
    assert store.lease_is_alive(first)

    store.append(thread, said("over", 2), release=first)

    assert store.operation("backend", "production") is None
    assert not store.lease_is_alive(first)


def test_an_old_fence_claims_nothing(store: Store) -> None:
    first = operation(store)
    store.append(store.append(store.load("t1"), said("go"), claim=first), release=first)

    with pytest.raises(ClaimRefusedError, match="next fence is 2"):
        store.append(store.load("t2"), said("go"), claim=replace(first, id="o2", thread="t2"))

    assert store.next_fence("backend", "production") == 2
    assert store.next_fence("frontend", "production") == 1
    assert store.operation("backend", "production") is None


def test_of_two_threads_that_claim_at_once_one_starts(store: Store) -> None:
    store.append(store.load("t0"), said("warm"))
    claim = operation(store)

    def start(number: int) -> bool:
        name = f"t{number}"
        try:
            store.append(store.load(name), said("go"), claim=replace(claim, id=name, thread=name))
        except ClaimRefusedError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        started = list(pool.map(start, range(1, 30)))

    assert started.count(True) == 1


def test_releasing_what_another_operation_holds_changes_nothing(store: Store) -> None:
    first = operation(store)
    store.append(store.load("t1"), said("go"), claim=first)

    store.append(store.load("t2"), said("over"), release=replace(first, id="o2"))

    assert store.operation("backend", "production") == first
    assert store.lease_is_alive(first)


def test_a_lease_lives_as_long_as_it_is_renewed(
    make_store: Callable[[float], Refreshing], clock: Clock
) -> None:
    store = make_store(20.0)
    first = operation(store)
    store.append(store.load("t1"), said("go"), claim=first)

    store.heartbeat(first)

    assert store.lease_is_alive(first)
    with pytest.raises(LeaseLostError):
        store.heartbeat(replace(first, id="o2"))


def test_a_lease_that_ran_out_stays_lost_and_the_place_stays_taken(
    make_store: Callable[[float], Refreshing], clock: Clock
) -> None:
    store = make_store(0.05)
    first = operation(store)
    store.append(store.load("t1"), said("go"), claim=first)

    clock.now += timedelta(seconds=1)
    wait_until(lambda: not store.lease_is_alive(first))

    with pytest.raises(LeaseLostError):
        store.heartbeat(first)
    assert store.operation("backend", "production") == first
    with pytest.raises(ClaimRefusedError):
        store.append(store.load("t2"), said("go"), claim=operation(store, "o2", "t2"))


def test_progress_is_kept_in_order_and_apart_from_the_events(store: Store) -> None:
    first = operation(store)
    thread = store.append(store.load("t1"), said("go"), claim=first)

    store.report("o1", {"step": "build", "ok": True})
    store.report("o1", {"step": "switch", "at": NOON.isoformat()})
    store.report("no such operation", {"step": "none"})

    assert store.progress("o1") == (
        {"step": "build", "ok": True},
        {"step": "switch", "at": NOON.isoformat()},
    )
    assert store.progress("o2") == ()
    assert store.load("t1") == thread


# -- holds -------------------------------------------------------------------------


def test_a_hold_is_kept_until_it_is_released(store: Store) -> None:
    hold = Hold(service="backend", environment="production", owner="ann", reason="freeze", at=NOON)
    everything = hold.model_copy(update={"service": None, "at": NOON + timedelta(minutes=1)})
    thread = store.append(store.load("t1"), said("hold"), hold=hold)
    store.append(thread, hold=everything)

    assert store.holds() == (hold, everything)
    assert store.release_hold("backend", "production") == hold
    assert store.release_hold("backend", "production") is None
    assert store.release_hold("", "production") == everything
    assert store.holds() == ()


def test_a_hold_ends_by_itself_when_its_time_is_over(store: Store, clock: Clock) -> None:
    hold = Hold(
        service="backend",
        environment="production",
        owner="ann",
        reason="freeze",
        at=NOON,
        expires=NOON + timedelta(hours=1),
    )
    store.append(store.load("t1"), hold=hold)

    clock.now += timedelta(hours=1)

    assert store.holds() == ()
    assert store.release_hold("backend", "production") is None


# -- what was told -----------------------------------------------------------------


def test_what_was_sent_is_remembered_per_thread(store: Store) -> None:
    store.append(store.load("t1"), said("hello"))
    store.note_sent("t1", "card:1", '{"ts": "1.2"}')
    store.note_sent("t1", "card:1", '{"ts": "1.3"}')
    store.note_sent("t1", "said:2", "{}")
    store.delivered("t1", 1)

    assert store.sent("t1") == {"card:1": '{"ts": "1.3"}', "said:2": "{}"}
    assert store.sent("t2") == {}
    assert store.list().threads == ("t1",)


def test_an_append_without_events_leaves_the_thread_as_it_is(store: Store) -> None:
    thread = store.append(
        store.load("t1"), said("hello"), Finished(at=NOON, by="agent:deploy", message="done")
    )

    assert store.append(thread) == thread
    assert store.load("t1") == thread
