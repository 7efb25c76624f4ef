from datetime import UTC, datetime, timedelta

from deploybot.events import ApiMessageReceived, Finished, Slept, StepChosen
from deploybot.memory import MemoryStore
from deploybot.next_step import RunTests
from deploybot.thread import ATTENDED, SWEEP

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


class Clock:
    now = NOON

    def __call__(self) -> datetime:
        return self.now


def said() -> ApiMessageReceived:
    return ApiMessageReceived(at=NOON, by="ann", delivery="api:1", text="hello")


def drained(store: MemoryStore) -> list[tuple[str, str]]:
    found = []
    while wake_up := store.next_wake_up():
        found.append(wake_up)
    return found


def test_an_append_asks_for_the_next_step_and_for_a_delivery_once() -> None:
    store = MemoryStore(now=Clock())

    store.append(store.append(store.load("t1"), said()), said())

    assert drained(store) == [("deliver", "t1"), ("advance", "t1")]


def test_a_thread_that_lies_still_is_woken_again() -> None:
    clock = Clock()
    store = MemoryStore(now=clock)
    store.append(store.load("t1"), said())
    drained(store)

    clock.now += SWEEP

    assert drained(store) == [("advance", "t1")]


def test_a_caller_that_goes_on_by_itself_is_woken_only_when_it_lies_still() -> None:
    clock = Clock()
    store = MemoryStore(now=clock)
    store.append(store.load("t1"), said(), wake=False)
    assert drained(store) == [("deliver", "t1")]

    clock.now += SWEEP

    assert drained(store) == [("advance", "t1")]


def test_an_operation_that_a_worker_is_at_is_left_alone_until_it_falls_silent() -> None:
    clock = Clock()
    store = MemoryStore(now=clock)
    chosen = StepChosen(
        at=NOON, by="agent:code", step=RunTests(environment="staging"), model="code"
    )
    thread = store.append(store.append(store.load("t1"), said()), chosen)
    drained(store)

    clock.now += SWEEP - timedelta(seconds=1)
    assert store.attend(thread, "one")
    clock.now += ATTENDED - timedelta(seconds=1)
    assert not store.attend(thread, "another")
    assert drained(store) == []
    clock.now += timedelta(seconds=1)

    assert drained(store) == [("operate", "t1")]
    assert store.attend(thread, "another")
    assert not store.attend(thread, "one")


def test_a_sleeper_is_woken_when_its_time_has_come() -> None:
    clock = Clock()
    store = MemoryStore(now=clock)
    until = NOON + timedelta(hours=1)
    slept = Slept(at=NOON, by="agent:deploy", until=until, reason="later")
    store.append(store.load("t1"), said(), slept)
    assert drained(store) == [("deliver", "t1")]

    clock.now = until - timedelta(seconds=1)
    assert drained(store) == []
    clock.now = until
    assert drained(store) == [("advance", "t1")]


def test_a_thread_that_is_done_is_never_woken() -> None:
    clock = Clock()
    store = MemoryStore(now=clock)
    store.append(store.load("t1"), said(), Finished(at=NOON, by="agent:deploy", message="done"))
    drained(store)

    clock.now += timedelta(days=365)

    assert drained(store) == []
