"""Seals events with MACs chained over a whole thread, and verifies them; where they are kept is the store's matter."""

import hmac
from collections.abc import Iterable
from dataclasses import dataclass

from pydantic import ValidationError

from deploybot.errors import OperatorError, TamperedError
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

    Raises TamperedError when an entry is not the one that was sealed there, OperatorError when it
    is genuine but unknown to this version.
    """
    previous = thread.head or thread.id
    events: list[Event] = []
    for number, entry in enumerate(entries, start=len(thread.events) + 1):
        if not hmac.compare_digest(_mac(key, previous, entry.body), entry.mac):
            raise tampered(thread.id, number, "does not verify")
        previous = entry.mac
        try:
            events.append(EVENT.validate_json(entry.body))
        except ValidationError as error:
            raise OperatorError(
                f"Event {number} of thread {thread.id} is of a kind that this version does not "
                "know. Nothing was done. Run the version that wrote it, or a newer one.",
            ) from error
    return thread.extended(*events, head=previous) if events else thread


def tampered(thread_id: str, number: int, what: str) -> TamperedError:
    """Say that the entries of a thread are not the unbroken row that was written."""
    return TamperedError(
        f"Event {number} of thread {thread_id} {what}. Nothing will be done with this thread. "
        "Find out who wrote to the store, or restore it.",
    )


def _mac(key: bytes, previous: str, body: bytes) -> str:
    return hmac.digest(key, previous.encode() + body, "sha256").hex()
