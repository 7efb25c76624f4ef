"""Places at which tests kill a worker: around each append of its store; nothing of it is there unless armed.

Where and when is kept in Redis, and counted there, so that the worker which takes over counts on
and is not killed again.
"""

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import cast

import redis

from deploy.locks import Hold
from deploybot.events import Event
from deploybot.ports import Operation
from deploybot.queue import PREFIX
from deploybot.store import RedisStore
from deploybot.thread import Thread

POINT = f"{PREFIX}failpoint"
"""Where to die: `append:<number>:before` or `…:after`, the first being number 1."""
COUNT = f"{PREFIX}failpoint:count"
DIED = f"{PREFIX}failpoint:died"
"""How often a worker was killed here."""


class FailingStore(RedisStore):
    """A store in Redis whose appends kill the process and its parent where a test has said so."""

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
        """Append as `RedisStore` does, unless this is where to die."""
        with _dying(self._redis):
            return super().append(
                thread,
                *events,
                dedupe=dedupe,
                aliases=aliases,
                claim=claim,
                release=release,
                hold=hold,
                free=free,
                wake=wake,
            )


def arm(connection: redis.Redis, point: str) -> None:
    """Say where the next worker is to die, "" for nowhere, and count from the beginning."""
    connection.delete(COUNT, DIED)
    connection.set(POINT, point)


@contextmanager
def _dying(connection: redis.Redis) -> Iterator[None]:
    number = connection.incr(COUNT)
    point = (cast(bytes | None, connection.get(POINT)) or b"").decode()
    if point == f"append:{number}:before":
        _die(connection)
    try:
        yield
    finally:
        if point == f"append:{number}:after":
            _die(connection)


def _die(connection: redis.Redis) -> None:
    """End as a host does that loses its power: the job's process and the worker above it."""
    connection.incr(DIED)
    os.kill(os.getppid(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)
