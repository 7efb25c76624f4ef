"""Who changes a service in an environment now: claims, leases, fences, holds and progress in Redis.

A claim, its end and a hold are written by the store's append, in one step with the events that say
so; this module says what that step is asked for.
"""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any, cast

import redis
from pydantic import TypeAdapter

from deploy import failpoints
from deploy.locks import Hold
from deploybot.errors import ClaimRefusedError
from deploybot.keeping import (
    busy,
    fence_moved,
    hold_changed,
    is_as_seen,
    lease_lost,
    stop_asked,
)
from deploybot.ports import Operation
from deploybot.queue import PREFIX, answering, due_key, new_wake_up, script, waking_script

PROGRESS_SECONDS = 24 * 3600
PROGRESS_LINES = 1000
SHOW_WITHIN_MS = 2000
"""When the clock shows a line of progress whose own wake-up was lost."""

OPERATIONS = f"{PREFIX}operations"
FENCES = f"{PREFIX}fences"
HOLDS = f"{PREFIX}holds"
BY_ROLL_BACK = "#rollback"
"""Behind the name of a place: what a roll back holds there."""
LINES = f"{PREFIX}lines"
"""The places that somebody waits for, or did."""

_OPERATION: TypeAdapter[Operation] = TypeAdapter(Operation)


