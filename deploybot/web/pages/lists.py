"""The lists of threads: a row each, from glances; and who is waited for, from what stands open."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import redis

from deploybot.approvals import ApprovalRequest, may_answer, may_settle
from deploybot.events import (
    ApprovalEscalated,
    ApprovalGranted,
    ApprovalRequested,
    Escalated,
    Event,
    QuestionAsked,
)
from deploybot.ports import People, Person, Store
from deploybot.thread import Status
from deploybot.web.pages.cards import heading
from deploybot.web.pages.glances import Glance, glances
from deploybot.web.pages.standing import FOR_PEOPLE, Label, label, title
from deploybot.web.pages.timeline import Entry, entry

ROWS = 50
WAITING = 200
"""Threads that wait for people, of each kind, that are looked through."""
TAIL = 4
"""Newest events in which what is open is looked for, before the whole thread is read."""


@dataclass(frozen=True)
class Row:
    """One thread in a list."""

    id: str
    title: str
    label: Label
    at: datetime
    length: int
    last: Entry | None
    """The newest event that is not small print."""


@dataclass(frozen=True)
class Wait:
    """Something that stands open. `mine` tells whether this reader may answer it."""

    id: str
    title: str
    label: Label
    asks: str
    mine: bool
    at: datetime
    until: datetime | None = None
    others: tuple[str, ...] = ()
    """Who may answer it, by name; nobody for what everybody may."""


def rows(
    connection: redis.Redis, threads: Sequence[str], people: People, status: str = ""
) -> tuple[Row, ...]:
    """Return a row for each of the threads; `status` is that of all of them, if it is known."""
    return tuple(_row(glance, people) for glance in glances(connection, threads, status=status))


def waiting(
    connection: redis.Redis, store: Store, people: People, reader: Person
) -> tuple[Wait, ...]:
    """Return what waits for people, this reader's first; the longest wait first."""
    found = [
        _wait(glance, store, people, reader)
        for status in FOR_PEOPLE
        for glance in glances(
            connection,
            store.list(status=str(status), limit=WAITING).threads,
            tail=TAIL,
            status=str(status),
        )
    ]
    return tuple(sorted(filter(None, found), key=lambda wait: (not wait.mine, wait.at)))


def _row(glance: Glance, people: People) -> Row:
    shown = (entry(0, event, people) for event in reversed(glance.last))
    newest = next(shown, None)
    told = newest if newest is None or newest.tone != "small" else _told(shown) or newest
    return Row(
        id=glance.id,
        title=title(glance.first),
        label=label(glance.status),
        at=glance.at,
        length=glance.length,
        last=told,
    )


def _told(shown: Iterable[Entry]) -> Entry | None:
    return next((one for one in shown if one.tone != "small"), None)


def _wait(glance: Glance, store: Store, people: People, reader: Person) -> Wait | None:
    events: Iterable[Event] = glance.last
    asked = _asked(events, glance.status)
    if asked is None:
        events = store.load(glance.id).events
        asked = _asked(events, glance.status)
    match asked:
        case ApprovalRequested(request=request):
            given = {e.by for e in events if _grants(e, request)}
            settles = glance.status == Status.OUTCOME_UNKNOWN
            escalated = any(
                isinstance(e, ApprovalEscalated) and e.request_id == request.id for e in events
            )
            may = [
                p for p in people.known if _may(request, p.id, settles=settles, escalated=escalated)
            ]
            return Wait(
                id=glance.id,
                title=title(glance.first),
                label=label(glance.status),
                asks=heading(request),
                mine=reader in may and (settles or reader.id not in given),
                at=asked.at,
                until=None if settles else request.expires_at,
                others=tuple(p.name for p in may if p != reader and p.id not in given),
            )
        case QuestionAsked(question=asks) | Escalated(reason=asks):
            pass
        case None:
            return None
    return Wait(
        id=glance.id,
        title=title(glance.first),
        label=label(glance.status),
        asks=asks,
        mine=True,
        at=asked.at,
    )


def _asked(
    events: Iterable[Event], status: str
) -> ApprovalRequested | QuestionAsked | Escalated | None:
    """Return what was asked last, of the kind that a thread of this status waits for."""
    kinds = QuestionAsked | Escalated if status == Status.AWAITING_INPUT else ApprovalRequested
    asked = [event for event in events if isinstance(event, kinds)]
    return asked[-1] if asked else None


def _grants(event: Event, request: ApprovalRequest) -> bool:
    return isinstance(event, ApprovalGranted) and event.request_id == request.id


def _may(request: ApprovalRequest, person: str, *, settles: bool, escalated: bool) -> bool:
    if settles:
        return may_settle(request, person) is None
    return may_answer(request, person, escalated=escalated) is None
