"""How the whole installation is, at one look into Redis: what waits, who works, what is left to spend.

Two questions to Redis, whatever the number of threads. What is told of it is for `web.metrics`,
what follows from it for `web.health`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

import redis
from rq.job import Job as StoredJob
from rq.queue import Queue
from rq.utils import utcparse
from rq.worker_registration import WORKERS_BY_QUEUE_KEY

from deploybot.mail_notes import MAILBOXES
from deploybot.models.spending import ACCOUNTS
from deploybot.models.tally import key_of
from deploybot.operations import HOLDS, OPERATIONS
from deploybot.queue import CLOCK_SEEN, PREFIX, QUEUES
from deploybot.store import status_key
from deploybot.thread import Status

NAMES = tuple(dict.fromkeys(QUEUES.values()))
_MICROSECONDS = 1_000_000
LISTENING_SECONDS = 30
LISTENING = f"{PREFIX}slack:listening"
"""There as long as some process is connected to Slack by Socket Mode, and a little longer."""


@dataclass(frozen=True)
class Line:
    """One queue: how many wake-ups wait, how long the first has (None for none), and who works."""

    jobs: int
    oldest_seconds: float | None
    workers: int


@dataclass(frozen=True)
class Vitals:
    """One look."""

    threads: Mapping[str, int]
    """Status → how many threads stand there."""
    oldest_seconds: Mapping[str, float]
    """Status → since the last event of the thread that lies longest; only where there is one."""
    queues: Mapping[str, Line]
    clock_seconds: float | None
    """Since the clock last ticked; None when it never did."""
    running: int
    holds: int
    listens: bool = False
    """Whether a process is connected to Slack by Socket Mode."""
    mailboxes: Mapping[str, float] = field(default_factory=dict)
    """Mailbox → since it was last looked at."""
    spent: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """("hour" or "day", "calls" or "tokens") → what models have used."""


def look(connection: redis.Redis) -> Vitals:
    """Look once; raises redis.RedisError."""
    budgets = tuple((period, of) for period in ACCOUNTS for of in ("calls", "tokens"))
    with connection.pipeline(transaction=False) as pipe:
        pipe.time()
        pipe.get(CLOCK_SEEN)
        pipe.hlen(OPERATIONS)
        pipe.hlen(HOLDS)
        pipe.exists(LISTENING)
        pipe.hgetall(MAILBOXES)
        pipe.mget([key_of(f"{of}:{period}") for period, of in budgets])
        for status in Status:
            pipe.zcard(status_key(status))
            pipe.zrange(status_key(status), 0, 0, withscores=True)
        for name in NAMES:
            key = f"{Queue.redis_queue_namespace_prefix}{name}"
            pipe.llen(key)
            pipe.lindex(key, 0)
            pipe.smembers(WORKERS_BY_QUEUE_KEY % name)
        (seconds, micros), seen, running, holds, listens, mailboxes, spent, *rest = pipe.execute()
    now = seconds + micros / _MICROSECONDS
    statuses, queues = rest[: 2 * len(Status)], rest[2 * len(Status) :]
    first = {
        str(status): found[0][1] / _MICROSECONDS
        for status, found in zip(Status, statuses[1::2], strict=True)
        if found
    }
    return Vitals(
        threads={str(s): count for s, count in zip(Status, statuses[::2], strict=True)},
        oldest_seconds={status: max(now - at, 0.0) for status, at in first.items()},
        queues=_queues(connection, queues, now),
        clock_seconds=None if seen is None else max(now - float(seen), 0.0),
        running=running,
        holds=holds,
        listens=bool(listens),
        mailboxes={name.decode(): max(now - float(at), 0.0) for name, at in mailboxes.items()},
        spent={budget: int(used or 0) for budget, used in zip(budgets, spent, strict=True)},
    )


def listens_to_slack(connection: redis.Redis) -> None:
    """Say that this process is connected to Slack; to be said again every few seconds."""
    connection.set(LISTENING, "1", ex=LISTENING_SECONDS)


def _queues(connection: redis.Redis, found: list[Any], now: float) -> dict[str, Line]:
    """Ask for the first job of each queue, and which of the workers that are named still live."""
    rows = list(zip(NAMES, found[::3], found[1::3], found[2::3], strict=True))
    with connection.pipeline(transaction=False) as pipe:
        for _, _, first, workers in rows:
            pipe.hget(StoredJob.key_for(first.decode() if first else ""), "enqueued_at")
            for worker in workers:
                pipe.pttl(worker)  # who lives says so for some seconds, and again before they end
        answers = iter(pipe.execute())
    lines = {}
    for name, jobs, _, workers in rows:
        enqueued = cast(bytes | None, next(answers))
        alive = sum(next(answers) > 0 for _ in workers)
        waited = None if enqueued is None else max(now - _at(enqueued).timestamp(), 0.0)
        lines[name] = Line(jobs, waited, alive)
    return lines


def _at(stored: bytes) -> datetime:
    return utcparse(stored.decode())
