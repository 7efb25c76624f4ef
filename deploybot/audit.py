"""Goes through threads event by event: whether each is in its place, and what came of each request.

Pure, and in constant memory: no thread is ever held whole. Where the entries are kept is `ledger`'s
matter, how the findings look the command line's.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from deploybot.chain import Entry, opened, tampered
from deploybot.changes import Change, Changes
from deploybot.errors import (
    IllegalEventError,
    OperatorError,
    StoreUnavailableError,
    TamperedError,
)
from deploybot.events import Event
from deploybot.thread import Standing, after

PAGE = 500

Stored = tuple[bytes, Mapping[bytes, bytes]]
"""One entry as it is kept: its id and its fields."""


class Ledger(Protocol):
    """Where the entries of threads are kept."""

    def page(self, thread_id: str, after: int, count: int) -> list[Stored]:
        """Return the next entries behind event number `after`."""

    def cut_off(self, thread_id: str, last: int) -> bool:
        """Tell whether entries behind event number `last` were there once, and are gone."""

    def shown_in(self, thread_id: str) -> Mapping[str, tuple[str, ...]]:
        """Return which channels have shown which request: request id → channels."""


@dataclass(frozen=True)
class Bad:
    """The first entry of a thread that is not as it should be."""

    thread: str
    number: int
    text: str


@dataclass
class Examined:
    """One thread, gone through while `changes` is taken; complete when that has ended."""

    thread_id: str
    events: int = 0
    bad: Bad | None = None
    started: datetime | None = None
    ended: datetime | None = None
    standing: Standing = field(default_factory=Standing)


class Audit:
    """Goes through threads that were sealed with `key`."""

    def __init__(self, ledger: Ledger, key: bytes) -> None:
        self._ledger = ledger
        self._key = key

    def changes(self, examined: Examined) -> Iterator[Change]:
        """Yield what came of each request, oldest first, up to the first bad entry.

        What is yielded has been verified. `examined` says at the end how far that was.
        """
        changes = Changes(examined.thread_id, self._ledger.shown_in(examined.thread_id))
        for event in self._verified(examined):
            yield from changes.after(event)
        yield from changes.rest()

    def _verified(self, examined: Examined) -> Iterator[Event]:
        try:
            for event in self._events(examined):
                examined.standing = after(examined.standing, event)
                examined.events += 1
                examined.started = examined.started or event.at
                examined.ended = event.at
                yield event
        except TamperedError as error:
            examined.bad = self._bad(examined, str(error))
        except IllegalEventError as error:
            text = f"It is sealed, and cannot follow what stands before it: {error}"
            examined.bad = self._bad(examined, text)
        except StoreUnavailableError:
            raise  # says nothing about the thread
        except OperatorError as error:
            examined.bad = self._bad(examined, str(error))

    def _bad(self, examined: Examined, text: str) -> Bad:
        return Bad(examined.thread_id, examined.events + 1, text)

    def _events(self, examined: Examined) -> Iterator[Event]:
        thread_id, head = examined.thread_id, ""
        while page := self._ledger.page(thread_id, examined.events, PAGE):
            start = examined.events
            entries = _in_place(thread_id, start, page)
            for event, mac in opened(self._key, thread_id, entries, after=start, head=head):
                head = mac
                yield event
        if not examined.events:
            raise tampered(thread_id, 1, "is missing: the thread is listed and has no events")
        if self._ledger.cut_off(thread_id, examined.events):
            raise tampered(thread_id, examined.events + 1, "was there once, and has been removed")


def _in_place(thread_id: str, start: int, page: Iterable[Stored]) -> Iterator[Entry]:
    """Read the entries of a page, each of which must stand where it belongs."""
    for number, (entry_id, fields) in enumerate(page, start=start + 1):
        if entry_id != b"%d-0" % number or fields.keys() != {b"e", b"m"}:
            raise tampered(thread_id, number, "is missing or was replaced")
        yield Entry(fields[b"e"], fields[b"m"].decode(errors="replace"))
