"""The workers' entry point: `python -m workers`; what it starts and keeps running is the pool's."""

import argparse
import logging
import sys
from collections.abc import Sequence

from deploybot import logs
from deploybot.bootstrap import redis_url
from deploybot.config import Settings, read_configuration, read_settings
from deploybot.configured_models import model_tables
from deploybot.errors import ConfigError
from deploybot.queue import QUEUES
from deploybot.redaction import Redactor, secrets_in
from deploybot.redis_safety import client, require_safe
from workers.clock import ClockSettings
from workers.pool import PRELOADED, Pool, PoolSettings

logger = logging.getLogger(__name__)

MODELS_CLIENT = "openai.resources.chat"
"""Takes a second and 30 MB: loaded once for all processes, and only where there is a model to ask."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Check the Redis, then run the pool until it is told to stop; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m workers", description=__doc__)
    parser.add_argument(
        "--queues",
        nargs="+",
        choices=tuple(QUEUES.values()),
        help="one process each; a queue named twice gets two; all of them when left out",
    )
    parser.add_argument("--no-clock", action="store_true", help="wake nobody: another host does")
    parser.add_argument(
        "--no-mailboxes", action="store_true", help="read no mail: another host does"
    )
    options = parser.parse_args(arguments)
    logs.configure()
    try:
        settings = read_settings()
        logs.configure(settings.log_format, settings.log_level)
        logs.keep_secret(Redactor(secrets_in(settings)))
        connection = client(redis_url(settings))
        problems = require_safe(connection, allow_unsafe=settings.allow_unsafe_redis)
        pool = pool_settings(
            settings,
            options.queues,
            with_clock=not options.no_clock,
            with_mailboxes=not options.no_mailboxes,
        )
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    for problem in problems:
        logger.warning(problem.text, extra={"action": "check_redis"})
    return Pool(pool).run()


def pool_settings(
    settings: Settings,
    queues: Sequence[str] | None = None,
    *,
    with_clock: bool = True,
    with_mailboxes: bool = True,
) -> PoolSettings:
    """Return what the settings ask for: by default every queue, with as many operations as set.

    Two processes take threads, so that one slow answer of a model keeps no other thread waiting.
    """
    asks_models = model_tables(settings, read_configuration(settings.config).models)
    by_socket = bool(settings.slack_app_token.get_secret_value())
    everything = [*QUEUES.values(), "threads", *(["operations"] * (settings.operations - 1))]
    return PoolSettings(
        url=redis_url(settings),
        queues=queues or everything,
        preload=(*PRELOADED, MODELS_CLIENT) if asks_models else PRELOADED,
        with_clock=with_clock,
        mailboxes=len(settings.mailboxes) if with_mailboxes else 0,
        clock=ClockSettings(
            tick_seconds=min(1.0, settings.sweep_seconds), sweep_seconds=settings.sweep_seconds
        ),
        alarms="deploybot.alarming:alarms_from_environment",
        listener="deploybot.web.slack_socket:listen" if by_socket else "",
    )


if __name__ == "__main__":
    sys.exit(main())
