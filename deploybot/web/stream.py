"""Follows threads as they grow: one look at the store per process feeds every follower.

What a follower makes of it, lines of Server-Sent Events or a page, is the routes'.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Protocol

from deploybot.errors import OperatorError, StoreUnavailableError, ThreadNotFoundError
from deploybot.thread import Thread
from deploybot.web.followed import Followed, Happened, Item, Stands, Told, last_started

LOOK_SECONDS = 0.1
"""How often the store is asked what has changed, while anybody follows anything."""
PROGRESS_LOOKS = 4
"""At every so many looks the progress of the deploys that run is read."""
RECHECK_LOOKS = 50
"""After this many looks each followed thread is read again, should the store's clock have gone back."""
MOST_FOLLOWERS = 800
"""More would use up the connections that a process may have open."""
AWAY_SECONDS = 1.0
"""How long to leave a store alone that does not answer."""


class TooManyFollowersError(OperatorError):
    """As many follow here as this process can bear."""


logger = logging.getLogger(__name__)


class Watched(Protocol):
    """What is followed, as the store offers it."""

    def refresh(self, thread: Thread) -> Thread:
        """Return the thread with what was stored since."""

    def changed(self, since: int | None) -> dict[str, int]:
        """Return the threads written to at or after `since`, and when; the last one for None."""

    def progress(self, operation_id: str) -> tuple[dict[str, Any], ...]:
        """Return an operation's progress so far, oldest first."""


@dataclass(frozen=True)
class _Look:
    """What one look at the store has found."""

    times: dict[str, int]
    threads: dict[str, Thread | Exception]
    progress: dict[str, tuple[dict[str, Any], ...]]


