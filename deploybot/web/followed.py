"""One thread that somebody follows: what is told of it, and how far each follower has come.

How it is kept up to date is `stream`'s.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from deploybot.events import DeployStarted, Event
from deploybot.thread import Status, Thread


@dataclass(frozen=True)
class Happened:
    """One stored event of the thread; `seq` counts from 1."""

    seq: int
    event: Event


@dataclass(frozen=True)
class Progressed:
    """One line of the progress of the deploy that runs: no event, and gone after a day."""

    operation: str
    entry: Mapping[str, Any]


@dataclass(frozen=True)
class Stands:
    """Where the thread stands after the events that were told; told at first and with each change."""

    status: Status
    length: int


Item = Happened | Progressed | Stands


@dataclass
class Followed:
    """One thread that somebody follows, as it was at the last look."""

    thread: Thread
    followers: int = 0
    is_loaded: bool = False
    operation: str = ""
    """The operation that runs, or that ran last while somebody followed."""
    lines: tuple[dict[str, Any], ...] = ()
    """All its progress so far, also what the store has let go since."""
    error: Exception | None = None
    moved: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self, read: Thread | Exception) -> None:
        """Go on from what was read, and wake everybody who waits for this thread."""
        if isinstance(read, Exception):
            self.error = read
        else:
            if (operation := last_started(self, read)) != self.operation:
                self.operation, self.lines = operation, ()
            self.thread, self.is_loaded = read, True
        self._wake()

    def take_lines(self, kept: tuple[dict[str, Any], ...]) -> None:
        """Add the lines that are new; the store keeps only the last ones."""
        old = self.lines[-len(kept) :] if kept else ()
        overlap = next(n for n in range(len(old), -1, -1) if old[len(old) - n :] == kept[:n])
        if overlap < len(kept):
            self.lines += kept[overlap:]
            self._wake()

    def _wake(self) -> None:
        self.moved.set()
        self.moved = asyncio.Event()


def last_started(followed: Followed, read: Thread) -> str:
    """Return the operation that runs in what was read, or else began since the last look."""
    if read.standing.started is not None:
        return read.standing.started.operation
    since = read.events[len(followed.thread.events) :] if followed.is_loaded else ()
    began = (event.operation for event in reversed(since) if isinstance(event, DeployStarted))
    return next(began, followed.operation)


@dataclass
class Told:
    """Which lines of progress one follower has had."""

    operation: str = ""
    lines: int = 0

    def new(self, followed: Followed) -> list[Progressed]:
        """Return the lines it has not had, of the operation that runs or has just ended."""
        if followed.operation != self.operation:
            self.operation, self.lines = followed.operation, 0
        lines = followed.lines[self.lines :]
        self.lines += len(lines)
        return [Progressed(self.operation, line) for line in lines]
