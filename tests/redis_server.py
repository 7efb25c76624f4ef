"""A real embedded server for tests: one for the session, emptied between tests."""

import tempfile
from collections.abc import Iterator
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
