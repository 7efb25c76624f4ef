"""Seals events with MACs chained over a whole thread, and verifies them; where they are kept is the store's matter."""

import hmac
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pydantic import ValidationError

from deploybot.errors import TamperedError, UnknownEventError
from deploybot.events import EVENT, Event
from deploybot.thread import Thread


@dataclass(frozen=True, slots=True)
class Entry:
    """One stored event: its JSON as it was sealed, and its MAC in hex."""

    body: bytes
    mac: str


def seal(key: bytes, thread: Thread, events: Iterable[Event]) -> tuple[Entry, ...]:
    """Return the entries that continue the thread with these events."""
    entries: list[Entry] = []
    previous = thread.head or thread.id
    for event in events:
        body = EVENT.dump_json(event)
        previous = _mac(key, previous, body)
        entries.append(Entry(body, previous))
    return tuple(entries)


def verify(key: bytes, thread: Thread, entries: Iterable[Entry]) -> Thread:
    """Return the thread continued by entries that were stored behind it.

    Raises TamperedError when an entry is not the one that was sealed there, UnknownEventError when it
    is genuine but unknown to this version.
    """
    found = tuple(opened(key, thread.id, entries, after=len(thread.events), head=thread.head))
    if not found:
        return thread
    return thread.extended(*(event for event, _ in found), head=found[-1][1])


def opened(
    key: bytes, thread_id: str, entries: Iterable[Entry], *, after: int = 0, head: str = ""
) -> Iterator[tuple[Event, str]]:
    """Yield the event of each entry, and its MAC, once the entry has proved to be in its place.

    `after` is how many come before, `head` the last one's MAC. Raises what `verify` does.
    """
    previous = head or thread_id
    for number, entry in enumerate(entries, start=after + 1):
        if not hmac.compare_digest(_mac(key, previous, entry.body), entry.mac):
            raise tampered(thread_id, number, "does not verify")
        previous = entry.mac
        try:
            yield EVENT.validate_json(entry.body), previous
        except ValidationError as error:
            raise UnknownEventError(
                f"Event {number} of thread {thread_id} is of a kind that this version does not "
                "know. Nothing was done. Run the version that wrote it, or a newer one.",
            ) from error


def tampered(thread_id: str, number: int, what: str) -> TamperedError:
    """Say that the entries of a thread are not the unbroken row that was written."""
    return TamperedError(
        f"Event {number} of thread {thread_id} {what}. Nothing will be done with this thread. "
        "Find out who wrote to the store, or restore it.",
    )


def _mac(key: bytes, previous: str, body: bytes) -> str:
    return hmac.digest(key, previous.encode() + body, "sha256").hex()
