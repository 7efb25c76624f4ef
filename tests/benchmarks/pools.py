"""Real worker processes for the benchmarks: the measured bot's, or one whose jobs only say that they ran.

Run as a program: `pools.py bot` takes its settings from the environment, `pools.py bare <url>` does not.
"""

import functools
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis
from benchmarks.workflow import RAN, environ, measured
from redis_server import wait_until

from deploybot.bootstrap import Bot, bot_from_environment
from deploybot.config import read_settings
from deploybot.queue import QUEUES
from deploybot.redis_safety import client
from workers import __main__ as entry
from workers import jobs
from workers.pool import Pool, PoolSettings

TESTS = Path(__file__).parent.parent


def ran(connection: redis.Redis) -> float:
    """Wait for the next beginning that a job has noted; return its time by the monotonic clock."""
    found = connection.blpop([RAN], timeout=20)
    assert found, "no job began within 20 s"
    return float(found[1])


@contextmanager
def bot_pool(url: str, config: Path) -> Iterator[None]:
    """Run the bot's pool, as `python -m workers` does, with the model and deploys of `workflow`."""
    settings = environ(url, config)
    workers = len(entry.pool_settings(read_settings(settings)).queues)
    with _running(("bot",), url, workers, settings):
        yield


@contextmanager
def bare_pool(url: str) -> Iterator[None]:
    """Run one worker for operations, whose jobs note when they began and do nothing else."""
    with _running(("bare", url), url, 1, {}):
        yield


@contextmanager
def _running(
    arguments: tuple[str, ...], url: str, workers: int, settings: dict[str, str]
) -> Iterator[None]:
    settings = settings | {
        "PATH": os.environ["PATH"],  # noqa: TID251 - for a child
        "PYTHONPATH": f"{TESTS.parent}:{TESTS}",
    }
    with tempfile.TemporaryFile() as log, client(url) as connection:
        process = subprocess.Popen(
            (sys.executable, __file__, *arguments), env=settings, stdout=log, stderr=log
        )
        try:
            wait_until(
                lambda: (
                    process.poll() is not None
                    or (len(connection.smembers("rq:workers")) == workers and is_idle(connection))
                )
            )
            log.seek(0)
            assert process.poll() is None, log.read().decode()
            yield
        finally:
            process.terminate()
            process.wait(30)


def is_idle(connection: redis.Redis) -> bool:
    """Tell whether no worker has, or will find, anything to do."""
    if any(connection.llen(f"rq:queue:{name}") for name in QUEUES.values()):
        return False
    states = {connection.hget(name, "state") for name in connection.smembers("rq:workers")}
    return states == {b"idle"}


def main() -> None:
    match sys.argv[1:]:
        case ["bot"]:
            jobs.bot_from_environment = _bot
            sys.exit(entry.main([]))
        case ["bare", url]:
            jobs.operate = functools.partial(_note, client(url))
            Pool(PoolSettings(url=url, queues=("operations",), with_clock=False, warm="")).run()


def _bot() -> Bot:
    bot = bot_from_environment()
    return measured(bot, ran=bot.store.queues.connection)


def _note(connection: redis.Redis, thread_id: str) -> None:
    connection.rpush(RAN, time.perf_counter())


if __name__ == "__main__":
    main()
