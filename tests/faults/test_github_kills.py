"""Workers that die while GitHub Actions deploys for them: no run twice, and no result lost."""

import os
import random
import signal
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from functools import partial

import pytest
from loopback_api import Asked
from remote_harnesses import GitHubHarness, PlainGitHubHarness
from shop import free, unheard
from target_harness import followed

from deploy.look import Look
from deploy.plan import Plan
from deploy.run import run
from deploy.target import Began, Ended, Order, Target

LOST = ("lose", "502 after", "drop", "500")
FAULTS = (*LOST, "403 rate", "slow")
ENDS = ("success", "success", "failure", "cancelled")


class Killing:
    """Runs work in a process of its own, which dies at one of its requests to the API."""

    def __init__(self, harness: GitHubHarness, chance: random.Random) -> None:
        self.harness = harness
        self.chance = chance
        self.killed = 0

    def try_out(self, work: Callable[[], object], first: int, last: int) -> None:
        """Do the work; kill it as one of these requests, or the dispatch, comes or is done, or not."""
        child = os.fork()
        if child == 0:
            try:
                work()
            finally:
                os._exit(0)
        left = self.chance.randint(first, last)
        at_dispatch = self.chance.random() < 0.35
        moment = self.chance.choice(("comes", "is done", "never"))

        def watch(what: str, asked: Asked) -> None:
            nonlocal left
            if what == moment:
                left -= 1
                if asked.path.endswith("/dispatches") if at_dispatch else left == 0:
                    os.kill(child, signal.SIGKILL)

        self.harness.api.watch = watch
        _, status = os.waitpid(child, 0)
        self.harness.api.watch = lambda *_: None
        self.killed += os.WIFSIGNALED(status)


def one_after_the_other(harness: GitHubHarness, seed: int, count: int) -> Counter[str]:
    """Give orders under random faults and kills, until so many were dispatched; tell how they ended."""
    chance = random.Random(seed)
    look = harness.look()
    target = look.target("backend", "staging")
    shas = [look.repository("backend").resolve(f"v1.{n}.0").sha for n in range(3)]
    killing = Killing(harness, chance)
    told: Counter[str] = Counter()
    before = 13 if look.catalog.services["backend"].target.deployments else 3  # up to the dispatch
    while len(harness.api.runs) < count:
        harness.api.takes = chance.choice((1, 2, 4))
        harness.api.ends_as = chance.choice(ENDS)
        harness.api.hidden = chance.choice((0, 0, 1, 5))
        order = ordered(harness, target, chance.choice(shas))
        if chance.random() < 0.35:
            harness.api.goes_wrong("POST", "/dispatches", chance.choice(LOST))
        elif chance.random() < 0.4:
            kind, part = chance.choice(FAULTS), chance.choice(("deployments", "runs", "dispatches"))
            harness.api.goes_wrong(chance.choice(("POST", "GET")), part, kind, seconds=0.2)
        first = chance.choice((1, before, before))
        killing.try_out(partial(begun, look, order), first, 2 * before)
        killing.try_out(partial(looked_at, look, order), 1, 8)
        harness.api.faults.clear()
        for dispatched in harness.api.runs:
            dispatched.hidden = 0  # what is shown late is found late
        found = followed(target, order)
        told[checked(harness, order, found)] += 1
    told["killed"] = killing.killed
    return told


def begun(look: Look, order: Order) -> object:
    """Run an order as a worker does, with a target and a connection of its own."""
    return run(look.target("backend", "staging"), order, guard=free, progress=unheard)


def looked_at(look: Look, order: Order) -> object:
    return followed(look.target("backend", "staging"), order)


def ordered(harness: GitHubHarness, target: Target, sha: str) -> Order:
    live = target.current()
    plan = Plan(
        action="deploy",
        service="backend",
        environment="staging",
        repository="shop",
        ref=sha,
        sha=sha,
        previous_sha=live.sha if live else None,
        steps=target.planned_steps("deploy", sha),
        config_hash=target.config_hash,  # type: ignore[attr-defined]
    )
    return harness.shop.order(plan)


def checked(harness: GitHubHarness, order: Order, found: object) -> str:
    """Return how an order was told to end, having compared that with what GitHub did."""
    runs = harness.api.of(order.approval_id)
    assert len(runs) <= 1, f"{order.approval_id} ran {len(runs)} times"
    if runs:
        assert isinstance(found, Ended), found
        assert runs[0].status == "completed"
        assert (found.outcome == "succeeded") == (runs[0].conclusion == "success")
        return found.outcome
    assert not (isinstance(found, Ended) and found.outcome == "succeeded")
    if isinstance(found, Began):
        return "unknown"
    return "never launched"


@pytest.mark.parametrize(
    ("kind", "count"),
    [
        pytest.param(GitHubHarness, 8, id="with deployments and tags"),
        pytest.param(PlainGitHubHarness, 8, id="without them"),
        pytest.param(GitHubHarness, 140, id="with them, 140", marks=pytest.mark.benchmark),
        pytest.param(PlainGitHubHarness, 60, id="without, 60", marks=pytest.mark.benchmark),
    ],
)
@pytest.mark.timeout(900)
def test_whenever_a_worker_dies_nothing_runs_twice_and_every_result_is_found(kind, count, tmp_path):
    with closing(kind(tmp_path)) as harness:
        settings = harness.target_table
        harness.target_table = lambda: settings() | {"appears_within_seconds": 1}

        told = one_after_the_other(harness, seed=count, count=count)

        sys.stdout.write(f"\n{len(harness.api.runs)} runs: {dict(told)}\n")
        assert told["killed"] > count / 3
        assert told["succeeded"] + told["failed"] == len(harness.api.runs)
