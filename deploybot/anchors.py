"""Notices that the store has lost what it acknowledged: a target knows an order that no thread does.

A chain of seals cannot show that its end is missing, so what stands elsewhere must. No I/O of its own.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress

from deploy.journal import BY_HAND
from deploy.locks import Hold
from deploy.records import BeganRecord, ClosedRecord, Record
from deploybot.errors import ConflictError, DuplicateError
from deploybot.events import ApprovalRequested, HoldPlaced
from deploybot.ports import Clockwork, Store
from deploybot.thread import ALIAS_DAYS, thread_id_for

KEEPER = "deploybot"
"""Who holds a place of which the store has lost something."""


class Anchors:
    """Holds the store against the journals of targets; `alarm` is told a name and a sentence."""

    def __init__(self, store: Store, clock: Clockwork, alarm: Callable[[str, str], object]) -> None:
        self._store = store
        self._clock = clock
        self._alarm = alarm

    def check(self, service: str, environment: str, newest_first: Iterable[Record]) -> None:
        """Hold the environment, once, if the last order of this journal is in no thread."""
        fenced = (r for r in newest_first if isinstance(r, BeganRecord | ClosedRecord))
        last = next((r for r in fenced if not r.approval_id.startswith(BY_HAND)), None)
        if last is None or (self._clock.now() - last.at).days >= ALIAS_DAYS:
            return
        if self._store.find(f"operation:{last.approval_id}") is None:
            self._hold(service, environment, last)

    def shown(self, thread_id: str, request_id: str) -> None:
        """Sound the alarm if people answer a card whose request its thread does not hold."""
        events = self._store.load(thread_id).events
        if any(isinstance(e, ApprovalRequested) and e.request.id == request_id for e in events):
            return
        self._alarm(
            f"lost:{thread_id}",
            f"The store has lost what it had acknowledged: somebody answered the card of request "
            f"{request_id}, and thread {thread_id} does not know of it. The answer changed "
            "nothing. Older data, or another store, seem to be in use: look at what is live and "
            "ask again.",
        )

    def _hold(self, service: str, environment: str, last: BeganRecord | ClosedRecord) -> None:
        now, key = self._clock.now(), f"lost:{last.approval_id}"
        text = (
            f"The store has lost what it had acknowledged: {service} on {environment} has run "
            f"{last.approval_id} ({last.at:%Y-%m-%d %H:%M} UTC), and no thread knows of it. Older "
            "data seem to be in use."
        )
        hold = Hold(service=None, environment=environment, owner=KEEPER, reason=text, at=now)
        placed = HoldPlaced(at=now, by=KEEPER, delivery=key, hold=hold)
        thread = self._store.load(thread_id_for("lost", environment, last.approval_id))
        there = (h for h in self._store.holds() if h.service is None and h.made_by == "person")
        before = next((h for h in there if h.environment == environment), None)
        self._store.saw_fence(service, environment, last.fence)
        with suppress(
            DuplicateError, ConflictError
        ):  # an approver has freed it, or another was first
            self._store.append(thread, placed, hold=hold, free=before, dedupe=(key,))
            self._alarm(
                key,
                f"{text} Nothing is deployed to {environment} until an approver has looked at what "
                f"is live there and frees it: “unlock {environment}”.",
            )
