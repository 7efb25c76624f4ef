"""Whether a Redis may hold threads, and the client that never writes twice; starting one is embedded.py's."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import cast

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from deploybot.errors import ConfigError
from deploybot.redis_address import connected

_NEEDED = ("appendonly", "appendfsync", "maxmemory-policy")


@dataclass(frozen=True, slots=True)
class Problem:
    """One setting under which threads can be lost; `fatal` ones stop the start."""

    setting: str
    text: str
    fatal: bool = True


def client(url: str, *, timeout: float = 5.0) -> redis.Redis:
    """Give a client that sends every command once: a lost reply is the caller's to look into.

    `url` is of one of `redis_address.SCHEMES`; `timeout` is in seconds, for each reply.
    """
    return connected(
        url,
        retry=Retry(NoBackoff(), 0),
        socket_timeout=timeout,
        driver_info=None,  # each job is a fork that connects anew: two questions fewer
    )


def check(connection: redis.Redis) -> tuple[Problem, ...]:
    """Find the settings under which this Redis can lose a thread; fatal problems first."""
    found = (*_role(connection), *_settings(connection))
    return tuple(sorted(found, key=lambda problem: not problem.fatal))


def require_safe(connection: redis.Redis, *, allow_unsafe: bool = False) -> tuple[Problem, ...]:
    """Return what is worth a warning; raise ConfigError on what is fatal, unless this is a test."""
    try:
        problems = check(connection)
    except redis.RedisError as error:
        raise ConfigError(
            f"The store does not answer ({error}), so nothing was done. Start the server that "
            "DEPLOYBOT_REDIS_URL names; where it is not set, `deploybot serve` starts one.",
        ) from error
    fatal = [problem for problem in problems if problem.fatal]
    if fatal and not allow_unsafe:
        raise ConfigError(
            "This Redis can lose threads: "
            + "; ".join(problem.text for problem in fatal)
            + ". Nothing was started. Change the settings, or set DEPLOYBOT_ALLOW_UNSAFE_REDIS=1 "
            "where losing threads does not matter.",
        )
    return problems


def _role(connection: redis.Redis) -> tuple[Problem, ...]:
    role = str(_text(cast(list[object], connection.role())[0]))
    if role == "master":
        return ()
    return (Problem("role", f"it is a {role}, and must be the master"),)


def _settings(connection: redis.Redis) -> Iterator[Problem]:
    try:
        found = connection.config_get(*_NEEDED)
    except redis.ResponseError:
        yield from _hidden(connection)
        return
    values = {
        _text(name): _text(value) for name, value in cast(dict[object, object], found).items()
    }
    yield from _wrong(values)
    yield from _fsync(values.get("appendfsync"))


def _wrong(values: Mapping[str, str]) -> Iterator[Problem]:
    if values.get("appendonly") != "yes":
        yield Problem("appendonly", "appendonly must be yes")
    if (policy := values.get("maxmemory-policy")) != "noeviction":
        text = f"maxmemory-policy is {policy}, and must be noeviction"
        yield Problem("maxmemory-policy", text)


def _fsync(value: str | None) -> Iterator[Problem]:
    match value:
        case "always":
            pass
        case "everysec":
            text = "appendfsync is everysec: a power cut can lose the last second; set it to always"
            yield Problem("appendfsync", text, fatal=False)
        case other:
            yield Problem("appendfsync", f"appendfsync is {other}, and must be always")


def _hidden(connection: redis.Redis) -> Iterator[Problem]:
    """Find what can be found where CONFIG is refused, as it should be to a user of ours alone."""
    try:
        told = cast(dict[str, object], connection.info())
    except redis.ResponseError:
        told = {}
    if "aof_enabled" not in told or "maxmemory_policy" not in told:
        text = (
            "its settings cannot be read: make sure that it has "
            "appendonly yes, appendfsync always and maxmemory-policy noeviction"
        )
        yield Problem("config", text, fatal=False)
        return
    enabled = "yes" if str(told["aof_enabled"]) == "1" else "no"
    yield from _wrong({"appendonly": enabled, "maxmemory-policy": str(told["maxmemory_policy"])})
    text = (
        "this user may not read appendfsync (CONFIG is refused to it): make sure that it is always"
    )
    yield Problem("appendfsync", text, fatal=False)


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