class Stream:
    """The threads that grow, for any number of followers in one event loop.

    A follower costs a place in a list, no connection and no thread. Nothing is asked of the store
    while nobody follows.
    """

    def __init__(
        self, store: Watched, *, every: float = LOOK_SECONDS, most: int = MOST_FOLLOWERS
    ) -> None:
        self._store = store
        self._every = every
        self._most = most
        self._followers = 0
        self._followed: dict[str, Followed] = {}
        self._lists: set[asyncio.Queue[str]] = set()
        self._hurry = asyncio.Event()
        self._looked = asyncio.Event()
        self._times: dict[str, int] | None = None
        """The threads written to last, and when; None before the first look."""
        self._tail: asyncio.Task[None] | None = None

    async def follow(self, thread_id: str, after: int = 0) -> AsyncGenerator[Item, None]:
        """Return what happened behind event number `after`, then what happens, without an end.

        Every event comes once and in order. Raises ThreadNotFoundError, TamperedError,
        TooManyFollowersError, or IndexError when the thread has no event `after`. Close it, or
        leave it to the loop to.
        """
        items = self._items(thread_id, after)
        await anext(items)  # joins, so that what is wrong is told before anything is sent
        return items

    async def changes(self) -> AsyncGenerator[frozenset[str], None]:
        """Return the threads that changed, again and again; several changes may come as one.

        The first is empty and comes at once: whoever looks at the list now misses nothing.
        """
        queue: asyncio.Queue[str] = asyncio.Queue()
        self._lists.add(queue)
        self._look_soon()
        try:
            while self._times is None:
                await self._looked.wait()
            yield frozenset()
            while True:
                found = {await queue.get()}
                while not queue.empty():
                    found.add(queue.get_nowait())
                yield frozenset(found)
        finally:
            self._lists.discard(queue)

    async def _items(self, thread_id: str, after: int) -> AsyncGenerator[Any, None]:
        with self._joined(thread_id) as followed:
            while not (followed.is_loaded or followed.error):
                await followed.moved.wait()
            # Who asks may have read more than the last look.
            if after > len(followed.thread.events):
                followed.take(await asyncio.to_thread(self._read, followed.thread))
            if not followed.error:
                _check(followed.thread, after)
                yield None
            seen, told, stood = after, Told(), None
            while True:
                moved = followed.moved
                if followed.error:
                    raise followed.error
                thread = followed.thread
                for seq in range(seen + 1, len(thread.events) + 1):
                    yield Happened(seq, thread.events[seq - 1])
                if (stands := Stands(thread.status, len(thread.events))) != stood:
                    stood = stands
                    yield stands
                seen = len(thread.events)
                for item in told.new(followed):
                    yield item
                if followed.moved is moved:
                    await moved.wait()

    @contextmanager
    def _joined(self, thread_id: str) -> Iterator[Followed]:
        if self._followers >= self._most:
            raise TooManyFollowersError(
                f"{self._followers} follow threads here already; nothing was lost. Try again later."
            )
        self._followers += 1
        followed = self._followed.setdefault(thread_id, Followed(Thread(thread_id)))
        followed.followers += 1
        self._look_soon()
        try:
            yield followed
        finally:
            self._followers -= 1
            followed.followers -= 1
            if not followed.followers and self._followed.get(thread_id) is followed:
                del self._followed[thread_id]

    # -- the one look at the store for everybody -----------------------------------

    def _look_soon(self) -> None:
        loop = asyncio.get_running_loop()
        if self._tail is None or self._tail.done() or self._tail.get_loop() is not loop:
            self._hurry, self._looked, self._times = asyncio.Event(), asyncio.Event(), None
            self._tail = loop.create_task(self._look_on())
        self._hurry.set()

    async def _look_on(self) -> None:
        looks = 0
        while self._followed or self._lists:
            looks += 1
            self._hurry.clear()
            pause = self._every
            try:
                found = await asyncio.to_thread(self._look, self._times, looks)
            except Exception:  # whatever is wrong with the store, followers stay for its return
                logger.exception("following threads", extra={"action": "follow"})
                pause = AWAY_SECONDS
            else:
                self._tell(found, self._times)
                self._times = found.times or self._times or {}
                self._looked.set()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), pause)

    def _look(self, times: dict[str, int] | None, looks: int) -> _Look:
        """Ask the store; not in the event loop's thread."""
        since = max(times.values(), default=0) if times is not None else None
        found = self._store.changed(since)
        new = {thread_id for thread_id, at in found.items() if (times or {}).get(thread_id) != at}
        threads: dict[str, Thread | Exception] = {}
        progress: dict[str, tuple[dict[str, Any], ...]] = {}
        for thread_id, followed in dict(self._followed).items():
            thread = followed.thread
            if looks % RECHECK_LOOKS == 0 or thread_id in new or not followed.is_loaded:
                threads[thread_id] = read = self._read(thread)
                if isinstance(read, Thread) and read is not thread:
                    operation = last_started(followed, read)
                    progress[thread_id] = self._store.progress(operation) if operation else ()
            elif looks % PROGRESS_LOOKS == 0 and (started := thread.standing.started):
                progress[thread_id] = self._store.progress(started.operation)
        return _Look(found, threads, progress)

    def _read(self, thread: Thread) -> Thread | Exception:
        try:
            return self._store.refresh(thread)
        except StoreUnavailableError:
            raise
        except OperatorError as error:  # about this thread alone
            return error

    def _tell(self, found: _Look, before: dict[str, int] | None) -> None:
        for thread_id, read in found.threads.items():
            followed = self._followed.get(thread_id)
            if followed and (read is not followed.thread or not followed.is_loaded):
                followed.take(read)
        for thread_id, lines in found.progress.items():
            if followed := self._followed.get(thread_id):
                followed.take_lines(lines)
        if before is None:
            return
        for thread_id, at in found.times.items():
            if before.get(thread_id) != at:
                for queue in self._lists:
                    queue.put_nowait(thread_id)


def _check(thread: Thread, after: int) -> None:
    if not thread.events:
        raise ThreadNotFoundError(f"There is no thread {thread.id[:60]!r}; nothing was done.")
    if not 0 <= after <= len(thread.events):
        raise IndexError(f"The thread has {len(thread.events)} events, and none after {after}.")
