"""What every kind of target must keep, whatever it deploys to; each is tried on the real thing."""

import os
import resource
import signal
from collections.abc import Callable

import pytest
from shop import Shop, free, now, quick, unheard

from deploy.catalog import Catalog
from deploy.errors import LeaseLostError, OldFenceError, SeenApprovalError
from deploy.look import Look
from deploy.run import run
from deploy.target import Began, Ended, NeverBegan, Order, Progress, StepDone, StepStarted, Target

BUILD = [["sh", "-c", "echo $SHA >> ../../../../../effects"], ["touch", "built"]]


class Place:
    """One target, with an earlier release live on it, and ways to look at what became of it."""

    def __init__(self, shop: Shop, catalog: Catalog) -> None:
        self.shop = shop
        self.look = Look(catalog, clock=now)
        self.target: Target = self.look.target("backend", "staging")
        self.deploy("v1.0.0")
        self.old = self.live()

    def order(self, ref: str, **changes: object) -> Order:
        order = self.shop.order(self.look.plan("deploy", "backend", ref, "staging"))
        return Order.model_validate(order.model_dump() | changes)

    def deploy(self, ref: str) -> str:
        outcome = run(self.target, self.order(ref), guard=free, progress=unheard)
        return outcome.outcome

    def live(self) -> str | None:
        live = self.target.current()
        return live.sha if live else None

    def effects(self) -> list[str]:
        return (self.shop.folder / "effects").read_text().split()


def releases(shop: Shop, **settings: object) -> Catalog:
    return quick(shop, **{"build": BUILD} | settings)


@pytest.fixture(name="place", params=[releases], ids=["releases"])
def _place(request, tmp_path):
    shop = Shop(tmp_path)
    return Place(shop, request.param(shop))


def killed(place: Place, order: Order, when: Callable[[Progress], bool]) -> None:
    """Run an order in a process of its own, which is killed at the moment `when` is true."""

    def progress(told: Progress) -> None:
        if when(told):
            os.kill(os.getpid(), signal.SIGKILL)

    child = os.fork()
    if child == 0:
        run(place.target, order, guard=free, progress=progress)
        os._exit(0)
    _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL


MOMENTS = [
    *[StepStarted(name) for name in ("export", "build-1", "build-2", "switch")],
    *[(name, "done") for name in ("export", "build-1", "build-2", "switch")],
]


def happens(moment: object) -> Callable[[Progress], bool]:
    if isinstance(moment, StepStarted):
        return lambda told: told == moment
    name = moment[0]
    return lambda told: isinstance(told, StepDone) and told.name == name


@pytest.mark.parametrize("moment", MOMENTS, ids=str)
def test_killed_at_any_step_the_target_tells_how_far_it_came_and_nothing_runs_again(place, moment):
    order = place.order("v1.1.0")

    killed(place, order, happens(moment))
    probe = place.target.probe(order.approval_id)
    before = place.effects()

    assert isinstance(probe, Began)
    assert probe.live_sha == place.live()
    assert probe.live_sha == (order.plan.sha if moment == ("switch", "done") else place.old)
    for fence in (order.fence, order.fence + 9):
        again = order.model_copy(update={"fence": fence})
        with pytest.raises(SeenApprovalError):
            run(place.target, again, guard=free, progress=unheard)
    assert place.effects() == before
    assert before.count(order.plan.sha) <= 1


def test_after_a_kill_a_new_approval_goes_through(place):
    killed(place, place.order("v1.1.0"), happens(("build-1", "done")))

    assert place.deploy("v1.1.0") == "succeeded"
    assert place.live() == place.look.repository("backend").resolve("v1.1.0").sha


def test_what_never_began_is_told_so(place):
    assert place.target.probe("never-heard-of") == NeverBegan()


def test_what_ended_is_told_so(place):
    order = place.order("v1.1.0")

    run(place.target, order, guard=free, progress=unheard)

    sha = order.plan.sha
    assert place.target.probe(order.approval_id) == Ended(
        outcome="succeeded", sha=sha, live_sha=sha
    )


@pytest.mark.parametrize("fence", [1])
def test_a_fence_that_is_not_newer_is_refused(place, fence):
    with pytest.raises(OldFenceError):
        run(place.target, place.order("v1.1.0", fence=fence), guard=free, progress=unheard)

    assert place.live() == place.old


