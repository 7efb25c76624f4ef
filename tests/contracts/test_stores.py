"""One suite for both stores: what the core is promised, whoever keeps the threads."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

import pytest
from redis_server import emptied, wait_until
from story import Story

from deploy.errors import CancelledError
from deploy.locks import Hold
from deploybot.errors import (
    ClaimRefusedError,
    ConflictError,
    DuplicateError,
    HoldChangedError,
    IllegalEventError,
    LeaseLostError,
)
from deploybot.events import (
    ApiMessageReceived,
    ApprovalGranted,
    Cancelled,
    DeployStarted,
    Finished,
    LinedUp,
    Paused,
    QuestionAsked,
    ReadReturned,
    Resumed,
    StopRequested,
    TurnCame,
    Woke,
)
from deploybot.memory import MemoryStore
from deploybot.next_step import Deploy
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


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["redis", "memory"])
def make_store(
    request: pytest.FixtureRequest, clock: Clock, redis_url: str
) -> Iterator[Callable[[float], Refreshing]]:
    if request.param == "memory":
        yield lambda lease: MemoryStore(now=clock, lease_seconds=lease)
        return
    connection = emptied(redis_url)
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


def test_a_thread_is_known_by_every_head_that_it_has_had_and_by_no_other(store: Store) -> None:
    one = store.append(store.load("t1"), said("one"))
    two = store.append(one, said("two", 2), said("three", 3))
    other = store.append(store.load("t2"), said("one", 4))

    assert store.sealed("t1", one.head)
    assert store.sealed("t1", two.head)
    assert not store.sealed("t1", other.head)
    assert not store.sealed("t1", two.head[:-1])
    assert not store.sealed("t1", "")
    assert not store.sealed("nobody", one.head)


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


def held(owner: str = "ann", **more: object) -> Hold:
    return Hold.model_validate(
        {
            "service": "backend",
            "environment": "production",
            "owner": owner,
            "reason": "migration",
            "at": NOON,
        }
        | more
    )


def test_a_place_is_locked_once_and_changed_only_by_who_saw_it(store: Store) -> None:
    first, second = held("ann"), held("ben", at=NOON + timedelta(minutes=1))
    store.append(store.load("t1"), said("lock"), hold=first)

    for asked in ({"hold": second}, {"hold": second, "free": held("mia")}, {"free": second}):
        with pytest.raises(HoldChangedError):
            store.append(store.load("t2"), said("mine", 2), dedupe=("k",), **asked)

    assert store.load("t2").events == ()
    assert store.holds() == (first,)
    store.append(store.load("t2"), said("mine", 2), hold=second, free=first, dedupe=("k",))
    assert store.holds() == (second,)
    with pytest.raises(HoldChangedError):
        store.append(store.load("t1"), free=first)
    store.append(store.load("t1"), free=second)
    assert store.holds() == ()


def test_of_many_who_lock_at_once_one_does(store: Store) -> None:
    def lock(number: int) -> bool:
        try:
            store.append(store.load(f"t{number}"), said("lock"), hold=held(f"person-{number}"))
        except HoldChangedError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lock, range(40)))

    assert won.count(True) == 1
    assert store.holds()[0].owner == f"person-{won.index(True)}"


def test_a_lock_that_ran_out_is_in_nobodys_way(store: Store, clock: Clock) -> None:
    store.append(store.load("t1"), said("lock"), hold=held(expires=NOON + timedelta(hours=1)))
    clock.now += timedelta(hours=1)

    store.append(store.load("t2"), said("lock"), hold=held("ben", at=clock.now))

    assert [hold.owner for hold in store.holds()] == ["ben"]


def test_what_a_roll_back_holds_stands_beside_a_lock(store: Store) -> None:
    lock = held()
    store.append(store.load("t1"), said("lock"), hold=lock)
    for sha in ("4af9ec0", "5bf0fd1"):
        rolled_back = held("deploybot", made_by="rollback", reason=sha)
        store.append(store.load("t2"), hold=rolled_back)

    assert {hold.made_by for hold in store.holds()} == {"person", "rollback"}
    with pytest.raises(HoldChangedError):
        store.append(store.load("t3"), free=held("deploybot", made_by="rollback", reason="4af9ec0"))
    store.append(store.load("t3"), free=rolled_back)
    assert store.holds() == (lock,)


# -- lines -------------------------------------------------------------------------


def lines_up(store: Store, name: str, service: str = "backend", *, first: bool = False) -> Thread:
    waits = LinedUp(
        at=NOON,
        by="agent:code",
        service=service,
        environment="production",
        position=1,
        why="it is locked",
        first=first,
    )
    return store.append(store.load(name), said("deploy"), waits)


def woken(store: Store) -> set[str]:
    """Take all wake-ups that there are, and return whose thread was to advance."""
    if isinstance(store, MemoryStore):
        taken = iter(store.next_wake_up, None)
        return {thread for job, thread in taken if job == "advance"}
    assert isinstance(store, RedisStore)
    connection = store.queues.connection
    threads = set()
    while job := connection.lpop("rq:queue:threads"):
        _, _, (thread_id,), _ = json.loads(connection.hget(f"rq:job:{job.decode()}", "data"))
        store.queues.started("advance", thread_id)
        threads.add(thread_id)
    return threads


def test_who_came_first_is_the_next_and_a_way_back_goes_before_all(store: Store) -> None:
    for name in ("t1", "t2", "t3"):
        lines_up(store, name)
    lines_up(store, "t4", first=True)
    lines_up(store, "t5", "frontend")

    assert store.line("backend", "production") == ("t4", "t1", "t2", "t3")
    assert store.line("frontend", "production") == ("t5",)
    assert store.line("backend", "staging") == ()


def test_who_leaves_the_line_wakes_the_next(store: Store) -> None:
    first, _ = lines_up(store, "t1"), lines_up(store, "t2")
    woken(store)

    store.append(first, said("never mind", 2))

    assert store.line("backend", "production") == ("t2",)
    assert "t2" in woken(store)


def test_a_turn_that_came_is_kept_until_it_is_used(store: Store) -> None:
    waiting, _ = lines_up(store, "t1"), lines_up(store, "t2")
    came = TurnCame(at=NOON, by="clock", service="backend", environment="production")

    turn = store.append(waiting, came)
    assert store.line("backend", "production") == ("t1", "t2")
    store.append(turn, Finished(at=NOON, by="agent:deploy", message="not wanted any more"))

    assert store.line("backend", "production") == ("t2",)


def test_a_cancelled_thread_waits_no_more_and_the_next_is_woken(store: Store) -> None:
    first, _ = lines_up(store, "t1"), lines_up(store, "t2")
    woken(store)

    store.append(first, Cancelled(at=NOON, by="ann"))

    assert store.line("backend", "production") == ("t2",)
    assert woken(store) == {"t2"}


def test_a_paused_thread_lets_others_pass_and_comes_back_behind_them(store: Store) -> None:
    first, _ = lines_up(store, "t1"), lines_up(store, "t2")
    woken(store)

    paused = store.append(first, Paused(at=NOON, by="ann"))

    assert store.line("backend", "production") == ("t2",)
    assert woken(store) == {"t2"}
    store.append(paused, Resumed(at=NOON, by="ann"))
    assert store.line("backend", "production") == ("t2", "t1")


def test_who_is_next_is_woken_by_whatever_frees_the_place(store: Store) -> None:
    claim = operation(store)
    running = store.append(store.load("t0"), said("go"), claim=claim, hold=held())
    lines_up(store, "t1")
    lines_up(store, "t2")
    woken(store)

    store.append(running, said("over", 2), release=claim)
    assert "t1" in woken(store)
    store.append(store.load("t9"), free=held())
    assert "t1" in woken(store)
    store.append(store.load("t9"), hold=held("ben"))
    woken(store)
    store.append(store.load("t9"), hold=held("mia"), free=held("ben"))
    assert "t1" in woken(store)
    assert "t2" not in woken(store)


def test_freeing_a_whole_environment_wakes_who_is_next_for_each_service(store: Store) -> None:
    everything = held(service=None)
    store.append(store.load("t0"), hold=everything)
    lines_up(store, "t1")
    lines_up(store, "t2")
    lines_up(store, "t3", "frontend")
    woken(store)

    store.append(store.load("t0"), free=everything)

    assert woken(store) == {"t1", "t3"}


def test_a_thread_that_can_no_longer_move_is_taken_out_of_the_line(store: Store) -> None:
    lines_up(store, "t1")
    lines_up(store, "t2")
    woken(store)

    store.leave_line("t1", "backend", "production")

    assert store.line("backend", "production") == ("t2",)
    assert woken(store) == {"t2"}


# -- stopping ----------------------------------------------------------------------


def test_a_wish_to_stop_reaches_the_worker_that_renews_its_lease(store: Store) -> None:
    story = Story()
    story.verified_on_staging().model_will(
        Deploy(service="backend", ref="main", environment="production", reason="asked to")
    )
    story.person_says("deploy the backend")
    events = story.thread.events
    request = story.request
    at = request.expires_at - timedelta(minutes=1)
    granted = ApprovalGranted(
        at=at,
        by="ben",
        delivery="g1",
        request_id=request.id,
        digest=request.digest,
        channel="api",
    )
    claim = operation(store, "r9")
    started = DeployStarted(
        at=at, by="worker", request_id=request.id, digest=request.digest, operation="r9", fence=1
    )
    thread = store.append(store.load("t1"), *events, granted, started, claim=claim)
    store.heartbeat(claim)

    wish = StopRequested(at=at, by="ann", delivery="s1", reason="errors")
    store.append(thread, wish)

    with pytest.raises(CancelledError, match="ann stopped it: errors"):
        store.heartbeat(claim)


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
