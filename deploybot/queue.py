"""Wake-ups: which queue they wait in, and how the job library stores them; who runs them is `workers`."""

import json
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from typing import Any, cast

import redis
from redis.commands.core import Script
from rq.job import Job as StoredJob
from rq.job import JobStatus
from rq.queue import Queue
from rq.serializers import JSONSerializer
from rq.utils import now, utcformat

from deploy import failpoints
from deploybot.errors import StoreUnavailableError
from deploybot.keeping import Job

QUEUES: Mapping[Job, str] = {
    "advance": "threads",
    "operate": "operations",
    "deliver": "deliveries",
    "survey": "surveys",
}
"""One queue per kind of work, so that a long deploy never keeps an answer waiting."""

FUNCTIONS: Mapping[Job, str] = {job: f"workers.jobs.{job}" for job in QUEUES}
TIMEOUTS: Mapping[Job, int] = {"advance": 900, "operate": 4 * 3600, "deliver": 300, "survey": 600}
"""Seconds after which a job is stuck beyond hope; every call inside has its own, shorter bound."""

FLAG_SECONDS = 3600
"""How long a lost wake-up can keep others away when nobody sweeps; longer than any queue is."""
FAILED_SECONDS = 24 * 3600
SWEPT_AT_ONCE = 200
PREFIX = "deploybot:"
FLAG = f"{PREFIX}wake:"
SHOWN_AGAIN = f"{PREFIX}due:shown-again"
"""Threads of which everything was told, and that are to be shown once more, by when, in ms."""
CLOCK_SEEN = f"{PREFIX}clock:seen"
"""When the clock last held its lease and ticked, in seconds by the clock of Redis."""


def script(connection: redis.Redis, name: str) -> Script:
    """Return the script of this name."""
    return connection.register_script(_read(name))


def waking_script(connection: redis.Redis, name: str) -> Script:
    """Return a script that can wake threads: it takes ids and times made by `new_wake_up`."""
    before = (
        f"local FLAG, FLAG_SECONDS = '{FLAG}', {FLAG_SECONDS}\n"
        f"local JOBS = [==[{json.dumps({job: _stored(job, connection) for job in QUEUES})}]==]\n"
    )
    return connection.register_script(before + _read("enqueue") + _read(name))


def new_wake_up() -> tuple[str, str]:
    """Return the id of a wake-up that may be enqueued, and the time as the job library writes it."""
    return secrets.token_hex(16), utcformat(now())


def _read(name: str) -> str:
    return (files("deploybot.store_scripts") / f"{name}.lua").read_text()


def _stored(job: Job, connection: redis.Redis) -> dict[str, Any]:
    """Ask the job library what a stored job looks like; no other place knows its insides."""
    queue = Queue(QUEUES[job], connection=connection, serializer=JSONSerializer)
    created = queue.create_job(
        FUNCTIONS[job],
        args=("",),
        timeout=TIMEOUTS[job],
        result_ttl=0,
        failure_ttl=FAILED_SECONDS,
        description="",
        status=JobStatus.QUEUED,
    )
    created.origin = queue.name
    fields = created.to_dict(include_meta=False)
    for name in ("created_at", "enqueued_at", "data", "description"):  # each job's own
        fields.pop(name, None)
    return {
        "key": StoredJob.key_for(""),
        "queue": queue.key,
        "queues": Queue.redis_queues_keys,
        "call": FUNCTIONS[job],
        "fields": [part for name, value in fields.items() for part in (name, _plain(value))],
    }


@contextmanager
def answering() -> Iterator[None]:
    """Turn every way in which Redis can fail to answer, or decline to write, into one error."""
    try:
        yield
    except redis.RedisError as error:
        raise StoreUnavailableError(
            f"The store does not answer or takes no writes now ({type(error).__name__}: {error}). "
            "Nothing was confirmed. Try the same again.",
        ) from error


def due_key(job: Job) -> str:
    """Name the sorted set of threads by the time, in ms, at which this wake-up is due."""
    return f"{PREFIX}due:{job}"


def _plain(value: object) -> str:
    return str(value.value if isinstance(value, JobStatus) else value)


@dataclass(frozen=True)
class Queues:
    """The queues of one Redis."""

    connection: redis.Redis

    def wake(self, job: Job, thread_id: str) -> bool:
        """Enqueue a wake-up unless one waits already; return whether one was enqueued."""
        failpoints.at("queue.wake.before")
        woken = self._wake(
            keys=(due_key(job), flag_key(job, thread_id)),
            args=(job, thread_id, *new_wake_up()),
        )
        failpoints.at("queue.wake.after")
        return bool(woken)

    def later(self, job: Job, thread_id: str, seconds: float) -> None:
        """Have the clock enqueue the wake-up once so many seconds have passed."""
        failpoints.at("queue.later.before")
        with answering():
            at = self._now() + round(seconds * 1000)
            self.connection.zadd(due_key(job), {thread_id: at})

    def show_again(self, thread_id: str, seconds: float | None) -> None:
        """Have a thread that was told shown once more after so many seconds; None for never."""
        with answering():
            if seconds is None:
                self.connection.zrem(SHOWN_AGAIN, thread_id)
            else:
                self.connection.zadd(SHOWN_AGAIN, {thread_id: self._now() + round(seconds * 1000)})

    def started(self, job: Job, thread_id: str) -> None:
        """Let the next wake-up in: the first thing a job does, before it looks at the thread."""
        self.connection.delete(flag_key(job, thread_id))

    def sweep(self, job: Job, *, again_seconds: float) -> int:
        """Wake every thread whose time has come, and look at it again after `again_seconds`.

        Returns how many wake-ups were enqueued. Any number of sweepers may do this at once.
        """
        marks = (due_key(job), SHOWN_AGAIN) if job == "deliver" else (due_key(job),)
        return sum(self._sweep(job, key, round(again_seconds * 1000)) for key in marks)

    def _sweep(self, job: Job, marks: str, again_ms: int) -> int:
        found = cast(
            Iterable[bytes],
            self.connection.zrangebyscore(marks, "-inf", self._now(), start=0, num=SWEPT_AT_ONCE),
        )
        enqueued = 0
        for found_id in found:
            thread_id = found_id.decode()
            woken = self._wake(
                keys=(marks, flag_key(job, thread_id)),
                args=(job, thread_id, *new_wake_up(), again_ms),
            )
            enqueued += bool(woken)
        return enqueued

    def _now(self) -> int:
        """Return the time in ms by the clock of Redis."""
        seconds, micros = self.connection.time()
        return int(seconds * 1000 + micros // 1000)

    def depths(self) -> dict[str, int]:
        """Return how many wake-ups wait in each queue, by the queue's name."""
        with self.connection.pipeline(transaction=False) as pipe:
            for name in QUEUES.values():
                pipe.llen(f"{Queue.redis_queue_namespace_prefix}{name}")
            return dict(zip(QUEUES.values(), map(int, pipe.execute()), strict=True))

    @cached_property
    def _wake(self) -> Script:
        return waking_script(self.connection, "wake")


def flag_key(job: Job, thread_id: str) -> str:
    """Name the key that says that such a wake-up waits."""
    return f"{FLAG}{job}:{thread_id}"