class Operations:
    """The running changes, holds and progress of one Redis."""

    def __init__(
        self,
        connection: redis.Redis,
        *,
        now: Callable[[], datetime],
        lease_seconds: float,
    ) -> None:
        self._redis = connection
        self._now = now
        self._lease_ms = round(lease_seconds * 1000)
        self._report = waking_script(connection, "report")
        self._heartbeat = script(connection, "heartbeat")

    def asked(
        self,
        thread_id: str,
        *,
        claim: Operation | None,
        release: Operation | None,
        hold: Hold | None,
        free: Hold | None,
    ) -> dict[str, Any]:
        """Return what an append is asked for that claims, releases, holds or frees a place."""
        if not (claim or release or hold or free):
            return {}
        header: dict[str, Any] = {"operations": OPERATIONS, "fences": FENCES, "holds": HOLDS}
        header["line_prefix"] = line_key("")
        header["lines"] = LINES
        if claim:
            header["claim"] = {
                "place": place(claim.service, claim.environment),
                "fence": claim.fence,
                "record": _OPERATION.dump_json(claim).decode(),
                "lease": _lease_key(claim.id),
                "lease_ms": self._lease_ms,
                "owner": _owner_key(claim.id),
                "owner_seconds": PROGRESS_SECONDS,
            }
        if release:
            header["release"] = {
                "place": place(release.service, release.environment),
                "id": release.id,
                "lease": _lease_key(release.id),
                "stop": stop_key(release.id),
            }
        if hold or free:
            header["held"] = self._held(hold, free)
        return header

    def _held(self, hold: Hold | None, free: Hold | None) -> dict[str, Any]:
        """Return the hold to write (none: to remove), and the record that it must find there."""
        about = hold or free
        if about is None:
            return {}
        held = place(about.service or "", about.environment)
        field, raw = self._record(held, about)
        there = Hold.model_validate_json(raw) if raw else None
        if not is_as_seen(there, hold, free, self._now()):
            raise hold_changed(about)
        asked: dict[str, Any] = {"place": held, "field": field}
        if hold:
            asked["record"] = hold.model_dump_json()
        if free or about.made_by == "person":
            asked["must_find"] = raw.decode() if raw else ""
        if about.service is None:
            asked["everything"] = f"/{about.environment}"
        return asked

    def _record(self, held: str, about: Hold) -> tuple[str, bytes | None]:
        """Return where the hold of this kind is kept, and what is there now.

        A roll back's stands beside a person's, so that freeing one keeps the other. Earlier
        versions kept both in one place.
        """
        if about.made_by == "person":
            with answering():
                return held, cast(bytes | None, self._redis.hget(HOLDS, held))
        own = f"{held}{BY_ROLL_BACK}"
        with answering():
            found = cast(list[bytes | None], self._redis.hmget(HOLDS, [own, held]))
        if found[0] is None and found[1] and Hold.model_validate_json(found[1]) == about:
            return held, found[1]
        return own, found[0]

    def next_fence(self, service: str, environment: str) -> int:
        """Return the fence that the next claim must carry."""
        with answering():
            last = cast(bytes | None, self._redis.hget(FENCES, place(service, environment)))
        return int(last or 0) + 1

    def saw_fence(self, service: str, environment: str, fence: int) -> None:
        """Let the next fence be greater than this one; a claim that is under way then looks again."""
        if self.next_fence(service, environment) <= fence:
            with answering():
                self._redis.hset(FENCES, place(service, environment), str(fence))

    def at(self, service: str, environment: str) -> Operation | None:
        """Return what runs there now, or died there and is not yet settled."""
        with answering():
            found = cast(bytes | None, self._redis.hget(OPERATIONS, place(service, environment)))
        return _OPERATION.validate_json(found) if found else None

    def heartbeat(self, operation: Operation) -> None:
        """Renew the lease, or raise: LeaseLostError, or CancelledError when a person wants a stop.

        A lease that ran out stays lost: somebody may already be finding out what became of it.
        """
        failpoints.at("lease.renew.before")
        with answering():
            renewed = self._heartbeat(
                keys=(OPERATIONS, _lease_key(operation.id), stop_key(operation.id)),
                args=(
                    place(operation.service, operation.environment),
                    operation.id,
                    self._lease_ms,
                ),
            )
        if isinstance(renewed, bytes):
            raise stop_asked(renewed.decode())
        if not renewed:
            raise lease_lost(operation)

    def let_go(self, operation: Operation) -> None:
        """End the lease and keep the place: what runs elsewhere goes on without a worker."""
        failpoints.at("lease.let_go.before")
        with answering():
            self._redis.delete(_lease_key(operation.id))

    def line(self, service: str, environment: str) -> tuple[str, ...]:
        """Return the threads that wait for the place, the next one first."""
        with answering():
            found = self._redis.zrange(line_key(place(service, environment)), 0, -1)
        return tuple(member.decode() for member in cast(list[bytes], found))

    def leave_line(self, thread_id: str, service: str, environment: str) -> None:
        """Take a thread out of a line."""
        with answering():
            self._redis.zrem(line_key(place(service, environment)), thread_id)

    def lease_is_alive(self, operation: Operation) -> bool:
        """Tell whether a worker still renews this operation's lease."""
        with answering():
            return bool(self._redis.exists(_lease_key(operation.id)))

    def holds(self) -> tuple[Hold, ...]:
        """Return the holds that have not run out, oldest first."""
        with answering():
            found = cast(list[bytes], self._redis.hvals(HOLDS))
        now = self._now()
        holds = (Hold.model_validate_json(record) for record in found)
        alive = (hold for hold in holds if hold.expires is None or now < hold.expires)
        return tuple(sorted(alive, key=lambda hold: hold.at))

    def release_hold(self, service: str, environment: str) -> Hold | None:
        """Remove a roll back's hold, or else a person's; return it if it has not run out."""
        held = place(service, environment)
        for field in (f"{held}{BY_ROLL_BACK}", held):
            with answering(), self._redis.pipeline(transaction=True) as pipe:
                pipe.hget(HOLDS, field)
                pipe.hdel(HOLDS, field)
                found, _ = pipe.execute()
            if found:
                hold = Hold.model_validate_json(found)
                return hold if hold.expires is None or self._now() < hold.expires else None
        return None

    def report(self, operation_id: str, entry: dict[str, Any]) -> None:
        """Add a line of progress; it wakes the delivery of the thread that claimed the operation."""
        failpoints.at("progress.report.before")
        with answering():
            owner = cast(bytes | None, self._redis.get(_owner_key(operation_id)))
            line = json.dumps(entry, separators=(",", ":"), default=str)
            thread_id = owner.decode() if owner else ""
            self._report(
                keys=(_progress_key(operation_id), due_key("deliver")),
                args=(
                    line,
                    PROGRESS_LINES,
                    PROGRESS_SECONDS,
                    thread_id,
                    SHOW_WITHIN_MS,
                    *new_wake_up(),
                ),
            )

    def progress(self, operation_id: str) -> tuple[dict[str, Any], ...]:
        """Return the lines of progress that are kept, oldest first."""
        with answering():
            found = cast(list[Any], self._redis.xrange(_progress_key(operation_id)))
        return tuple(json.loads(fields[b"e"]) for _, fields in found)


def place(service: str, environment: str) -> str:
    """Name a service in an environment; "" is every service."""
    return f"{service or '*'}/{environment}"


def claim_refused(claim: Operation, detail: bytes | int) -> ClaimRefusedError:
    """Say what stands in the way: the stored record of another operation, or the fence that is next."""
    if isinstance(detail, bytes):
        return busy(claim, _OPERATION.validate_json(detail))
    return fence_moved(claim, detail)


def line_key(held: str) -> str:
    """Name the sorted set of threads that wait for a place."""
    return f"{PREFIX}line:{held}"


def stop_key(operation_id: str) -> str:
    """Name the key that says who wants an operation to stop."""
    return f"{PREFIX}stop:{operation_id}"


def _lease_key(operation_id: str) -> str:
    return f"{PREFIX}lease:{operation_id}"


def _owner_key(operation_id: str) -> str:
    return f"{PREFIX}operation:{operation_id}"


def _progress_key(operation_id: str) -> str:
    return f"{PREFIX}progress:{operation_id}"
