import asyncio
import threading
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from deploybot.errors import StoreUnavailableError, TamperedError, ThreadNotFoundError
from deploybot.events import ApiMessageReceived, Finished
from deploybot.memory import MemoryStore
from deploybot.thread import Thread
from deploybot.web.followed import Followed, Happened
from deploybot.web.stream import Stream, TooManyFollowersError

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
WITHIN = 10.0
FINISHED = Finished(at=NOON, by="agent:deploy", message="done")


class CountingStore(MemoryStore):
    """A store that counts what is read, and is away, or broken, when told so."""

    reads = 0
    looks = 0
    is_away = False
    is_broken = False

    def __init__(self) -> None:
        super().__init__(now=lambda: NOON)
        self.was_away = threading.Event()

    def refresh(self, thread: Thread) -> Thread:
        self.reads += 1
        if self.is_broken:
            raise TamperedError("Event 2 does not verify.")
        return super().refresh(thread)

    def changed(self, since: int | None) -> dict[str, int]:
        self.looks += 1
        if self.is_away:
            self.was_away.set()
            raise StoreUnavailableError("gone")
        return super().changed(since)


@pytest.fixture
def store() -> CountingStore:
    return CountingStore()


@pytest.fixture
def stream(store: CountingStore) -> Stream:
    return Stream(store, every=0.01)


def grow(store: MemoryStore, thread_id: str, *texts: str) -> None:
    for text in texts:
        thread = store.load(thread_id)
        at = NOON + timedelta(seconds=len(thread.events))
        store.append(thread, ApiMessageReceived(at=at, by="ann", delivery=text, text=text))


async def heard(items: AsyncIterator[object], number: int) -> list[tuple[int, str]]:
    """Take this many events off a stream."""
    found = []
    async with asyncio.timeout(WITHIN):
        while len(found) < number:
            item = await anext(items)
            if isinstance(item, Happened) and isinstance(item.event, ApiMessageReceived):
                found.append((item.seq, item.event.text))
    return found


def test_a_follower_gets_what_was_and_what_comes_once_and_in_order(store, stream):
    async def scene() -> list[tuple[int, str]]:
        grow(store, "t1", "one", "two")
        items = await stream.follow("t1")
        first = await heard(items, 2)
        grow(store, "t1", "three")
        return first + await heard(items, 1)

    assert asyncio.run(scene()) == [(1, "one"), (2, "two"), (3, "three")]


def test_a_follower_goes_on_behind_what_it_has_had(store, stream):
    async def scene() -> list[tuple[int, str]]:
        grow(store, "t1", "one", "two", "three")
        return await heard(await stream.follow("t1", after=2), 1)

    assert asyncio.run(scene()) == [(3, "three")]


def test_who_has_read_more_than_the_last_look_goes_on_from_there(store):
    stream = Stream(store, every=3600)

    async def scene() -> list[tuple[int, str]]:
        grow(store, "t1", "one")
        earlier = await stream.follow("t1")
        await heard(earlier, 1)
        grow(store, "t1", "two", "three")
        return await heard(await stream.follow("t1", after=2), 1)

    assert asyncio.run(scene()) == [(3, "three")]


def test_many_followers_cost_as_many_reads_as_one(store, stream):
    async def scene() -> list[list[tuple[int, str]]]:
        grow(store, "t1", "one")
        followers = [await stream.follow("t1") for _ in range(100)]
        for items in followers:
            await heard(items, 1)
        before = store.reads
        grow(store, "t1", "two")
        found = [await heard(items, 1) for items in followers]
        assert store.reads - before <= 2  # `grow` reads once itself
        return found

    assert asyncio.run(scene()) == [[(2, "two")]] * 100


