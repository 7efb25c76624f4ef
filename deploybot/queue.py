"""Wake-ups: which queue they wait in, and how the job library stores them; who runs them is `workers`."""

import json
import uuid
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from importlib.resources import files
from typing import Any, cast

import redis
from redis.commands.core import Script
from rq.job import Job as StoredJob
from rq.queue import Queue
from rq.serializers import JSONSerializer
from rq.utils import now, utcformat

from deploybot.errors import StoreUnavailableError
from deploybot.keeping import Job

QUEUES: Mapping[Job, str] = {
    "advance": "threads",
    "operate": "operations",
    "deliver": "deliveries",
}
"""One queue per kind of work, so that a long deploy never keeps an answer waiting."""

FUNCTIONS: Mapping[Job, str] = {job: f"workers.jobs.{job}" for job in QUEUES}
TIMEOUTS: Mapping[Job, int] = {"advance": 900, "operate": 4 * 3600, "deliver": 300}
"""Seconds after which a job is stuck beyond hope; every call inside has its own, shorter bound."""

FLAG_SECONDS = 30
"""How long a lost wake-up can keep others away when nobody sweeps."""
FAILED_SECONDS = 24 * 3600
SWEPT_AT_ONCE = 200
PREFIX = "deploybot:"


def script(connection: redis.Redis, name: str, *before: str) -> Script:
    """Return the script of this name, with the named ones put in front of it."""
    folder = files("deploybot.store_scripts")
    text = "\n".join((folder / f"{part}.lua").read_text() for part in (*before, name))
    return connection.register_script(text)


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


@dataclass(frozen=True, slots=True)
class WakeUp:
    """One wake-up, ready to be stored: `header` and `fields` are what the scripts take."""

    header: dict[str, Any]
    fields: tuple[str | bytes | int, ...]


@dataclass(frozen=True)
class Queues:
    """The three queues of one Redis."""

    connection: redis.Redis
    _templates: dict[Job, dict[str, Any]] = field(default_factory=dict, repr=False)

    def wake_up(self, job: Job, thread_id: str) -> WakeUp:
        """Build a wake-up for a script to enqueue; nothing is sent."""
        template = self._templates.get(job) or self._template(job)
        call = json.dumps((FUNCTIONS[job], None, [thread_id], {}))
        at = utcformat(now())  # what the library itself would write
        stored = template["fields"] | {
            "created_at": at,
            "enqueued_at": at,
            "data": zlib.compress(call.encode(), level=0, wbits=9),
            "description": f"{FUNCTIONS[job]}({thread_id})",
        }
        flat = tuple(part for item in stored.items() for part in item)
        job_id = uuid.uuid4().hex
        header = {
            "flag": flag_key(job, thread_id),
            "flag_seconds": FLAG_SECONDS,
            "id": job_id,
            "key": StoredJob.key_for(job_id),
            "queue": template["queue"],
            "queues": Queue.redis_queues_keys,
            "fields": len(flat),
        }
        return WakeUp(header, flat)

    def wake(self, job: Job, thread_id: str) -> bool:
        """Enqueue a wake-up unless one waits already; return whether one was enqueued."""
        wake_up = self.wake_up(job, thread_id)
        arguments = (json.dumps({"thread": thread_id, "job": wake_up.header}), *wake_up.fields)
        return bool(self._wake(keys=(due_key(job),), args=arguments))

    def later(self, job: Job, thread_id: str, seconds: float) -> None:
        """Have the clock enqueue the wake-up once so many seconds have passed."""
        with answering():
            now_s, micros = self.connection.time()
            at = now_s * 1000 + micros // 1000 + round(seconds * 1000)
            self.connection.zadd(due_key(job), {thread_id: at})

    def started(self, job: Job, thread_id: str) -> None:
        """Let the next wake-up in: the first thing a job does, before it looks at the thread."""
        self.connection.delete(flag_key(job, thread_id))

    def sweep(self, job: Job, *, again_seconds: float) -> int:
        """Wake every thread whose time has come, and look at it again after `again_seconds`.

        Returns how many wake-ups were enqueued. Any number of sweepers may do this at once.
        """
        seconds, micros = self.connection.time()
        found = cast(
            Iterable[bytes],
            self.connection.zrangebyscore(
                due_key(job), "-inf", seconds * 1000 + micros // 1000, start=0, num=SWEPT_AT_ONCE
            ),
        )
        enqueued = 0
        nothing_waits = found and self.depths()[QUEUES[job]] == 0
        for thread_id in found:
            wake_up = self.wake_up(job, thread_id.decode())
            header = {
                "thread": thread_id.decode(),
                "sweep_ms": round(again_seconds * 1000),
                "lost": bool(nothing_waits),
                "job": wake_up.header,
            }
            arguments = (json.dumps(header), *wake_up.fields)
            enqueued += bool(self._wake(keys=(due_key(job),), args=arguments))
        return enqueued

    def depths(self) -> dict[str, int]:
        """Return how many wake-ups wait in each queue, by the queue's name."""
        with self.connection.pipeline(transaction=False) as pipe:
            for name in QUEUES.values():
                pipe.llen(f"{Queue.redis_queue_namespace_prefix}{name}")
            return dict(zip(QUEUES.values(), map(int, pipe.execute()), strict=True))

    @cached_property
    def _wake(self) -> Script:
        return script(self.connection, "wake", "enqueue")

    def _template(self, job: Job) -> dict[str, Any]:
        """Ask the job library once what a stored job looks like; no other place knows its insides."""
        queue = Queue(QUEUES[job], connection=self.connection, serializer=JSONSerializer)
        created = queue.create_job(
            FUNCTIONS[job],
            args=("",),
            timeout=TIMEOUTS[job],
            result_ttl=0,
            failure_ttl=FAILED_SECONDS,
            description="",
        )
        queue._prepare_for_queue(created)  # noqa: SLF001 - the only way to a job in our own script
        fields = {
            name: value.value if hasattr(value, "value") else value
            for name, value in created.to_dict(include_meta=False).items()
        }
        template = {"fields": fields, "queue": queue.key}
        self._templates[job] = template
        return template


def flag_key(job: Job, thread_id: str) -> str:
    """Name the key that says that such a wake-up waits."""
    return f"{PREFIX}wake:{job}:{thread_id}"
