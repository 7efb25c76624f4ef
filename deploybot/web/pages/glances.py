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
        for name in threads:
            key = stream_key(name)
            pipe.zscore(THREADS, name)
            pipe.xlen(key)
            pipe.xrange(key, count=1)
            pipe.xrevrange(key, count=tail)
            for each in asked:
                pipe.zscore(f"{PREFIX}status:{each}", name)
        found = pipe.execute()
    width = 4 + len(asked)
    return tuple(
        _glance(name, found[at : at + width], status)
        for name, at in zip(threads, range(0, len(found), width), strict=True)
    )


def count(connection: redis.Redis, statuses: Sequence[str]) -> dict[str, int]:
    """Return how many threads stand at each of the statuses."""
    with answering(), connection.pipeline(transaction=False) as pipe:
        for status in statuses:
            pipe.zcard(f"{PREFIX}status:{status}")
        return dict(zip(statuses, map(int, pipe.execute()), strict=True))


def _glance(name: str, found: Sequence[Any], status: str) -> Glance:
    score, length, first, last, *at = found
    stands = (each for each, place in zip(_STATUSES, at, strict=False) if place is not None)
    return Glance(
        id=name,
        status=status or str(next(stands, "")),
        length=int(length),
        at=datetime.fromtimestamp((score or 0) / 1_000_000, UTC),
        first=next(iter(_events(first)), None),
        last=tuple(reversed(_events(last))),
    )


def _events(entries: object) -> list[Event]:
    """Return the events that this version can read."""
    events: list[Event] = []
    for _, fields in cast(list[tuple[bytes, dict[bytes, bytes]]], entries):
        try:
            events.append(EVENT.validate_json(fields.get(b"e", b"")))
        except ValidationError:
            continue
    return events