def test_a_worker_that_wakes_late_changes_nothing_after_a_newer_one_began(place):
    late, newer = place.order("v1.1.0"), place.order("v1.2.0")

    def overtaken(told: Progress) -> None:
        if told == StepStarted("switch"):
            place.target.begin(newer)

    with pytest.raises(OldFenceError):
        run(place.target, late, guard=free, progress=overtaken)

    assert place.live() == place.old


def test_a_worker_that_was_given_up_changes_nothing_when_it_wakes(place):
    order = place.order("v1.1.0")

    def given_up(told: Progress) -> None:
        if told == StepStarted("switch"):
            assert isinstance(place.target.settle(order), Began)

    with pytest.raises(OldFenceError):
        run(place.target, order, guard=free, progress=given_up)

    assert place.live() == place.old


def test_an_order_that_was_given_up_before_it_began_never_begins(place):
    order = place.order("v1.1.0")

    assert place.target.settle(order) == NeverBegan()
    with pytest.raises(SeenApprovalError):
        run(place.target, order, guard=free, progress=unheard)

    assert place.live() == place.old
    assert place.deploy("v1.2.0") == "succeeded"


def test_giving_up_an_older_order_does_not_stop_a_newer_one(place):
    older, newer = place.order("v1.1.0"), place.order("v1.2.0")
    killed(place, older, happens(("export", "done")))

    def progress(told: Progress) -> None:
        if told == StepStarted("switch"):
            place.target.settle(older)

    assert run(place.target, newer, guard=free, progress=progress).outcome == "succeeded"


def test_giving_up_what_has_ended_changes_nothing(place):
    order = place.order("v1.1.0")
    run(place.target, order, guard=free, progress=unheard)

    probe = place.target.settle(order)

    assert isinstance(probe, Ended)
    assert probe.outcome == "succeeded"


def test_a_guard_that_raises_during_a_build_kills_what_is_built(tmp_path):
    shop = Shop(tmp_path)
    place = Place(shop, releases(shop))
    slow = [["sh", "-c", "echo $$ > ../../../../../pid; exec sleep 60"]]
    place.look = Look(releases(shop, build=slow), clock=now)
    place.target = place.look.target("backend", "staging")
    order = place.order("v1.1.0")
    pid = tmp_path / "pid"

    def guard() -> None:
        if pid.exists() and pid.read_text().strip():
            raise LeaseLostError("another worker has it")

    with pytest.raises(LeaseLostError):
        run(place.target, order, guard=guard, progress=unheard)

    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)
    assert isinstance(place.target.probe(order.approval_id), Began)
    assert place.live() == place.old


def test_a_disk_that_is_full_before_the_switch_leaves_the_old_release_live(tmp_path):
    shop = Shop(tmp_path)
    place = Place(shop, releases(shop))
    place.look = Look(releases(shop, build=[["cp", "/dev/zero", "/dev/full"]]), clock=now)
    place.target = place.look.target("backend", "staging")

    outcome = run(place.target, place.order("v1.1.0"), guard=free, progress=unheard)

    assert (outcome.outcome, outcome.step) == ("failed", "build")
    assert "No space left on device" in outcome.tail[-1]
    assert place.live() == place.old


def test_files_that_do_not_fit_are_said_and_the_old_release_stays_live(tmp_path):
    shop = Shop(tmp_path)
    place = Place(shop, releases(shop))
    shop.repository.load(
        b"commit refs/heads/main\ncommitter X <x@x> 1 +0000\ndata 3\nbig\nfrom %s\n"
        b"M 100644 inline backend/big\ndata 200000\n%s\n"
        % (shop.repository.head().encode(), b"x" * 200_000)
    )
    order = place.order("main")

    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (65_536, 65_536))
        run(place.target, order, guard=free, progress=unheard)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    probe = place.target.probe(order.approval_id)

    assert os.waitstatus_to_exitcode(status) == 0
    assert isinstance(probe, Ended)
    assert (probe.outcome, probe.step) == ("failed", "export")
    assert probe.error is not None
    assert probe.error.startswith("The disk is full at ")
    assert place.live() == place.old
