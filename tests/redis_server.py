"""A real embedded server for tests, emptied between them, and waiting for what happens elsewhere."""

import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

from deploybot.embedded import EmbeddedServer
from deploybot.redis_safety import client


@contextmanager
def running_server() -> Iterator[str]:
    """Yield the URL of a fresh server, which ends with the block."""
    with (
        tempfile.TemporaryDirectory(prefix="dbt-", ignore_cleanup_errors=True) as directory,
        EmbeddedServer.start(Path(directory) / "redis") as server,
    ):
        yield server.url


def emptied(url: str) -> redis.Redis:
    """Give a client of the server, after everything on it has been deleted."""
    connection = client(url)
    connection.flushall()
    return connection


def wait_until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    """Return as soon as the condition holds; fail when it does not within these seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"it did not happen within {seconds} s"
        threading.Event().wait(0.005)
