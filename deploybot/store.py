"""Keeps threads in Redis: a stream each, and one script that makes an append all or nothing.

What an append asks for is written down here; what it does is in `store_scripts/append.lua`. How a
thread is sealed is `chain`'s, how wake-ups are stored is `queue`'s.
"""

import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, cast

import redis

from deploy import failpoints
from deploy.locks import Hold
from deploybot.chain import Entry, seal, tampered, verify
from deploybot.errors import ConflictError, DuplicateError, StoreUnavailableError
from deploybot.events import Event
from deploybot.keeping import Job, hold_changed, stopped, waits_for
from deploybot.operations import LINES, Operations, claim_refused, line_key, place, stop_key
from deploybot.ports import Operation, Page
from deploybot.queue import PREFIX, Queues, answering, due_key, new_wake_up, script, waking_script
from deploybot.redaction import Redactor
from deploybot.thread import ALIAS_DAYS, ATTENDED, SWEEP, Status, Thread

DAY = 24 * 3600
DEDUPE_SECONDS = 30 * DAY
ALIAS_SECONDS = ALIAS_DAYS * DAY
DELIVERY_GRACE_MS = 5000
"""How long the delivery enqueued with an append may take before the clock enqueues another."""
PATIENCE = 2.0
"""Seconds an append whose outcome is unknown is tried again."""

THREADS = f"{PREFIX}threads"
JOBS: tuple[Job, ...] = ("advance", "operate", "deliver")
_DUE_KEYS = tuple(due_key(job) for job in JOBS)

_UNKNOWN = (redis.ConnectionError, redis.TimeoutError)
_Reply = list[Any]


