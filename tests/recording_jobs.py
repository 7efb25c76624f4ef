"""Stands in for `workers.jobs` in a worker's process: each job says in Redis that it ran, and can be held up.

Run as a program: `recording_jobs.py work <queue> <url>` or `recording_jobs.py pool <url> <sweep seconds>`.
"""

import os
import sys
import threading

from deploybot.keeping import Job
from deploybot.queue import Queues
from deploybot.redis_safety import client
from workers.clock import ClockSettings
from workers.pool import Pool, PoolSettings
from workers.worker import WorkerSettings, worker_for

_URL: list[str] = []


def advance(thread_id: str) -> None:
    _run("advance", thread_id)


def operate(thread_id: str) -> None:
    _run("operate", thread_id)


def deliver(thread_id: str) -> None:
    _run("deliver", thread_id)


def survey(what: str) -> None:
    _run("survey", what)


def warm() -> None:
    client(_URL[0]).rpush("warmed", os.getpid())


def _run(job: Job, thread_id: str) -> None:
    connection = client(_URL[0])
    Queues(connection).started(job, thread_id)
    connection.rpush(f"started:{job}", f"{thread_id} {os.getpid()} {os.getppid()}")
    while connection.exists(f"hold:{thread_id}"):
        threading.Event().wait(0.01)
    if connection.exists(f"crash:{thread_id}"):
        raise RuntimeError("this job was told to crash")
    connection.rpush(f"ended:{job}", thread_id)


def main() -> None:
    sys.modules["workers.jobs"] = sys.modules[__name__]
    match sys.argv[1:]:
        case ["work", queue, url]:
            _URL.append(url)
            worker_for(queue, url, WorkerSettings(monitoring=1)).work(burst=True)
        case ["pool", url, sweep_seconds]:
            _URL.append(url)
            clock = ClockSettings(
                tick_seconds=0.05, sweep_seconds=float(sweep_seconds), lease_seconds=1.0
            )
            worker = WorkerSettings(monitoring=1, lease_margin=1, ttl=5, maintenance=1)
            pool = PoolSettings(
                url=url,
                worker=worker,
                clock=clock,
                preload=("workers.jobs",),
                warm="workers.jobs:warm",
            )
            sys.exit(Pool(pool).run())


if __name__ == "__main__":
    main()
