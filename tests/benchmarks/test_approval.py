"""How soon an approval is acted on: from the append of the yes to the first instruction of the deploy."""

import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import redis
from benchmarks.conftest import Table
from benchmarks.pools import bare_pool, bot_pool, is_idle, ran
from benchmarks.workflow import company, granted, launch
from redis_server import running_server, wait_until
from rq import Queue
from rq.serializers import JSONSerializer

from deploybot.bootstrap import Bot
from deploybot.redis_safety import client
from deploybot.thread import Status

pytestmark = pytest.mark.benchmark

SAMPLES = 80


@pytest.fixture
def both() -> Iterator[tuple[Bot, redis.Redis]]:
    """Run the bot's workers and, on a Redis of its own, one worker of the same class; yield the clients."""
    with ExitStack() as stack:
        url, bare = (stack.enter_context(running_server()) for _ in range(2))
        bot, config = stack.enter_context(company(url))
        stack.enter_context(bot_pool(url, config))
        stack.enter_context(bare_pool(bare))
        yield bot, client(bare)


def test_a_deploy_begins_within_twice_the_time_a_bare_job_takes_to_start(
    both: tuple[Bot, redis.Redis], table: Table
) -> None:
    bot, bare = both
    through_queue, bare_jobs = [], []

    for _ in range(SAMPLES // 2):
        thread_id = launch(bot)
        for _ in range(2):  # the workflow's two approvals
            through_queue.append(approval_to_deploy(bot, thread_id))
            bare_jobs.append(enqueue_to_start(bare))

    ours, theirs = statistics.median(through_queue), statistics.median(bare_jobs)
    table.add(
        "approval to first deploy instruction",
        f"{ours:.1f} ms",
        f"{theirs:.1f} ms for a bare job; {ours / theirs:.2f} times",
        "<= 2.00",
    )
    assert ours <= 2 * theirs


def approval_to_deploy(bot: Bot, thread_id: str) -> float:
    """Approve what the thread asks, once it asks and nothing else runs; return milliseconds."""
    connection = bot.store.queues.connection
    wait_until(lambda: bot.store.load(thread_id).status is Status.AWAITING_APPROVAL)
    wait_until(lambda: is_idle(connection))
    thread = bot.store.load(thread_id)
    yes = granted(bot, thread)
    start = time.perf_counter()
    bot.store.append(thread, yes, dedupe=(yes.delivery,))
    return (ran(connection) - start) * 1000


def enqueue_to_start(connection: redis.Redis) -> float:
    """Enqueue one job as the library does it, while its worker is idle; return milliseconds."""
    wait_until(lambda: is_idle(connection))
    queue = Queue("operations", connection=connection, serializer=JSONSerializer)
    start = time.perf_counter()
    queue.enqueue("workers.jobs.operate", "t1")
    return (ran(connection) - start) * 1000
