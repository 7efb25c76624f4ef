"""A worker dies at any instants, as often as it likes: nothing is lost, and no approval runs twice."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest
from draws import run_seed
from fakes import FakeDeployer, sha_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oracle import violations
from story import Story

from deploy.plan import Plan
from deploy.target import Guard, Order, Outcome, Probe, Report, TestReport
from deploybot.agent import Agent
from deploybot.approvals import ApprovalRequest
from deploybot.events import BranchUpdated, TestsPassed
from deploybot.inbox import Settling
from deploybot.memory import MemoryStore
from deploybot.models.chain import Chain
from deploybot.operate import Operator
from deploybot.pipeline import TIMES_ANEW
from deploybot.ports import Prompt
from deploybot.thread import Status, Thread, thread_id_for

SHA = sha_of("merged")
NO = "can you deploy the backend first?"
ROUNDS = 400
"""Looks after which a story that does not end counts as stuck."""


class DiedError(BaseException):
    """The worker is gone; nothing that it had in mind is known any more."""


@dataclass
class Fate:
    """The instants, numbered as workers come to them, at which one dies."""

    deadly: set[int] = field(default_factory=set)
    instants: int = 0
    deaths: int = 0
    at_work: bool = False
    """Whether a worker is at work: people and the clock do not die."""

    def may_strike(self) -> None:
        if not self.at_work:
            return
        self.instants += 1
        if self.instants in self.deadly:
            self.deaths += 1
            raise DiedError

    @contextmanager
    def around(self) -> Iterator[None]:
        """Strike before or after what happens in the block."""
        self.may_strike()
        yield
        self.may_strike()


class DyingStore(MemoryStore):
    """A store whose users die before or after an append."""

    fate: Fate

    def append(self, thread: Thread, *events: Any, **how: Any) -> Thread:
        with self.fate.around():
            return super().append(thread, *events, **how)


@dataclass
class DyingDeployer(FakeDeployer):
    """Targets whose users die before, in the middle of, and after whatever they do there."""

    fate: Fate = field(default_factory=Fate)
    runs: Counter[str] = field(default_factory=Counter)

    def plan(self, *place: Any, **asking: Any) -> Plan:
        with self.fate.around():
            return super().plan(*place, **asking)

    def run(self, order: Order, guard: Guard, report: Report) -> Outcome:
        def told(progress: Any) -> None:
            self.fate.may_strike()
            report(progress)

        def guarded() -> None:
            guard()
            if order.approval_id in self.began:
                self.fate.may_strike()  # begun, and not yet switched

        with self.fate.around():
            outcome = super().run(order, guarded, told)
            self.runs[order.approval_id] += 1
            return outcome

    def put_live(self, *place: str, **by: Any) -> None:
        super().put_live(*place, **by)
        self.fate.may_strike()  # switched, and not yet ended

    def settle(self, order: Order) -> Probe:
        with self.fate.around():
            return super().settle(order)

    def test(self, environment: str, guard: Guard) -> TestReport:
        with self.fate.around():
            return super().test(environment, guard)


class DyingStory(Story):
    """The seed story over a store and targets that workers die at; people answer by script."""

    def __init__(self, deadly: set[int]) -> None:
        super().__init__()
        self.fate = Fate(deadly)
        self.store = DyingStore(now=self.clock.now)
        self.store.fate = self.fate
        self.deployer = DyingDeployer(self.table, self.clock.now, self.store, fate=self.fate)
        self.deployer.main = SHA
        clock = self.clock.clockwork
        self.inbox._store = self.store
        self.agent = Agent(
            store=self.store, model=Chain(), deployer=self.deployer, prompt=self._prompt,
            clock=clock,
        )  # fmt: skip
        self.operator = Operator(store=self.store, deployer=self.deployer, clock=clock)
        self.denied = False
        self.thread_id = thread_id_for("github", SHA)
        words = f"handed-over:{self.thread_id}:deploy SHA {SHA[:7]} to production"
        self.deploys = thread_id_for(words)

    def _prompt(self, thread: Thread) -> Prompt:
        services, places = tuple(self.table.services), tuple(self.table.environments)
        return Prompt(
            agent=thread.standing.agent, system="", text="", schema={}, digest="0" * 12,
            thread=thread, services=services, environments=places,
        )  # fmt: skip

    def threads(self) -> list[Thread]:
        return [self.store.load(name) for name in (self.thread_id, self.deploys)]

    def plays(self) -> "DyingStory":
        moved = BranchUpdated(
            at=self.clock.now(), by="github", delivery="push", repository="shop", branch="main",
            before="0" * 40, after=SHA, pusher="eve", subject="Add the org routes",
        )  # fmt: skip
        self.inbox.hear(self.thread_id, moved, dedupe=("push",))
        for _ in range(ROUNDS):
            if self._worked() and not self._people_moved():
                if all(t.status is Status.DONE for t in self.threads()):
                    return self
                self.clock.passes(seconds=30)
        raise AssertionError([(t.status, [e.kind for e in t.events]) for t in self.threads()])

    def _worked(self) -> bool:
        """Let workers do what waits; False when one died, and others come after a while."""
        self.fate.at_work = True
        try:
            self.bot_works()
        except DiedError:
            self.clock.passes(seconds=30)
            return False
        finally:
            self.fate.at_work = False
        return True

    def _people_moved(self) -> bool:
        for thread in self.threads():
            request = thread.standing.request
            match thread.status:
                case Status.AWAITING_APPROVAL if request:
                    self._answer(request)
                    return True
                case Status.OUTCOME_UNKNOWN if request:
                    return self._settle(thread, request)
                case Status.AWAITING_INPUT if question := thread.standing.question:
                    said = self.inbox.answer_question(
                        thread.id, question.question_id, "Try again", by="ben",
                        delivery=self._delivery(),
                    )  # fmt: skip
                    return said.accepted
                case _:
                    pass
        return False

    def _answer(self, request: ApprovalRequest) -> None:
        no = not self.denied and request.plan.service == "frontend"
        self.denied = self.denied or no
        words = NO if no else ""
        receipt = self._answers(approved=not no, by="ben", words=words, request=request)
        assert receipt.accepted, receipt.text

    def _answers(self, **answer: Any) -> Any:
        """Answer, and leave the work to workers who may die."""
        works: Callable[[], Story] = self.bot_works
        self.bot_works = lambda: self  # type: ignore[method-assign]
        try:
            return super()._answers(**answer)
        finally:
            self.bot_works = works  # type: ignore[method-assign]

    def _settle(self, thread: Thread, request: ApprovalRequest) -> bool:
        """Look at what is live, as a person would, and say so."""
        plan = request.plan
        live = self.deployer.live(plan.service, plan.environment)
        there = live is not None and live.sha == plan.sha
        receipt = self.inbox.settle(
            Settling(
                thread=thread.id,
                request_id=request.id,
                by="ben",
                delivery=self._delivery(),
                outcome="succeeded" if there else "failed",
            )
        )
        assert receipt.accepted, receipt.text
        return True


def wrong(story: DyingStory) -> list[str]:
    """Return what is not as it was promised; empty when all is well."""
    found = [bad for thread in story.threads() for bad in violations(thread.events)]
    found += [
        f"{name} ran {times} times" for name, times in story.deployer.runs.items() if times > 1
    ]
    found += [f"an operation is left on {place}" for place in story.store._operations]
    changes = [ran for ran in story.deployer.ran if not ran.startswith("test")]
    if len(changes) > len(story.deployer.began):
        found.append(f"more ran than began: {changes}")
    return found


def went_well(story: DyingStory) -> bool:
    """Tell whether both services are live and tested everywhere."""
    tested = {
        e.environment for t in story.threads() for e in t.events if isinstance(e, TestsPassed)
    }
    live = {place for place, now in story.deployer.live_now.items() if now.sha == SHA}
    return tested == {"staging", "production"} and len(live) == 4


UNDISTURBED = DyingStory(set()).plays().fate.instants


def test_undisturbed_the_story_goes_as_told() -> None:
    story = DyingStory(set()).plays()

    assert wrong(story) == []
    assert went_well(story)


def test_a_death_at_any_one_instant_changes_nothing_of_the_end() -> None:
    for instant in range(1, UNDISTURBED + 1):
        story = DyingStory({instant}).plays()

        assert story.fate.deaths == 1
        assert wrong(story) == [], instant
        assert went_well(story), instant


@given(st.sets(st.integers(1, UNDISTURBED + 40), max_size=TIMES_ANEW))
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_few_deaths_change_nothing_of_the_end(deadly: set[int]) -> None:
    story = DyingStory(deadly).plays()

    assert wrong(story) == []
    assert went_well(story)


@given(st.sets(st.integers(1, 3 * UNDISTURBED), max_size=60))
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_however_often_workers_die_nothing_runs_twice_and_every_thread_ends(
    deadly: set[int],
) -> None:
    assert wrong(DyingStory(deadly).plays()) == []


def drawn(points: int, seed: object) -> tuple[int, list[str]]:
    """Play stories until so many workers have died at instants that are drawn; return what was wrong."""
    chance, deaths, found = Random(f"{seed}/memory"), 0, []
    while deaths < points:
        number = chance.choice((1, 1, 2, 3, 5, 8, 13))
        deadly = {chance.randint(1, 2 * UNDISTURBED) for _ in range(number)}
        story = DyingStory(deadly).plays()
        deaths += story.fate.deaths
        found += [f"deaths at {sorted(deadly)}: {bad}" for bad in wrong(story)]
        if number <= TIMES_ANEW and not went_well(story):
            found.append(f"deaths at {sorted(deadly)}: not everything is live and tested")
    return deaths, found


@pytest.mark.parametrize(
    "points", [300, pytest.param(5000, marks=(pytest.mark.long, pytest.mark.timeout(0)))]
)
def test_deaths_at_drawn_instants_lose_nothing_and_run_nothing_twice(points: int) -> None:
    deaths, found = drawn(points, run_seed())

    assert found == [], f"seed {run_seed()}"
    assert deaths >= points
