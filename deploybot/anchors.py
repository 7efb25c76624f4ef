"""Notices that the store has lost what it acknowledged: a target, or a card, knows what no thread does.

A chain of seals cannot show that its end is missing, so what stands elsewhere must. No I/O of its own.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass

from deploy.journal import BY_HAND
from deploy.locks import Hold
from deploy.records import BeganRecord, ClosedRecord, Record
from deploybot.errors import ConflictError, DuplicateError, HoldChangedError
from deploybot.events import ApprovalRequested, HoldPlaced
from deploybot.ports import Clockwork, Store
from deploybot.thread import ALIAS_DAYS, thread_id_for

KEEPER = "deploybot"
"""Who holds a place of which the store has lost something."""
LOST = "The store has lost what it had acknowledged"
TRIES = 5
"""How often a place is held again when somebody locks or frees it at the same moment."""


@dataclass(frozen=True)
class Shown:
    """What one of the bot's own cards said, which somebody answered: nothing that anybody could make up."""

    thread: str
    request: str
    head: str
    """MAC of the thread's last event when the card was shown."""
    environment: str
    """Where it would run; "" for nowhere that there still is."""


class Anchors:
    """Holds the store against what stands elsewhere; `alarm` is told a name and a sentence."""

    def __init__(self, store: Store, clock: Clockwork, alarm: Callable[[str, str], object]) -> None:
        self._store = store
        self._clock = clock
        self._alarm = alarm

    def check(self, service: str, environment: str, newest_first: Iterable[Record]) -> None:
        """Hold the environment, once, if the last order of this journal is in no thread as it began."""
        fenced = (r for r in newest_first if isinstance(r, BeganRecord | ClosedRecord))
        last = next((r for r in fenced if not r.approval_id.startswith(BY_HAND)), None)
        if last is None or (self._clock.now() - last.at).days >= ALIAS_DAYS:
            return
        when = f"{last.at:%Y-%m-%d %H:%M} UTC"
        ran = f"{service} on {environment} has run {last.approval_id} ({when})"
        thread = self._store.find(f"operation:{last.approval_id}")
        if thread is None:
            lost = f"{ran}, and no thread knows of it."
        elif isinstance(last, BeganRecord) and not self._ended_at(thread, last.head):
            lost = f"{ran}, and thread {thread} is not the one that it came from."
        else:
            return
        self._store.saw_fence(service, environment, last.fence)
        self._hold(environment, last.approval_id, f"{lost} Older data seem to be in use.")

    def answered(self, shown: Shown) -> bool:
        """Tell whether the log was rolled back behind a card; hold the environment, once, if it was.

        Only what the bot itself has shown may be judged here: whoever can make it up could hold any
        place.
        """
        if self._ended_at(shown.thread, shown.head):
            return False
        lost = (
            f"somebody answered the card of request {shown.request}, and thread {shown.thread} lacks "
            "what it showed. The answer changed nothing. Older data, or another store, seem to be in "
            "use."
        )
        if shown.environment:
            self._hold(shown.environment, shown.request, lost)
        else:
            self._alarm(f"lost:{shown.request}", f"{LOST}: {lost} Look at what is live.")
        return True

    def is_held(self, environment: str) -> bool:
        """Tell whether the environment is held for something that was lost."""
        return any(h.environment == environment and h.owner == KEEPER for h in self._store.holds())

    def shown(self, thread_id: str, request_id: str) -> None:
        """Sound the alarm if people answer a card whose request its thread does not hold.

        It says no more than that, such as a card of an earlier version; so nothing is held.
        """
        events = self._store.load(thread_id).events
        if any(isinstance(e, ApprovalRequested) and e.request.id == request_id for e in events):
            return
        self._alarm(
            f"lost:{thread_id}",
            f"{LOST}: somebody answered the card of request {request_id}, and thread {thread_id} does "
            "not know of it. The answer changed nothing. Older data, or another store, seem to be in "
            "use: look at what is live and ask again.",
        )

    def _ended_at(self, thread_id: str, head: str) -> bool:
        """Tell whether the thread has had this head; what names none is believed."""
        return not head or self._store.sealed(thread_id, head)

    def _hold(self, environment: str, about: str, lost: str) -> None:
        """Hold the environment and sound the alarm, once for each request that something was lost of."""
        now, key = self._clock.now(), f"lost:{about}"
        text = f"{LOST}: {lost}"
        hold = Hold(service=None, environment=environment, owner=KEEPER, reason=text, at=now)
        placed = HoldPlaced(at=now, by=KEEPER, delivery=key, hold=hold)
        with suppress(
            DuplicateError, ConflictError
        ):  # an approver has freed it, or another was first
            self._place(placed, thread_id_for("lost", environment, about))
            self._alarm(
                key,
                f"{text} Nothing is deployed to {environment} until an approver has looked at what "
                f"is live there and frees it: “unlock {environment}”.",
            )

    def _place(self, placed: HoldPlaced, thread_id: str) -> None:
        """Place the hold instead of what a person holds there."""
        thread, where = self._store.load(thread_id), placed.hold.environment
        for left in reversed(range(TRIES)):
            there = (h for h in self._store.holds() if h.service is None and h.made_by == "person")
            before = next((h for h in there if h.environment == where), None)
            try:
                self._store.append(
                    thread, placed, hold=placed.hold, free=before, dedupe=(placed.delivery,)
                )
            except HoldChangedError:
                if not left:
                    raise
            else:
                return
