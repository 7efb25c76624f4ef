"""A deploy is killed at two hundred random instants; whatever the instant, nothing runs twice."""

import os
import random
import signal
from collections import Counter

import pytest
from shop import Shop, free, now, quick, unheard

from deploy.errors import SeenApprovalError
from deploy.look import Look
from deploy.process import pause
from deploy.records import BeganRecord
from deploy.run import run
from deploy.target import Began, Ended, NeverBegan, Order
from deploy.targets import target_of

SEED = 20260301


@pytest.mark.slow
@pytest.mark.parametrize("kills", [60, pytest.param(200, marks=pytest.mark.long)])
def test_killed_at_any_instant_a_deploy_runs_at_most_once_and_leaves_a_whole_release(
    tmp_path, kills
):
    shop = Shop(tmp_path)
    build = [["sh", "-c", "echo $SHA >> ../../../../../effects; touch one"], ["touch", "two"]]
    catalog = quick(shop, build=build, keep_releases=3)
    look = Look(catalog, clock=now)
    target = target_of(catalog, "backend", "staging", now)
    chance = random.Random(SEED)
    refs = ["v1.0.0", "v1.1.0", "v1.1.1", "v1.2.0", "v1.2.1"]
    longest = _seconds_of_a_whole_deploy(shop, look)
    seen: Counter[str] = Counter()

    for _ in range(kills):
        live = look.live("backend", "staging")
        others = [r for r in refs if live and look.repository("backend").resolve(r).sha != live.sha]
        order = shop.order(look.plan("deploy", "backend", chance.choice(others), "staging"))
        before = _effects(tmp_path)

        _run_and_kill(target, order, chance.uniform(0, longest))
        probe = target.probe(order.approval_id)
        after = _effects(tmp_path)

        seen[type(probe).__name__] += 1
        assert len(after) - len(before) <= 1
        _points_at_a_whole_release(shop)
        if isinstance(probe, NeverBegan):
            assert after == before
            assert isinstance(target.settle(order), NeverBegan)
        if isinstance(probe, Ended):
            assert probe.outcome == "succeeded"
            assert probe.live_sha == order.plan.sha
        for fence in (order.fence, next(shop.numbers)):
            again = order.model_copy(update={"fence": fence})
            with pytest.raises(SeenApprovalError):
                run(target, again, guard=free, progress=unheard)
        assert _effects(tmp_path) == after

    began = [r.approval_id for r in target.records() if isinstance(r, BeganRecord)]
    fences = [r.fence for r in target.records() if isinstance(r, BeganRecord)]
    assert len(began) == len(set(began))
    assert fences == sorted(fences, reverse=True)
    assert seen[Began.__name__] > kills / 4, seen


def _seconds_of_a_whole_deploy(shop: Shop, look: Look) -> float:
    shop.deploy(look, "backend", "v1.0.0", "staging")
    plan = look.plan("deploy", "backend", "v1.1.0", "staging")
    outcome = run(look.target("backend", "staging"), shop.order(plan), guard=free, progress=unheard)
    return outcome.seconds * 1.2


def _run_and_kill(target, order: Order, seconds: float) -> None:
    """Run the order in a process of its own, and kill it after so many seconds."""
    child = os.fork()
    if child == 0:
        try:
            run(target, order, guard=free, progress=unheard)
        finally:
            os._exit(0)
    pause(seconds)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def _effects(folder) -> list[str]:
    return (folder / "effects").read_text().split()


def _points_at_a_whole_release(shop: Shop) -> None:
    current = shop.base / "staging/backend/current"
    sha = current.readlink().name
    names = {path.name for path in current.iterdir()}
    assert {"RELEASE", "server.py", "shop.py", "settings.json", "one", "two"} <= names
    assert (current / "RELEASE").read_text().strip() == sha
    assert (shop.base / f"staging/backend/releases/{sha}.complete").exists()
