"""Reads what Redis keeps of threads a page at a time, as it is kept: to be judged, not to be used."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any, cast

import redis

from deploybot.audit import Stored
from deploybot.queue import PREFIX, answering
from deploybot.store import THREADS, stream_key

PAGE = 1000
SPOOL = 1 << 20
"""Bytes of thread ids that are kept in memory; more of them go to a file."""


class RedisLedger:
    """The threads of one Redis."""

    def __init__(self, connection: redis.Redis) -> None:
        self._redis = connection

    def page(self, thread_id: str, after: int, count: int) -> list[Stored]:
        """Return the next entries behind event number `after`."""
        with answering():
            found = self._redis.xrange(stream_key(thread_id), min=f"({after}-0", count=count)
        return cast(list[Stored], found)

    def cut_off(self, thread_id: str, last: int) -> bool:
        """Tell whether entries behind event number `last` were there once, and are gone."""
        with answering():
            told = self._redis.xinfo_stream(stream_key(thread_id))
        ids = [_text(told.get("last-generated-id")), _text(told.get("max-deleted-entry-id"))]
        return any(int(each.partition("-")[0] or 0) > last for each in ids)

    def shown_in(self, thread_id: str) -> Mapping[str, tuple[str, ...]]:
        """Return which channels have shown which request: request id → channels."""
        with answering():
            noted = cast(dict[bytes, bytes], self._redis.hgetall(f"{PREFIX}outbox:{thread_id}"))
        shown: dict[str, dict[str, None]] = {}
        for key in sorted(noted):
            channel, _, telling = key.decode(errors="replace").partition(":")
            kind, _, about = telling.partition(":")
            if kind == "card":
                request = about.partition(":")[0].partition("@")[0]
                shown.setdefault(request, {})[channel] = None
        return {request: tuple(channels) for request, channels in shown.items()}

    @contextmanager
    def threads(self) -> Iterator["Threads"]:
        """Take down which threads there are now, oldest activity first, each once.

        Also those of which only the events are left, and those of which they are gone.
        """
        with tempfile.SpooledTemporaryFile(max_size=SPOOL) as file:
            top = self._newest()
            early = _written(file, self._listed(0, top))
            late = set(self._listed(top + 1, None))
            strays = _written(file, self._unlisted(late))
            yield Threads(cast("IO[bytes]", file), late, early + strays + len(late))

    def _newest(self) -> int:
        with answering():
            found = cast(list[Any], self._redis.zrange(THREADS, 0, 0, desc=True, withscores=True))
        return int(found[0][1]) if found else 0

    def _listed(self, low: int, high: int | None) -> Iterator[bytes]:
        """Yield the threads last written to between two times of the store.

        By time and not by rank: what is written to meanwhile moves to the end, and no other
        thread's turn is missed by it.
        """
        last, many = b"", PAGE
        while True:
            with answering():
                found = cast(
                    list[Any],
                    self._redis.zrangebyscore(
                        THREADS, low, "+inf" if high is None else high, 0, many, withscores=True
                    ),
                )
            new = [(member, int(score)) for member, score in found if (score, member) > (low, last)]
            yield from (member for member, _ in new)
            if len(found) < many:
                return
            if new:
                last, low = new[-1]
            many = PAGE if new else 2 * many

    def _unlisted(self, late: set[bytes]) -> Iterator[bytes]:
        """Yield the threads that the list does not name."""
        prefix = stream_key("").encode()
        with answering():
            for key in self._redis.scan_iter(match=f"{prefix.decode()}*", count=PAGE):
                member = cast(bytes, key).removeprefix(prefix)
                if member not in late and self._redis.zscore(THREADS, member) is None:
                    yield member


class Threads:
    """Thread ids that were taken down: about how many, and one after the other."""

    def __init__(self, file: IO[bytes], late: set[bytes], count: int) -> None:
        self._file = file
        self._late = late
        self.count = count

    def __iter__(self) -> Iterator[str]:
        """Yield each id, those last that were written to meanwhile."""
        self._file.seek(0)
        for line in self._file:
            member = line.rstrip(b"\n")
            if member not in self._late:
                yield member.decode(errors="replace")
        yield from (member.decode(errors="replace") for member in sorted(self._late))


def _written(file: "tempfile.SpooledTemporaryFile[bytes]", members: Iterator[bytes]) -> int:
    count = 0
    for member in members:
        file.write(member + b"\n")
        count += 1
    return count


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value or "0-0")
