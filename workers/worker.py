"""A worker for one queue, on top of the job library: what may run, and what dies with whom.

What a job does is in `jobs`; keeping the workers running is the pool's business.
"""

import ctypes
import logging
import os
import platform
import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from redis.client import Pipeline
from redis.exceptions import RedisError
from rq import Queue, Worker
from rq.executions import Execution
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.worker_registration import register

from deploy import failpoints
from deploybot.queue import FUNCTIONS, QUEUES
from deploybot.redis_address import connected

logger = logging.getLogger(__name__)

PR_SET_PDEATHSIG = 1
CLEARING_SECONDS = 60
"""Longer than it takes to clear up after dead workers; the library waits for a quarter of an hour."""
_prctl: Callable[..., int] | None = (
    ctypes.CDLL(None).prctl if platform.system() == "Linux" else None
)


@dataclass(frozen=True, kw_only=True)
class WorkerSettings:
    """How soon a dead worker is noticed, in seconds."""

    monitoring: int = 5
    """How often a running job's lease is renewed."""
    lease_margin: int = 10
    """How much longer than that the lease lasts."""
    ttl: int = 20
    """How long a worker that says nothing is believed to live; an idle one waits 15 s less for each job."""
    maintenance: int = 5
    """How often the leavings of dead workers are cleared."""


class RefusedJobError(Exception):
    """A stored job asks for more than a wake-up may; it is not run."""


class SafeJob(Job):
    """A stored job that can be nothing but a wake-up.

    Whoever can write to Redis can store a job. This one runs the three functions of `workers.jobs`
    on one thread id, and never calls back, reports to a URL, repeats or retries.
    """

    _refusal: str = ""

    def restore(self, raw_data: Any) -> None:
        """Read the stored fields, and drop everything that a wake-up does not have."""
        super().restore(raw_data)
        self._refusal = self._excess()
        self._success_callback_name = None
        self._failure_callback_name = None
        self._stopped_callback_name = None
        self.webhooks = []
        self.retries_left = None
        self.retry_intervals = None
        self.repeats_left = None
        self.repeat_intervals = None
        self.rate_limit_key = None
        self.rate_limit_concurrency = None
        self._dependency_ids = []
        if self._refusal:
            logger.error("a stored job was refused", extra={"action": "refuse_job", "job": self.id})

    @property
    def func(self) -> Any:
        """The function to run, if it is one of ours and the job is a plain wake-up."""
        if self._refusal:
            raise RefusedJobError(f"The job carries {self._refusal}. It was not run.")
        if self.func_name not in FUNCTIONS.values() or self.instance is not None:
            logger.error("a stored job was refused", extra={"action": "refuse_job", "job": self.id})
            raise RefusedJobError("The job's function is not one of ours. It was not run.")
        if self.kwargs or len(self.args) != 1 or not isinstance(self.args[0], str):
            raise RefusedJobError("The job does not name exactly one thread. It was not run.")
        return super().func

    def _excess(self) -> str:
        carried = {
            "a callback": self._success_callback_name
            or self._failure_callback_name
            or self._stopped_callback_name,
            "a webhook": self.webhooks,
            "a retry": self.retries_left,
            "a repeat": self.repeats_left,
            "a dependency": self._dependency_ids,
        }
        return next((name for name, value in carried.items() if value), "")


class BotQueue(Queue):
    """A queue that is cleared up by somebody else soon after whoever did so has died."""

    def acquire_maintenance_lock(self) -> bool:
        """Tell whether nobody else clears up the leavings of dead workers now."""
        return bool(
            self.connection.set(self.registry_cleaning_key, 1, nx=True, ex=CLEARING_SECONDS)
        )


class BotWorker(Worker):
    """A worker whose jobs die with it, and who is given up with them soon after it died."""

    lease_margin: int = WorkerSettings.lease_margin

    def get_heartbeat_ttl(self, job: Job, working_time: float = 0.0) -> int:
        """How many seconds a job is believed to run after its last sign of life."""
        return int(self.job_monitoring_interval) + self.lease_margin

    def register_birth(self) -> None:
        """Take the name of whoever was here before, who may have had no time to give it back."""
        self.connection.delete(self.key, self.executions_key)
        super().register_birth()  # type: ignore[no-untyped-call]
        self.heartbeat()  # so that it is believed no longer to live than later on

    def heartbeat(self, timeout: int | None = None, pipeline: Pipeline | None = None) -> None:
        """Say that the worker lives, in one write to the disk instead of three.

        The library believes a minute longer that it does. It also forgets a name for good once its
        bearer has said nothing for so long; here one who goes on is known again.
        """
        if pipeline is None:
            with self.connection.pipeline() as together:
                self.heartbeat(timeout, pipeline=together)
                together.execute()
            return
        seconds = min(timeout or self.worker_ttl, self.worker_ttl)
        super().heartbeat(seconds, pipeline=pipeline)
        register(self, pipeline)

    def maintain_heartbeats(self, job: Job, execution: Execution) -> None:
        """Say that worker and job live; a store that is away ends neither."""
        try:
            super().maintain_heartbeats(job, execution)
        except RedisError as error:
            logger.warning(
                "a sign of life did not reach the store; the job goes on",
                extra={"action": "heartbeat", "job": job.id, "why": type(error).__name__},
            )

    def main_work_horse(self, job: Job, queue: Queue) -> None:
        """Run the job in the forked process, which must not outlive the worker."""
        die_with_parent(signal.SIGKILL, parent=self.pid)
        failpoints.falls_with(os.getppid())
        super().main_work_horse(job, queue)


def die_with_parent(signal_number: signal.Signals, *, parent: int | None) -> None:
    """Where Linux offers it: have this process sent the signal when its parent ends."""
    if _prctl:
        _prctl(PR_SET_PDEATHSIG, signal_number)
    if os.getppid() != parent:  # it ended before we could ask
        os._exit(1)


def worker_for(
    queue: str, url: str, settings: WorkerSettings | None = None, *, name: str | None = None
) -> BotWorker:
    """Make a worker for one of the queues; call its `work()`.

    Whoever bore its name before must be dead; without one it gets a new one.
    One queue only: with several, the job library forgets a job whose worker dies at the wrong moment.
    """
    if queue not in QUEUES.values():
        raise ValueError(f"no queue is called {queue!r}; there are {', '.join(QUEUES.values())}")
    settings = settings or WorkerSettings()
    worker = BotWorker(
        [queue],
        name=name,
        connection=connected(url, driver_info=None),  # may send its book-keeping twice
        serializer=JSONSerializer,
        job_class=SafeJob,
        queue_class=BotQueue,
        worker_ttl=settings.ttl,
        maintenance_interval=settings.maintenance,
        job_monitoring_interval=settings.monitoring,
        work_horse_killed_handler=_log_killed,
        log_job_description=False,
    )
    worker.lease_margin = settings.lease_margin
    worker.log_result_lifespan = False
    return worker


def _log_killed(job: Job, pid: int, status: int, usage: object) -> None:
    logger.error(
        "a job's process was killed; the clock will wake its thread again",
        extra={"action": "job_killed", "job": job.id, "queue": job.origin, "status": status},
    )
