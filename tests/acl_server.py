"""A store whose users may do no more than `docs/redis-acl.example` allows, for tests of that file."""

import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import redis
from redis_server import wait_until
from shop import ROOT

from deploybot.embedded import _program

EXAMPLE = ROOT / "docs" / "redis-acl.example"


@dataclass(frozen=True)
class Guarded:
    """A running store: what the bot is told, and the connection of whoever runs the store."""

    bot_url: str
    operator: redis.Redis


def passwords(text: str) -> dict[str, str]:
    """Return user → password, as the file sets them."""
    return dict(re.findall(r"^user (\w+) on >(\S+)", text, re.MULTILINE))


@contextmanager
def guarded_server() -> Iterator[Guarded]:
    """Start a store with the example as its file of users."""
    given = passwords(EXAMPLE.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory(prefix="dbt-") as folder:
        socket = Path(folder) / "r.sock"
        settings = {
            "port": "0",
            "unixsocket": str(socket),
            "dir": folder,
            "aclfile": str(EXAMPLE),
            "appendonly": "yes",
            "appendfsync": "always",
            "maxmemory-policy": "noeviction",
            "save": "",
        }
        arguments = [part for name, value in settings.items() for part in (f"--{name}", value)]
        with (Path(folder) / "log").open("wb") as log:
            process = subprocess.Popen([_program(), *arguments], stdout=log, stderr=log)
        operator = redis.Redis(
            unix_socket_path=str(socket), username="operator", password=given["operator"]
        )
        try:
            wait_until(lambda: _answers(operator))
            yield Guarded(f"unix://deploybot:{given['deploybot']}@{socket}", operator)
        finally:
            operator.close()
            process.terminate()
            process.wait(20)


def _answers(connection: redis.Redis) -> bool:
    with suppress(redis.ConnectionError):
        return bool(connection.ping())
    return False
