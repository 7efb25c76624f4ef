"""The store in memory: the same promises as `store`, for one process and as long as it lives."""

import json
import secrets
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from deploy.locks import Hold
from deploybot.chain import Entry, seal, verify
from deploybot.errors import ConflictError, DuplicateError
from deploybot.events import Event
from deploybot.keeping import (
    Job,
    busy,
    fence_moved,
    hold_changed,
    is_as_seen,
    lease_lost,
    stop_asked,
    stopped,
    waits_for,
)
from deploybot.ports import Operation, Page
from deploybot.redaction import Redactor
from deploybot.thread import ATTENDED, SWEEP, Status, Thread

_Place = tuple[str, str]


def _held(hold: Hold) -> tuple[_Place, str]:
    """Say where a hold is kept: a roll back's stands beside a person's."""
    return ((hold.service or "", hold.environment), hold.made_by)


@dataclass
class _Kept:
    """One thread: its entries and what is known about it."""

    entries: list[Entry] = field(default_factory=list)
    status: str = ""
    activity: int = 0
    due: datetime | None = None
    sent: dict[str, str] = field(default_factory=dict)
    told: int = 0


class MemoryStore:
    """Threads in this process; `now` is the clock, `lease_seconds` how long a lease lasts.

    Nobody is woken by itself: whoever runs the bot takes the wake-ups with `next_wake_up`. What
    `redactor` takes for a secret is not stored.
    """

    def __init__(
        self,
        *,
        now: Callable[[], datetime],
        lease_seconds: float = 20.0,
        redactor: Redactor | None = None,
    ) -> None:
        self._now = now
        self._redactor = redactor or Redactor()
        self._lease = timedelta(seconds=lease_seconds)
        self._key = secrets.token_bytes(32)
        self._lock = threading.RLock()
        self._activity = 0
        self._threads: dict[str, _Kept] = {}
        self._seen: dict[str, str] = {}
        self._aliases: dict[str, str] = {}
        self._operations: dict[_Place, Operation] = {}
        self._fences: dict[_Place, int] = {}
        self._leases: dict[str, datetime] = {}
        self._owners: dict[str, str] = {}
        self._attended: dict[tuple[str, int], tuple[str, datetime]] = {}
        self._holds: dict[tuple[_Place, str], Hold] = {}
        self._progress: dict[str, list[dict[str, Any]]] = {}
        self._lines: dict[_Place, list[str]] = {}
        self._stops: dict[str, str] = {}
        self._wake_ups: deque[tuple[str, str]] = deque()

    # -- threads -------------------------------------------------------------------

    def load(self, thread_id: str) -> Thread:
        """Return the whole thread; an empty one when nobody has written to it."""
        return self.refresh(Thread(thread_id))

    def refresh(self, thread: Thread) -> Thread:
        """Return the thread with what was stored since."""
        with self._lock:
            kept = self._threads.get(thread.id)
            entries = kept.entries[len(thread.events) :] if kept else []
        return verify(self._key, thread, entries)

    def sealed(self, thread_id: str, head: str) -> bool:
        """Tell whether an event of the thread carries this seal, so that the thread once ended there."""
        with self._lock:
            kept = self._threads.get(thread_id)
            return any(entry.mac == head for entry in kept.entries) if kept else False

    def append(
        self,
        thread: Thread,
        *events: Event,
        dedupe: Sequence[str] = (),
        aliases: Sequence[str] = (),
        claim: Operation | None = None,
        release: Operation | None = None,
        hold: Hold | None = None,
        free: Hold | None = None,
        wake: bool = True,
    ) -> Thread:
        """Store the events behind the thread's last one, all or nothing; see `ports.Store`."""
        events = tuple(map(self._redactor.fact, events))
        entries = seal(self._key, thread, events)
        grown = thread.extended(*events, head=entries[-1].mac) if entries else thread
        with self._lock:
            self._refuse(thread, dedupe, claim)
            self._refuse_hold(hold, free)
            kept = self._threads.setdefault(thread.id, _Kept())
            kept.entries += entries
            self._activity += 1
            kept.activity = self._activity
            kept.status = grown.status
            kept.due = grown.due(self._now())
            self._seen.update(dict.fromkeys(dedupe, thread.id))
            self._aliases.update(dict.fromkeys(aliases, thread.id))
            if claim:
                self._take(claim, thread.id)
            if release:
                self._let_go(release)
            if free:
                self._holds.pop(_held(free), None)
            if hold:
                self._holds[_held(hold)] = hold
            self._line_up(thread, grown, freed=release or hold or free)
            if grown.standing.stop and grown.standing.started:
                self._stops[grown.standing.started.operation] = stopped(grown.standing.stop)
            self._wake("deliver", thread.id)
            if (job := grown.job()) and (wake or job != "advance"):
                self._wake(job, thread.id)
        return grown

    def _refuse(self, thread: Thread, dedupe: Sequence[str], claim: Operation | None) -> None:
        for key in dedupe:
            if holder := self._seen.get(key):
                raise DuplicateError(key, holder)
        length = len(kept.entries) if (kept := self._threads.get(thread.id)) else 0
        if length != len(thread.events):
            raise ConflictError(thread.id, len(thread.events), length)
        if not claim:
            return
        if running := self.operation(claim.service, claim.environment):
            raise busy(claim, running)
        if claim.fence != (fence := self.next_fence(claim.service, claim.environment)):
            raise fence_moved(claim, fence)

    def _refuse_hold(self, hold: Hold | None, free: Hold | None) -> None:
        about = hold or free
        if about is None:
            return
        there = self._holds.get(_held(about))
        if not is_as_seen(there, hold, free, self._now()):
            raise hold_changed(about)

    def _take(self, claim: Operation, thread_id: str) -> None:
        place = (claim.service, claim.environment)
        self._operations[place] = claim
        self._fences[place] = claim.fence
        self._leases[claim.id] = self._now() + self._lease
        self._owners[claim.id] = thread_id

    def _let_go(self, release: Operation) -> None:
        place = (release.service, release.environment)
        if (holder := self._operations.get(place)) and holder.id == release.id:
            del self._operations[place]
            self._leases.pop(release.id, None)

    def _line_up(self, before: Thread, after: Thread, freed: Operation | Hold | None) -> None:
        """Keep the lines as the thread's events say, and wake who is next where a place is free."""
        left, joined = waits_for(before), waits_for(after)
        if left and left != joined and before.id in self._lines.get(left, []):
            self._lines[left].remove(before.id)
            self._look_soon(left, but=before.id)
        if joined and before.id not in (line := self._lines.setdefault(joined, [])):
            line.insert(0 if after.standing.jumps_the_line else len(line), before.id)
        if joined and after.status is Status.IN_LINE and self._lines[joined][0] == before.id:
            self._threads[before.id].due = self._now() + SWEEP
        if freed:
            for service, environment in tuple(self._lines):
                if environment == freed.environment and freed.service in (None, service):
                    self._look_soon((service, environment), but=before.id)

    def _look_soon(self, place: _Place, *, but: str) -> None:
        line = self._lines.get(place)
        if line and line[0] != but:
            self._wake("advance", line[0])
            if (head := self._threads[line[0]]).status == Status.IN_LINE:
                head.due = self._now()  # again, should that wake-up be lost

    # -- waking --------------------------------------------------------------------

    def next_wake_up(self) -> tuple[str, str] | None:
        """Take the next wake-up, (job, thread): one that was asked for, or one whose time came."""
        with self._lock:
            if self._wake_ups:
                return self._wake_ups.popleft()
            now = self._now()
            for thread_id, kept in self._threads.items():
                if kept.due and kept.due <= now:
                    kept.due = now + SWEEP
                    return self.load(thread_id).due_job(), thread_id
        return None

    def _wake(self, job: str, thread_id: str) -> None:
        if (job, thread_id) not in self._wake_ups:
            self._wake_ups.append((job, thread_id))

    # -- finding threads -----------------------------------------------------------

    def find(self, alias: str) -> str | None:
        """Return the thread that this alias names, if any."""
        return self._aliases.get(alias)

    def name(self, alias: str, thread_id: str) -> None:
        """Let this alias find the thread."""
        self._aliases[alias] = thread_id

    def list(self, *, status: str = "", limit: int = 50, cursor: str = "") -> Page:
        """Return threads by last activity, newest first; all, or those of one status."""
        with self._lock:
            rows = sorted(
                (
                    (kept.activity, thread_id)
                    for thread_id, kept in self._threads.items()
                    if kept.entries
                    and status in ("", kept.status)
                    and (not cursor or kept.activity < int(cursor.partition("-")[0]))
                ),
                reverse=True,
            )
        page = rows[:limit]
        more = str(page[-1][0]) if page and len(rows) > limit else ""
        return Page(threads=tuple(thread_id for _, thread_id in page), cursor=more)

    def changed(self, since: int | None) -> dict[str, int]:
        """Return the threads written to at or after `since`; the last one only for None."""
        with self._lock:
            rows = {thread_id: kept.activity for thread_id, kept in self._threads.items()}
        if since is None:
            since = max(rows.values(), default=0)
        return {thread_id: at for thread_id, at in rows.items() if at > 0 and since <= at}

    def written(self, threads: Sequence[str]) -> tuple[int | None, ...]:
        """Return when each of these threads was last written to, as `changed` tells time."""
        with self._lock:
            found = [self._threads.get(thread_id) for thread_id in threads]
        return tuple(kept.activity if kept else None for kept in found)

    # -- operations, holds and progress --------------------------------------------

    def next_fence(self, service: str, environment: str) -> int:
        """Return the fence that the next claim must carry."""
        return self._fences.get((service, environment), 0) + 1

    def saw_fence(self, service: str, environment: str, fence: int) -> None:
        """Let the next fence be greater than this one, which a target has seen."""
        with self._lock:
            place = (service, environment)
            self._fences[place] = max(self._fences.get(place, 0), fence)

    def operation(self, service: str, environment: str) -> Operation | None:
        """Return what runs there now, or died there and is not yet settled."""
        return self._operations.get((service, environment))

    def heartbeat(self, operation: Operation) -> None:
        """Renew the lease; raises LeaseLostError when it ran out, CancelledError when it is to stop."""
        with self._lock:
            holder = self._operations.get((operation.service, operation.environment))
            if holder is None or holder.id != operation.id or not self.lease_is_alive(operation):
                raise lease_lost(operation)
            self._leases[operation.id] = self._now() + self._lease
            if why := self._stops.get(operation.id):
                raise stop_asked(why)

    def let_go(self, operation: Operation) -> None:
        """End the lease and keep the place: what runs elsewhere goes on without a worker."""
        self._leases.pop(operation.id, None)

    def later(self, job: Job, thread_id: str, seconds: float) -> None:
        """Have the wake-up made once so many seconds have passed."""
        self._threads[thread_id].due = self._now() + timedelta(seconds=seconds)

    def line(self, service: str, environment: str) -> tuple[str, ...]:
        """Return the threads that wait for the place, the next one first."""
        return tuple(self._lines.get((service, environment), ()))

    def leave_line(self, thread_id: str, service: str, environment: str) -> None:
        """Take a thread out of a line."""
        with self._lock:
            line = self._lines.get((service, environment), [])
            if thread_id in line:
                line.remove(thread_id)
                self._look_soon((service, environment), but=thread_id)

    def lease_is_alive(self, operation: Operation) -> bool:
        """Tell whether a worker still renews this operation's lease."""
        until = self._leases.get(operation.id)
        return until is not None and self._now() < until

    def attend(self, thread: Thread, worker: str) -> bool:
        """Let this worker alone be at what the thread stands at, for the next seconds."""
        now, step = self._now(), (thread.id, len(thread.events))
        with self._lock:
            holder, until = self._attended.get(step, (worker, now))
            if holder != worker and now < until:
                return False
            self._attended[step] = (worker, now + ATTENDED)
            kept = self._threads.get(thread.id)
            if kept and kept.due and len(kept.entries) == len(thread.events):
                kept.due = max(kept.due, now + ATTENDED)
        return True

    def holds(self) -> tuple[Hold, ...]:
        """Return the holds that have not run out, oldest first."""
        now = self._now()
        alive = (h for h in self._holds.values() if h.expires is None or now < h.expires)
        return tuple(sorted(alive, key=lambda hold: hold.at))

    def release_hold(self, service: str, environment: str) -> Hold | None:
        """Remove a roll back's hold, or else a person's; return it if it has not run out."""
        place = (service, environment)
        hold = self._holds.pop((place, "rollback"), None) or self._holds.pop(
            (place, "person"), None
        )
        return hold if hold and (hold.expires is None or self._now() < hold.expires) else None

    def report(self, operation_id: str, entry: dict[str, Any]) -> None:
        """Add to the operation's progress; wakes the delivery of the thread that claimed it."""
        with self._lock:
            line = json.loads(json.dumps(self._redactor.plain(entry), default=str))
            self._progress.setdefault(operation_id, []).append(line)
            if owner := self._owners.get(operation_id):
                self._wake("deliver", owner)

    def progress(self, operation_id: str) -> tuple[dict[str, Any], ...]:
        """Return the operation's progress so far, oldest first."""
        return tuple(self._progress.get(operation_id, ()))

    # -- what was told -------------------------------------------------------------

    def sent(self, thread_id: str) -> dict[str, str]:
        """Return what the outbox has noted of this thread: message key → its own JSON."""
        kept = self._threads.get(thread_id)
        return dict(kept.sent) if kept else {}

    def note_sent(self, thread_id: str, key: str, value: str) -> None:
        """Note that a message went out, and where."""
        self._threads.setdefault(thread_id, _Kept()).sent[key] = value

    def delivered(self, thread_id: str, length: int) -> None:
        """Note that everything up to this length was told."""
        kept = self._threads.setdefault(thread_id, _Kept())
        kept.told = max(kept.told, length)