class RedisStore:
    """Threads in one Redis.

    `connection` must send each command once (`redis_safety.client`), `key` seals the events, `now`
    is the clock that timers are set by, `lease_seconds` is how long a silent worker keeps its operation,
    `sweep_seconds` how long a thread that ought to move may lie still before the clock wakes it.
    What `redactor` takes for a secret is not stored.
    """

    def __init__(
        self,
        connection: redis.Redis,
        *,
        key: bytes,
        now: Callable[[], datetime],
        lease_seconds: float = 20.0,
        sweep_seconds: float = SWEEP.total_seconds(),
        redactor: Redactor | None = None,
    ) -> None:
        self._redis = connection
        self._key = key
        self._now = now
        self._sweep = timedelta(seconds=sweep_seconds)
        self._redactor = redactor or Redactor()
        self._append = waking_script(connection, "append")
        self._delivered = script(connection, "delivered")
        self.queues = Queues(connection)
        self.operations = Operations(connection, now=now, lease_seconds=lease_seconds)

    # -- threads -------------------------------------------------------------------

    def load(self, thread_id: str) -> Thread:
        """Return the whole thread, verified; an empty one when nobody has written to it."""
        return self.refresh(Thread(thread_id))

    def refresh(self, thread: Thread) -> Thread:
        """Return the thread with what was stored since; reads and verifies only that.

        Raises TamperedError when an event does not verify or has disappeared.
        """
        known = len(thread.events)
        stream = stream_key(thread.id)
        with answering():
            if not known:  # nothing can have disappeared: one question instead of two
                whole = cast(list[Any], self._redis.xrange(stream))
                return verify(self._key, thread, _unbroken(thread, whole))
            with self._redis.pipeline(transaction=False) as pipe:
                pipe.xlen(stream)
                pipe.xrange(stream, min=f"({known}-0")
                length, found = pipe.execute()
        if length < known:
            raise tampered(thread.id, length + 1, "has disappeared")
        return verify(self._key, thread, _unbroken(thread, found))

    def sealed(self, thread_id: str, head: str) -> bool:
        """Tell whether an event of the thread carries this seal, so that the thread once ended there."""
        with answering():
            found = cast(list[Any], self._redis.xrange(stream_key(thread_id)))
        return any(fields.get(b"m") == head.encode() for _, fields in found)

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
        """Store the events behind the thread's last one, all or nothing; see `ports.Store`.

        Raises StoreUnavailableError when the store does not answer: the events may then be stored
        or not, and the same append may be tried again without harm.
        """
        events = tuple(map(self._redactor.fact, events))
        entries = seal(self._key, thread, events)
        grown = thread.extended(*events, head=entries[-1].mac) if entries else thread
        also = self.operations.asked(thread.id, claim=claim, release=release, hold=hold, free=free)
        also |= _lining_up(thread, grown, self._sweep) | _stopping(thread, grown)
        if dedupe:
            also["dedupe"] = [f"{PREFIX}seen:{key}" for key in dedupe]
            also["dedupe_seconds"] = DEDUPE_SECONDS
        if aliases:
            also["aliases"] = [_alias_key(alias) for alias in aliases]
            also["alias_seconds"] = ALIAS_SECONDS
        job = grown.job() or ""
        wake_up, at = new_wake_up()
        arguments: list[Any] = [
            thread.id,
            len(thread.events),
            len(entries),
            *self._due(grown),
            job if wake or job != "advance" else "",
            f"{wake_up}-d",
            wake_up,
            at,
            json.dumps(also) if also else "",
        ]
        for entry in entries:
            arguments += (entry.body, entry.mac)
        keys = (
            stream_key(thread.id),
            THREADS,
            status_key(thread.status),
            status_key(grown.status),
            *_DUE_KEYS,
        )
        failpoints.at("store.append.before")
        if claim:
            failpoints.at("store.claim.before")
        if release:
            failpoints.at("store.release.before")
        reply = self._once(thread, entries, keys, arguments)
        if claim:
            failpoints.at("store.claim.after")
        if release:
            failpoints.at("store.release.after")
        if reply == [b"held"] and (about := hold or free):
            raise hold_changed(about)
        _raise_if_refused(reply, thread, dedupe, claim)
        return grown

    def _once(
        self,
        thread: Thread,
        entries: tuple[Entry, ...],
        keys: tuple[str, ...],
        arguments: list[Any],
    ) -> _Reply:
        """Run the append, and find out what became of it when the reply is lost.

        A second try cannot store the events twice, because the script compares the length; what it
        refuses was stored by the first try if the stored MACs are ours.
        """
        deadline = time.monotonic() + PATIENCE
        in_doubt = False
        while True:  # at least twice: a single try that timed out says nothing
            try:
                with answering():
                    reply: _Reply = self._append(keys=keys, args=arguments)
                    failpoints.at("store.append.after", lost=_hung_up)
                break
            except StoreUnavailableError as error:
                over = in_doubt and time.monotonic() > deadline
                if over or not isinstance(error.__cause__, _UNKNOWN):
                    raise
                in_doubt = True
                threading.Event().wait(0.05)
        if in_doubt and reply[0] != b"stored" and self._is_stored(thread, entries):
            return [b"stored"]
        return reply

    def _is_stored(self, thread: Thread, entries: tuple[Entry, ...]) -> bool:
        first = len(thread.events) + 1
        with answering():
            found = self._redis.xrange(
                stream_key(thread.id), f"{first}-0", f"{first + len(entries) - 1}-0"
            )
        stored = [fields[b"m"].decode() for _, fields in cast(list[Any], found)]
        return bool(entries) and stored == [entry.mac for entry in entries]

    def _due(self, thread: Thread) -> tuple[int | str, ...]:
        """Return when the clock must look at the thread, in ms, for each of `JOBS`; "" for never."""
        now = self._now()
        due = thread.due(now, self._sweep)
        at: dict[Job, int] = {thread.due_job(): round(due.timestamp() * 1000)} if due else {}
        at["deliver"] = round(now.timestamp() * 1000) + DELIVERY_GRACE_MS
        return tuple(at.get(job, "") for job in JOBS)

    # -- finding threads -----------------------------------------------------------

    def find(self, alias: str) -> str | None:
        """Return the thread that this alias names, if any."""
        with answering():
            found = cast(bytes | None, self._redis.get(_alias_key(alias)))
        return found.decode() if found else None

    def name(self, alias: str, thread_id: str) -> None:
        """Let this alias find the thread, for 90 days."""
        failpoints.at("store.name.before")
        with answering():
            self._redis.set(_alias_key(alias), thread_id, ex=ALIAS_SECONDS)

    def list(self, *, status: str = "", limit: int = 50, cursor: str = "") -> Page:
        """Return threads by last activity, newest first; all, or those of one status."""
        key = status_key(status) if status else THREADS
        before, _, last = cursor.partition("-")
        with answering():
            ties = self._redis.zrevrangebyscore(key, before, before) if cursor else []
            seen = sum(member.decode() >= last for member in cast(list[bytes], ties))
            found = self._redis.zrevrangebyscore(
                key, before or "+inf", "-inf", start=seen, num=limit + 1, withscores=True
            )
        rows = [(member.decode(), int(score)) for member, score in cast(list[Any], found)]
        more = len(rows) > limit
        rows = rows[:limit]
        return Page(
            threads=tuple(member for member, _ in rows),
            cursor=f"{rows[-1][1]}-{rows[-1][0]}" if more and rows else "",
        )

    def changed(self, since: int | None) -> dict[str, int]:
        """Return the threads written to at or after `since`, a time that this has returned before.

        Maps thread to time, in the store's own microseconds; None asks for the last one only.
        """
        with answering():
            if since is None:
                found = self._redis.zrange(THREADS, 0, 0, desc=True, withscores=True)
            else:
                found = self._redis.zrange(
                    THREADS, since, cast(int, "+inf"), byscore=True, withscores=True
                )
        return {member.decode(): int(score) for member, score in cast(list[Any], found)}

    def written(self, threads: Sequence[str]) -> tuple[int | None, ...]:
        """Return when each of these threads was last written to, as `changed` tells time."""
        if not threads:
            return ()
        with answering():
            found = self._redis.zmscore(THREADS, list(threads))
        return tuple(None if score is None else int(score) for score in found)

    # -- operations, holds and progress --------------------------------------------

    def next_fence(self, service: str, environment: str) -> int:
        """Return the fence that the next claim must carry."""
        return self.operations.next_fence(service, environment)

    def saw_fence(self, service: str, environment: str, fence: int) -> None:
        """Let the next fence be greater than this one, which a target has seen."""
        self.operations.saw_fence(service, environment, fence)

    def operation(self, service: str, environment: str) -> Operation | None:
        """Return what runs there now, or died there and is not yet settled."""
        return self.operations.at(service, environment)

    def heartbeat(self, operation: Operation) -> None:
        """Renew the lease; raises LeaseLostError when it is no longer this operation's."""
        self.operations.heartbeat(operation)

    def lease_is_alive(self, operation: Operation) -> bool:
        """Tell whether a worker still renews this operation's lease."""
        return self.operations.lease_is_alive(operation)

    def let_go(self, operation: Operation) -> None:
        """End the lease and keep the place: what runs elsewhere goes on without a worker."""
        self.operations.let_go(operation)

    def later(self, job: Job, thread_id: str, seconds: float) -> None:
        """Have the clock make this wake-up once so many seconds have passed."""
        self.queues.later(job, thread_id, seconds)

    def line(self, service: str, environment: str) -> tuple[str, ...]:
        """Return the threads that wait for the place, the next one first."""
        return self.operations.line(service, environment)

    def leave_line(self, thread_id: str, service: str, environment: str) -> None:
        """Take out of a line a thread that can no longer move by itself, and wake who is next."""
        left = [waits for waits in self.line(service, environment) if waits != thread_id][:1]
        for head in left:  # first, so that it is looked at even if this process dies here
            self.queues.later("advance", head, 0)
        self.operations.leave_line(thread_id, service, environment)
        for head in left:
            self.queues.wake("advance", head)

    def attend(self, thread: Thread, worker: str) -> bool:
        """Let this worker alone be at what the thread stands at, for the next seconds."""
        key = f"{PREFIX}attended:{thread.id}:{len(thread.events)}"
        at = round((self._now() + ATTENDED).timestamp() * 1000)
        with answering():
            if not self._redis.set(key, worker, nx=True, px=ATTENDED):
                holder = cast(bytes | None, self._redis.get(key))
                if holder is not None and holder.decode() != worker:
                    return False
                self._redis.set(key, worker, px=ATTENDED)
            for job in ("advance", "operate"):
                self._redis.zadd(due_key(job), {thread.id: at}, xx=True, gt=True)
        return True

    def holds(self) -> tuple[Hold, ...]:
        """Return what people or rollbacks hold now."""
        return self.operations.holds()

    def release_hold(self, service: str, environment: str) -> Hold | None:
        """Remove a hold, and return it; `service` is "" for a hold of the whole environment."""
        return self.operations.release_hold(service, environment)

    def report(self, operation_id: str, entry: dict[str, Any]) -> None:
        """Add to the operation's progress: not an event, gone after a day; wakes its delivery."""
        self.operations.report(operation_id, self._redactor.plain(entry))

    def progress(self, operation_id: str) -> tuple[dict[str, Any], ...]:
        """Return the operation's progress so far, oldest first."""
        return self.operations.progress(operation_id)

    # -- what was told -------------------------------------------------------------

    def sent(self, thread_id: str) -> dict[str, str]:
        """Return what the outbox has noted of this thread: message key → its own JSON."""
        with answering():
            found = cast(dict[bytes, bytes], self._redis.hgetall(_outbox_key(thread_id)))
        return {key.decode(): value.decode() for key, value in found.items()}

    def note_sent(self, thread_id: str, key: str, value: str) -> None:
        """Note that a message went out, and where."""
        failpoints.at("outbox.note.before")
        with answering():
            self._redis.hset(_outbox_key(thread_id), key, value)
            failpoints.at("outbox.note.after", lost=_hung_up)

    def delivered(self, thread_id: str, length: int) -> None:
        """Note that everything up to this length was told."""
        failpoints.at("outbox.delivered.before")
        with answering():
            keys = (stream_key(thread_id), due_key("deliver"))
            self._delivered(keys=keys, args=(thread_id, length))
            failpoints.at("outbox.delivered.after", lost=_hung_up)


