"""What lists need of many threads: their first and last events, in two questions to the store.

A glance is not verified; it is looked at, and nothing follows from it. Whoever opens the thread, or
acts on it, reads it whole.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

import redis
from pydantic import ValidationError

from deploybot.events import EVENT, Event
from deploybot.queue import PREFIX, answering
from deploybot.store import THREADS, stream_key
from deploybot.thread import Status

TAIL = 3
"""Newest events that are looked at."""
_STATUSES = tuple(Status)


@dataclass(frozen=True)
class Glance:
    """One thread, as far as a list shows it; `last` is oldest first."""

    id: str
    status: str
    length: int
    at: datetime
    first: Event | None
    last: tuple[Event, ...]


def glances(
    connection: redis.Redis, threads: Sequence[str], *, tail: int = TAIL, status: str = ""
) -> tuple[Glance, ...]:
    """Return a glance at each of the threads, in the same order; `status` is theirs, if it is known."""
    if not threads:
        return ()
    asked = () if status else _STATUSES
    with answering(), connection.pipeline(transaction=False) as pipe:
        pipe.zmscore(THREADS, list(threads))
        for each in asked:
            pipe.zmscore(f"{PREFIX}status:{each}", list(threads))
        for name in threads:
            pipe.xrange(stream_key(name), count=1)
            pipe.xrevrange(stream_key(name), count=tail)
        times, *found = pipe.execute()
    known = _statuses(threads, asked, found[: len(asked)])
    ends = found[len(asked) :]
    return tuple(
        Glance(
            id=name,
            status=status or known.get(name, ""),
            length=_length(last),
            at=datetime.fromtimestamp((at or 0) / 1_000_000, UTC),
            first=next(iter(_events(first)), None),
            last=tuple(reversed(_events(last))),
        )
        for name, at, first, last in zip(threads, times, ends[::2], ends[1::2], strict=True)
    )


def count(connection: redis.Redis, statuses: Sequence[str]) -> dict[str, int]:
    """Return how many threads stand at each of the statuses."""
    with answering(), connection.pipeline(transaction=False) as pipe:
        for status in statuses:
            pipe.zcard(f"{PREFIX}status:{status}")
        return dict(zip(statuses, map(int, pipe.execute()), strict=True))


def _statuses(
    threads: Sequence[str], asked: Sequence[str], found: Sequence[Sequence[float | None]]
) -> dict[str, str]:
    return {
        name: str(status)
        for status, places in zip(asked, found, strict=True)
        for name, place in zip(threads, places, strict=True)
        if place is not None
    }


def _length(last: Sequence[tuple[bytes, Any]]) -> int:
    """Return the number of the newest entry: they are numbered without a gap."""
    return int(last[0][0].partition(b"-")[0]) if last else 0


def _events(entries: object) -> list[Event]:
    """Return the events that this version can read."""
    events: list[Event] = []
    for _, fields in cast(list[tuple[bytes, dict[bytes, bytes]]], entries):
        try:
            events.append(EVENT.validate_json(fields.get(b"e", b"")))
        except ValidationError:
            continue
    return events
