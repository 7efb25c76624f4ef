"""What a waiting thread costs: some Redis memory, and nothing else."""

import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from benchmarks.conftest import Table, settled
from benchmarks.workflow import asked, company, plain_prompt, without_prompts

from deploybot.agent import Agent
from deploybot.bootstrap import Bot
from deploybot.next_step import Deploy, ListGitTags, NextStep, RequestHumanInput
from deploybot.ports import Choice, Prompt
from deploybot.thread import Status, Thread

pytestmark = pytest.mark.benchmark

FEW, MANY = 1_000, 10_000


@pytest.fixture
def bot(redis_url: str, connection: redis.Redis) -> Iterator[Bot]:
    """Yield a bot whose writes are not waited for: what is measured here is space."""
    with company(redis_url) as (bot, _):
        connection.config_set("appendfsync", "no")
        yield without_prompts(bot)
        connection.config_set("appendfsync", "always")


class Says:
    """A model that takes these steps, one after the other, in every thread."""

    def __init__(self, *steps: NextStep) -> None:
        self._steps = steps

    def next_step(self, prompt: Prompt) -> Choice:
        return Choice(self._steps[prompt.thread.standing.steps], model="planner")


DEPLOY = Deploy(service="backend", ref="v1.1.0", environment="production", reason="newest tag")
ASK = RequestHumanInput(
    question="Which tag shall it be?", context="There are three.", choices=("v1.1.0", "v1.0.0")
)


def paused(bot: Bot, *steps: NextStep, words: int = 1) -> Thread:
    """Let a thread take these steps up to where it waits for people, who have all been told.

    It begins with so many messages of one person.
    """
    thread_id, said = asked(bot)
    alias = (f"api:{thread_id}",)
    thread = bot.store.append(Thread(thread_id), said, dedupe=(said.delivery,), aliases=alias)
    for _ in range(words - 1):
        thread = bot.store.append(thread, said)
    agent = Agent(
        store=bot.store,
        model=Says(*steps),
        deployer=bot.deployer,
        prompt=plain_prompt,
        clock=bot.clock,
    )
    thread = agent.advance(thread)
    bot.store.delivered(thread.id, len(thread.events))
    return thread


def bytes_each(connection: redis.Redis, count: int, make: Callable[[], object]) -> float:
    """Return how much memory each of so many threads takes, once workers have done their jobs."""
    before = settled(connection)
    for _ in range(count):
        make()
    for pattern in ("rq:*", "deploybot:wake:*"):
        for key in connection.scan_iter(pattern, count=1000):
            connection.delete(key)
    return (settled(connection) - before) / count


def children() -> set[str]:
    return set(Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split())


def test_a_thread_that_waits_for_an_approval_takes_less_than_eight_kilobytes(
    bot: Bot, connection: redis.Redis, table: Table
) -> None:
    kinds = [event.kind for event in paused(bot, DEPLOY).events]

    each = bytes_each(connection, FEW, lambda: paused(bot, DEPLOY))
    longer = bytes_each(connection, FEW, lambda: paused(bot, ListGitTags(), DEPLOY))

    assert kinds == ["api_message_received", "step_chosen", "approval_requested"]
    table.add("thread waiting for approval, 3 events", f"{each / 1000:.1f} KB", bar="< 8 KB")
    table.add("… with a read before, 5 events", f"{longer / 1000:.1f} KB", bar="< 8 KB")
    assert max(each, longer) < 8_000


def test_ten_thousand_waiting_threads_take_little_memory_and_no_process(
    bot: Bot, connection: redis.Redis, table: Table
) -> None:
    steps = (*[ListGitTags()] * 3, ASK)
    thread = paused(bot, *steps, words=2)
    processes = children()

    each = bytes_each(connection, MANY, lambda: paused(bot, *steps, words=2))

    assert (thread.status, len(thread.events)) == (Status.AWAITING_INPUT, 10)
    assert len(bot.store.list(status="awaiting_input", limit=2 * MANY).threads) == MANY + 1
    table.add(f"10 events, each of {MANY:,} threads", f"{each / 1000:.1f} KB", bar="< 12 KB")
    assert each < 12_000
    assert children() == processes


def test_a_thread_grows_with_its_events_and_not_with_their_square(
    bot: Bot, connection: redis.Redis, table: Table
) -> None:
    def talked(length: int) -> None:
        _, said = asked(bot)
        thread = Thread(f"t{said.delivery}")
        for number in range(length):
            words = {"delivery": f"{said.delivery}-{number}", "text": f"{number:03}" + "x" * 397}
            thread = bot.store.append(thread, said.model_copy(update=words))
        bot.store.delivered(thread.id, length)

    sizes = {length: bytes_each(connection, 50, lambda n=length: talked(n)) for length in (98, 194)}

    exponent = math.log(sizes[194] / sizes[98]) / math.log(194 / 98)
    table.add(
        "98 and 194 events of half a kilobyte",
        f"{sizes[98] / 1000:.0f} and {sizes[194] / 1000:.0f} KB",
        f"exponent {exponent:.2f}",
        "< 1.10",
    )
    assert exponent < 1.1