def test_threads_that_nobody_follows_are_not_read(store, stream):
    async def scene() -> None:
        grow(store, "t1", "one")
        items = await stream.follow("t1")
        await heard(items, 1)
        before = store.reads
        for number in range(20):
            grow(store, f"other{number}", "hello")
        grow(store, "t1", "two")
        await heard(items, 1)
        assert store.reads - before <= 20 + 2

    asyncio.run(scene())


def test_nothing_is_asked_once_the_last_follower_has_gone(store, stream):
    async def scene() -> int:
        grow(store, "t1", "one")
        items = await stream.follow("t1")
        await heard(items, 1)
        await items.aclose()
        await asyncio.wait_for(asyncio.shield(stream._tail), WITHIN)
        return len(stream._followed)

    assert asyncio.run(scene()) == 0


def test_a_store_that_was_away_is_followed_on(store, stream):
    async def scene() -> list[tuple[int, str]]:
        grow(store, "t1", "one")
        items = await stream.follow("t1")
        await heard(items, 1)
        store.is_away = True
        grow(store, "t1", "two")
        assert await asyncio.to_thread(store.was_away.wait, WITHIN)
        store.is_away = False
        return await heard(items, 1)

    assert asyncio.run(scene()) == [(2, "two")]


def test_no_more_follow_than_a_process_can_bear(store):
    stream = Stream(store, every=0.01, most=2)
    grow(store, "t1", "one")

    async def scene() -> None:
        both = [await stream.follow("t1") for _ in range(2)]
        with pytest.raises(TooManyFollowersError, match="2 follow"):
            await stream.follow("t1")
        await both[0].aclose()
        await heard(await stream.follow("t1"), 1)

    asyncio.run(scene())


def test_whoever_follows_a_thread_that_stops_verifying_is_told(store, stream):
    async def scene() -> None:
        grow(store, "t1", "one")
        items = await stream.follow("t1")
        await heard(items, 1)
        store.is_broken = True
        MemoryStore.append(store, MemoryStore.refresh(store, Thread("t1")), FINISHED)
        with pytest.raises(TamperedError):
            await heard(items, 5)

    asyncio.run(scene())


def test_a_thread_that_nobody_has_started_is_not_followed(stream):
    with pytest.raises(ThreadNotFoundError, match="no thread 't9'"):
        asyncio.run(stream.follow("t9"))


def test_an_event_that_does_not_exist_cannot_be_gone_on_from(store, stream):
    grow(store, "t1", "one")

    with pytest.raises(IndexError, match="has 1 events, and none after 2"):
        asyncio.run(stream.follow("t1", after=2))


def test_a_thread_that_does_not_verify_is_not_followed(store, stream):
    store.is_broken = True

    with pytest.raises(TamperedError):
        asyncio.run(stream.follow("t1"))


def test_the_list_is_told_which_threads_changed(store, stream):
    async def scene() -> list[frozenset[str]]:
        grow(store, "old", "one")
        changes = stream.changes()
        async with asyncio.timeout(WITHIN):
            found = [await anext(changes)]
            grow(store, "t1", "hello")
            found.append(await anext(changes))
            grow(store, "old", "two")
            found.append(await anext(changes))
        return found

    assert asyncio.run(scene()) == [frozenset(), {"t1"}, {"old"}]


def test_lines_of_progress_come_once_though_the_store_keeps_only_the_last():
    followed = Followed(Thread("t1"))
    lines = [{"line": number} for number in range(9)]

    followed.take_lines(tuple(lines[:4]))
    followed.take_lines(tuple(lines[:6]))
    followed.take_lines(tuple(lines[4:9]))
    followed.take_lines(tuple(lines[4:9]))

    assert list(followed.lines) == lines


def test_a_finished_thread_stays_followed(store, stream):
    async def scene() -> list[tuple[int, str]]:
        grow(store, "t1", "one")
        items = await stream.follow("t1")
        await heard(items, 1)
        store.append(store.load("t1"), FINISHED)
        grow(store, "t1", "again")
        return await heard(items, 1)

    assert asyncio.run(scene()) == [(3, "again")]
