"""Lines of waiting threads: when one is joined, and when a place is free; who waits is the store's."""

from datetime import datetime

from deploy.catalog import Catalog
from deploy.errors import ReasonCode
from deploybot.events import LinedUp
from deploybot.next_step import Change, RollBack
from deploybot.ports import Store
from deploybot.thread import Thread

WORTH_WAITING: frozenset[ReasonCode] = frozenset({"operation_running", "in_line", "locked"})
"""Refusals that pass by themselves: the change waits in line instead of being turned away."""


def is_free(store: Store, thread: Thread, now: datetime) -> bool:
    """Tell whether nothing runs, and no lock of others stands, where the thread waits."""
    if thread.standing.line is None:
        return False
    service, environment = thread.standing.line
    if store.operation(service, environment) is not None:
        return False
    return not any(
        hold.covers(service, environment, now)
        and hold.made_by == "person"
        and not hold.warn_only
        and hold.owner not in thread.standing.requesters
        for hold in store.holds()
    )


def lined_up(
    store: Store,
    thread: Thread,
    service: str,
    environment: str,
    *,
    why: str,
    first: bool,
    now: datetime,
) -> LinedUp:
    """Return the fact that the thread waits for the place, and as the how manieth."""
    line = store.line(service, environment)
    ahead = 0 if first else len(line)
    position = line.index(thread.id) if thread.id in line else ahead
    return LinedUp(
        at=now,
        by="agent:code",
        service=service,
        environment=environment,
        position=position + 1,
        why=why,
        first=first,
    )


def jumps(change: Change) -> bool:
    """Tell whether a change goes before those who wait: the way back to what worked."""
    return isinstance(change, RollBack)


def leave_all(store: Store, thread_id: str, catalog: Catalog) -> None:
    """Take out of every line a thread that nobody can read any more, so that others go on."""
    for environment, table in catalog.environments.items():
        for service in table.services:
            if thread_id in store.line(service, environment):
                store.leave_line(thread_id, service, environment)
