"""The workers' entry point: `python -m workers`; what it starts and keeps running is the pool's."""

import argparse
import logging
import sys
from collections.abc import Sequence

from deploybot.queue import QUEUES
from deploybot.redis_safety import client, require_safe
from workers.pool import PROCESSES, Pool, PoolSettings


def main(arguments: Sequence[str] | None = None) -> int:
    """Check the Redis, then run the pool until it is told to stop; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m workers", description=__doc__)
    parser.add_argument("--redis-url", required=True, help="redis://, rediss:// or unix://")
    parser.add_argument(
        "--queues",
        nargs="+",
        choices=tuple(QUEUES.values()),
        default=list(PROCESSES),
        help="one process each; a queue named twice gets two",
    )
    parser.add_argument("--no-clock", action="store_true", help="wake nobody: another host does")
    parser.add_argument(
        "--allow-unsafe-redis", action="store_true", help="run even where threads can be lost"
    )
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    require_safe(client(options.redis_url), allow_unsafe=options.allow_unsafe_redis)
    settings = PoolSettings(
        url=options.redis_url, queues=options.queues, with_clock=not options.no_clock
    )
    return Pool(settings).run()


if __name__ == "__main__":
    sys.exit(main())
