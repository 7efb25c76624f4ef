"""Whether a Redis may hold threads, and the client that never writes twice; starting one is embedded.py's."""

from dataclasses import dataclass
from typing import cast

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from deploybot.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Problem:
    """One setting under which threads can be lost; `fatal` ones stop the start."""

    setting: str
    text: str
    fatal: bool = True


def client(url: str, *, timeout: float = 5.0) -> redis.Redis:
    """Give a client that sends every command once: a lost reply is the caller's to look into.

    `url` is `redis://`, `rediss://` or `unix://`; `timeout` is in seconds, for each reply.
    """
    return redis.Redis.from_url(
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


def _settings(connection: redis.Redis) -> tuple[Problem, ...]:
    try:
        found = connection.config_get("appendonly", "appendfsync", "maxmemory-policy")
    except redis.ResponseError:
        text = (
            "its settings cannot be read: make sure that it has "
            "appendonly yes, appendfsync always and maxmemory-policy noeviction"
        )
        return (Problem("config", text, fatal=False),)
    values = {
        _text(name): _text(value) for name, value in cast(dict[object, object], found).items()
    }
    problems = []
    if values.get("appendonly") != "yes":
        problems.append(Problem("appendonly", "appendonly must be yes"))
    match values.get("appendfsync"):
        case "always":
            pass
        case "everysec":
            text = "appendfsync is everysec: a power cut can lose the last second; set it to always"
            problems.append(Problem("appendfsync", text, fatal=False))
        case other:
            problems.append(Problem("appendfsync", f"appendfsync is {other}, and must be always"))
    if (policy := values.get("maxmemory-policy")) != "noeviction":
        text = f"maxmemory-policy is {policy}, and must be noeviction"
        problems.append(Problem("maxmemory-policy", text))
    return tuple(problems)


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
