"""The measured workflow: the real bot, with a model that answers at once and deploys that do nothing."""

import itertools
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import redis
from fakes import plain_prompt, sha_of

from deploy.catalog import Catalog
from deploy.plan import Commit, Plan, PlannedStep
from deploy.target import Guard, Live, NeverBegan, Order, Outcome, Probe, Report, TestReport
from deploybot.agent import Agent
from deploybot.bootstrap import Bot, bot_from_environment
from deploybot.events import ApiMessageReceived, ApprovalGranted, StepChosen
from deploybot.next_step import Deploy, DoneForNow, ListGitTags, NextStep
from deploybot.operate import Operator
from deploybot.ports import NOBODY, Asking, Choice, EnvironmentRow, Prompt
from deploybot.thread import Status, Thread

CONFIG = """
[repositories.shop]
path = "shop.git"
[services.backend]
repository = "shop"
target = { kind = "releases", base = "releases" }
[services.frontend]
repository = "shop"
target = { kind = "releases", base = "releases" }
[environments.production]
order = 1
approvers = ["ann", "ben"]
services = { backend = {}, frontend = {} }
[people]
ann = { name = "Ann" }
ben = { name = "Ben" }
"""
RAN = "benchmark:ran"
"""The list to which a deploy in a worker's process adds when it began, by the monotonic clock."""


def environ(url: str, config: Path) -> dict[str, str]:
    """Return the settings of the measured bot."""
    return {
        "DEPLOYBOT_CONFIG": str(config),
        "DEPLOYBOT_STATE_DIR": str(config.parent / "state"),
        "DEPLOYBOT_REDIS_URL": url,
        "DEPLOYBOT_SECRET_KEY": "k" * 32,
    }


class Planner:
    """Lists tags, deploys the backend, deploys the frontend, and is done: by what was chosen so far."""

    steps: tuple[NextStep, ...] = (
        ListGitTags(service=None, limit=3),
        Deploy(service="backend", ref="v1.1.0", environment="production", reason="newest tag"),
        Deploy(service="frontend", ref="v1.1.0", environment="production", reason="follows"),
        DoneForNow(message="Backend and frontend v1.1.0 are live on production."),
    )

    def next_step(self, prompt: Prompt) -> Choice:
        chosen = sum(isinstance(event, StepChosen) for event in prompt.thread.events)
        return Choice(self.steps[chosen], model="planner")


def plan_of(service: str, config_hash: str) -> Plan:
    """Return what the measured deploys are: one commit of two, built and switched to."""
    at = datetime(2026, 5, 4, 12, tzinfo=UTC)
    commits = tuple(
        Commit(sha=sha_of(subject), author="Ann", email="ann@shop.example", at=at, subject=subject)
        for subject in ("Add the org routes (#42)", "Round prices to the cent (#41)")
    )
    return Plan(
        action="deploy",
        service=service,
        environment="production",
        repository="shop",
        ref="v1.1.0",
        sha=sha_of("v1.1.0"),
        previous_sha=sha_of("v1.0.0"),
        steps=(
            PlannedStep(name="build", argv=("make", service), says=f"build {service}"),
            PlannedStep(name="switch", says="make it live"),
        ),
        config_hash=config_hash,
        commits=commits,
        commits_total=len(commits),
    )