def _hung_up() -> Exception:
    return redis.ConnectionError("the connection ended before the answer")


def stream_key(thread_id: str) -> str:
    """Name the stream that is the thread."""
    return f"{PREFIX}thread:{thread_id}"


def status_key(status: str) -> str:
    """Name the index of the threads that stand here, by last activity."""
    return f"{PREFIX}status:{status}"


def _alias_key(alias: str) -> str:
    return f"{PREFIX}alias:{alias}"


def _outbox_key(thread_id: str) -> str:
    return f"{PREFIX}outbox:{thread_id}"


def _lining_up(before: Thread, after: Thread, sweep: timedelta) -> dict[str, Any]:
    """Return what an append is asked for so that the lines are as the thread's events say."""
    left, joined = waits_for(before), waits_for(after)
    asked: dict[str, Any] = {}
    if left and left != joined:
        asked["leaves"] = line_key(place(*left))
    if joined:
        asked["joins"] = {
            "line": line_key(place(*joined)),
            "lines": LINES,
            "place": place(*joined),
            "counter": f"{PREFIX}lined-up",
            "first": after.standing.jumps_the_line,
            "waits": after.status is Status.IN_LINE,
            "again_ms": round(sweep.total_seconds() * 1000),
        }
    return asked


def _stopping(before: Thread, after: Thread) -> dict[str, Any]:
    """Return what an append is asked for that lets a running operation know of a wish to stop."""
    stop, started = after.standing.stop, after.standing.started
    if stop is None or started is None or before.standing.stop is not None:
        return {}
    why = {"key": stop_key(started.operation), "why": stopped(stop), "seconds": DAY}
    return {"stop": why}


def _unbroken(thread: Thread, found: Iterable[Any]) -> Iterator[Entry]:
    """Read the entries of a stream, and make sure that none is missing or misplaced."""
    for number, (entry_id, fields) in enumerate(found, start=len(thread.events) + 1):
        if entry_id != b"%d-0" % number or fields.keys() != {b"e", b"m"}:
            raise tampered(thread.id, number, "is missing or was replaced")
        yield Entry(fields[b"e"], fields[b"m"].decode(errors="replace"))


def _raise_if_refused(
    reply: _Reply, thread: Thread, dedupe: Sequence[str], claim: Operation | None
) -> None:
    match reply:
        case [b"stored", *_]:
            return
        case [b"duplicate", int(index), bytes(holder)]:
            raise DuplicateError(dedupe[index - 1], holder.decode())
        case [b"conflict", int(length)]:
            raise ConflictError(thread.id, len(thread.events), length)
        case [b"busy" | b"fence", detail] if claim:
            raise claim_refused(claim, detail)
        case _:
            raise StoreUnavailableError(f"The store answered {reply!r}, which is not understood.")