@dataclass
class NoDeployer:
    """Shows the same plans each time, and deploys nothing; `ran` is told when each deploy began."""

    catalog: Catalog
    ran: redis.Redis | None = None

    def __post_init__(self) -> None:
        self._plans = {
            service: plan_of(service, self.catalog.config_hash(service, "production"))
            for service in self.catalog.services
        }

    def plan(
        self,
        action: str,
        service: str,
        ref: str | None,
        environment: str,
        *,
        asking: Asking = NOBODY,
    ) -> Plan:
        return self._plans[service]

    def tags(self, service: str | None, limit: int) -> list[dict[str, Any]]:
        names = ("v1.1.0", "v1.0.0", "v0.9.0")[:limit]
        return [{"name": name, "sha": sha_of(name), "at": "2026-05-04 12:00"} for name in names]

    def commits(self, service: str | None, ref: str | None, limit: int) -> list[dict[str, Any]]:
        return []

    def live(self, service: str, environment: str) -> Live | None:
        return None

    def environments(self, environment: str | None = None) -> tuple[EnvironmentRow, ...]:
        return ()

    def run(self, order: Order, guard: Guard, report: Report) -> Outcome:
        began = time.perf_counter()
        guard()
        if self.ran is not None:
            self.ran.rpush(RAN, began)
        return Outcome(outcome="succeeded", live_sha=order.plan.sha, seconds=0.0)

    def at_once(self) -> Any:
        return self

    def runs_elsewhere(self, service: str, environment: str) -> bool:
        return False

    def settle(self, order: Order) -> Probe:
        return NeverBegan()

    def test(self, environment: str, guard: Guard) -> TestReport:
        return TestReport(passed=True, seconds=0.0, exit_code=0, summary="none", tail=())


def measured(bot: Bot, *, ran: redis.Redis | None = None) -> Bot:
    """Return the same bot with the model and the deploys of this file; all else is its own."""
    deployer = NoDeployer(bot.configuration.catalog, ran)
    agent = Agent(
        store=bot.store, model=Planner(), deployer=deployer, prompt=bot.prompt, clock=bot.clock
    )
    lease = timedelta(seconds=bot.settings.lease_seconds)
    operator = Operator(store=bot.store, deployer=deployer, clock=bot.clock, lease=lease)
    return replace(bot, deployer=deployer, agent=agent, operator=operator)


def without_prompts(bot: Bot) -> Bot:
    """Return the same bot with a model that needs nothing written: it looks at the thread itself."""
    agent = Agent(
        store=bot.store,
        model=Planner(),
        deployer=bot.deployer,
        prompt=plain_prompt,
        clock=bot.clock,
    )
    return replace(bot, agent=agent)


@contextmanager
def company(url: str) -> Iterator[tuple[Bot, Path]]:
    """Yield a measured bot on this Redis, and the configuration it was built from."""
    with tempfile.TemporaryDirectory(prefix="dbt-") as directory:
        config = Path(directory) / "deploybot.toml"
        config.write_text(CONFIG)
        yield measured(bot_from_environment(environ(url, config))), config


_numbers = itertools.count()


def asked(bot: Bot) -> tuple[str, ApiMessageReceived]:
    """Return a new thread's id, and what a person writes to begin it."""
    number = next(_numbers)
    text = "deploy the newest tag of the backend to production, then of the frontend"
    said = ApiMessageReceived(at=bot.clock.now(), by="ann", delivery=f"api:{number:012}", text=text)
    return f"t{number:016x}", said


def granted(bot: Bot, thread: Thread) -> ApprovalGranted:
    """Return another person's yes to what is open."""
    request = thread.standing.request
    assert request is not None, thread.status
    return ApprovalGranted(
        at=bot.clock.now(),
        by="ben",
        delivery=f"answer:{request.id}",
        request_id=request.id,
        digest=request.digest,
        channel="api",
    )


def launch(bot: Bot) -> str:
    """Begin a thread as a channel does: workers are woken."""
    thread_id, said = asked(bot)
    return bot.inbox.hear(thread_id, said, dedupe=(said.delivery,)).id


def play(bot: Bot) -> Thread:
    """Run the whole workflow in this process, without a queue; after each pause, read the thread anew."""
    thread_id, said = asked(bot)
    thread = bot.store.append(Thread(thread_id), said, dedupe=(said.delivery,), wake=False)
    for _ in range(2):
        thread = bot.agent.advance(thread)
        yes = granted(bot, thread)
        bot.store.append(thread, yes, dedupe=(yes.delivery,), wake=False)
        thread = bot.operator.operate(thread_id)
    thread = bot.agent.advance(thread)
    assert thread.status is Status.DONE, thread.status
    return thread
