"""What every kind of target must keep, whatever it deploys to; each is tried on the real thing."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from harnesses import HARNESSES, brought
from shop import free, unheard
from target_harness import Harness, Mode, Moment, carried_out, ended, followed, until

from deploy.errors import (
    CancelledError,
    LeaseLostError,
    OldFenceError,
    RefusedError,
    SeenApprovalError,
)
from deploy.look import Look
from deploy.run import run
from deploy.target import (
    Began,
    Ended,
    NeverBegan,
    Order,
    Progress,
    Running,
    StepDone,
    StepStarted,
    Target,
)

STOPPED = "stopped by ann: too slow"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    named = metafunc.config.getoption("harness", [])
    kinds = [brought(name) for name in named] or HARNESSES
    if "moment" in metafunc.fixturenames:
        pairs = [(kind, moment) for kind in kinds for moment in kind.moments]
        names = [f"{kind.__name__}-{moment}" for kind, moment in pairs]
        metafunc.parametrize(("kind", "moment"), pairs, ids=names)
    elif "kind" in metafunc.fixturenames:
        metafunc.parametrize("kind", kinds, ids=lambda kind: kind.__name__)


class Place:
    """One target with an earlier release live on it."""

    def __init__(self, harness: Harness) -> None:
        self.harness = harness
        self.go("quick")
        self.deploy("v1.0.0")
        self.old = harness.truth()
        assert self.old is not None

    def go(self, mode: Mode, **settings: object) -> None:
        """Let the deploys from now on go like this."""
        self.look: Look = self.harness.look(mode, **settings)
        self.target: Target = self.look.target("backend", "staging")

    def order(self, ref: str, **changes: object) -> Order:
        return self.harness.order(self.look, ref, **changes)

    def deploy(self, ref: str) -> str:
        return ended(carried_out(self.target, self.order(ref))).outcome

    def live(self) -> str | None:
        live = self.target.current()
        return live.sha if live else None

    def act(self, order: Order, guard: Callable[[], None]) -> object:
        """Carry a slow order out, the guard being asked only once it really acts."""

        def once_acting() -> None:
            if self.harness.acting():
                guard()

        return carried_out(self.target, order, guard=once_acting)


@pytest.fixture(name="harness")
def _harness(kind: type[Harness], tmp_path) -> Iterator[Harness]:
    with closing(kind(tmp_path)) as harness:
        yield harness


@pytest.fixture(name="place")
def _place(harness) -> Place:
    return Place(harness)


def killed(place: Place, order: Order, moment: Moment) -> None:
    """Run an order in a process of its own, which is killed at that moment."""

    def progress(told: Progress) -> None:
        if moment.is_now(told):
            os.kill(os.getpid(), signal.SIGKILL)

    child = os.fork()
    if child == 0:
        run(place.target, order, guard=free, progress=progress)
        os._exit(0)
    _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL


def test_nothing_is_live_before_the_first_deploy(harness):
    target = harness.look().target("backend", "staging")

    assert target.current() is None
    assert list(target.records()) == []


def test_what_was_deployed_is_live_by_the_targets_word_and_in_truth(place):
    order = place.order("v1.1.0")

    outcome = ended(carried_out(place.target, order))
    live = place.target.current()

    assert outcome.outcome == "succeeded"
    assert live is not None
    assert (live.sha, live.approval_id, live.verified) == (
        order.plan.sha,
        order.approval_id,
        False,
    )
    assert place.harness.truth() == outcome.live_sha == order.plan.sha


def test_every_step_is_told_as_it_begins_and_as_it_ends(place):
    order = place.order("v1.1.0")
    told: list[Progress] = []

    carried_out(place.target, order, progress=told.append)

    begun = [one.name for one in told if isinstance(one, StepStarted)]
    done = [one.name for one in told if isinstance(one, StepDone) and one.ok]
    assert begun == done
    assert set(begun) <= {step.name for step in order.plan.steps}
    assert place.harness.acts in begun


def test_the_steps_of_a_plan_are_the_same_each_time_they_are_asked_for(place):
    sha = place.look.repository("backend").resolve("v1.1.0").sha

    first = place.target.planned_steps("deploy", sha)

    assert first == place.target.planned_steps("deploy", sha)
    assert len({step.name for step in first}) == len(first)


def test_an_earlier_release_can_be_rolled_back_to(place):
    place.deploy("v1.1.0")
    plan = place.look.plan("roll_back", "backend", "v1.0.0", "staging")
    order = place.order("v1.2.0").model_copy(update={"plan": plan})

    outcome = ended(carried_out(place.target, order))

    assert outcome.outcome == "succeeded"
    assert place.live() == place.harness.truth() == place.old


def test_tests_that_passed_are_remembered_of_what_is_live_and_of_nothing_else(place):
    other = place.look.repository("backend").resolve("v1.1.0").sha

    assert not place.target.verify(other)
    assert place.target.verify(place.old)
    live = place.target.current()
    assert live is not None
    assert live.verified


def test_killed_at_any_step_the_target_tells_how_far_it_came_and_nothing_runs_again(place, moment):
    order = place.order("v1.1.0")

    killed(place, order, moment)
    probe = place.target.probe(order.approval_id)
    found = followed(place.target, order)
    before = place.harness.runs()

    assert not isinstance(probe, NeverBegan)
    assert isinstance(found, Began | Ended)
    assert found.live_sha == place.live() == place.harness.truth()
    if isinstance(found, Ended):
        expected = order.plan.sha if found.outcome == "succeeded" else place.old
        assert found.live_sha == expected
    for fence in (order.fence, order.fence + 9):
        again = order.model_copy(update={"fence": fence})
        with pytest.raises(SeenApprovalError):
            run(place.target, again, guard=free, progress=unheard)
    assert place.harness.runs() == before
    assert before.count(order.plan.sha) <= 1


def test_after_a_kill_a_new_approval_goes_through(place):
    order = place.order("v1.1.0")
    killed(place, order, place.harness.moments[0])
    followed(place.target, order)

    assert place.deploy("v1.2.0") == "succeeded"
    assert place.harness.truth() == place.look.repository("backend").resolve("v1.2.0").sha


def test_what_never_began_is_told_so(place):
    assert place.target.probe("never-heard-of") == NeverBegan()


def test_what_ended_is_told_so_as_often_as_one_asks(place):
    order = place.order("v1.1.0")
    carried_out(place.target, order)

    probes = [place.target.probe(order.approval_id), place.target.settle(order)]
    probes.append(place.target.probe(order.approval_id))

    for probe in probes:
        assert isinstance(probe, Ended)
        assert (probe.outcome, probe.sha, probe.live_sha) == (
            "succeeded",
            order.plan.sha,
            order.plan.sha,
        )


def test_an_approval_begins_only_once(place):
    order = place.order("v1.1.0")
    carried_out(place.target, order)
    before = place.harness.runs()

    for fence in (order.fence, order.fence + 5):
        with pytest.raises(SeenApprovalError):
            run(
                place.target,
                order.model_copy(update={"fence": fence}),
                guard=free,
                progress=unheard,
            )

    assert place.harness.runs() == before


def test_a_fence_that_is_not_newer_is_refused(place):
    before = place.harness.runs()

    with pytest.raises(OldFenceError):
        run(place.target, place.order("v1.1.0", fence=1), guard=free, progress=unheard)

    assert place.harness.runs() == before
    assert place.harness.truth() == place.old


def test_a_plan_that_no_longer_fits_what_is_live_does_not_begin(place):
    outdated = place.order("v1.1.0")
    place.deploy("v1.2.0")
    before = place.harness.runs()

    with pytest.raises(RefusedError) as refused:
        run(
            place.target,
            outdated.model_copy(update={"fence": outdated.fence + 9}),
            guard=free,
            progress=unheard,
        )

    assert refused.value.reason_code == "plan_changed"
    assert place.target.probe(outdated.approval_id) == NeverBegan()
    assert place.harness.runs() == before


def test_a_worker_that_wakes_late_changes_nothing_after_a_newer_one_began(place):
    late, newer = place.order("v1.1.0"), place.order("v1.2.0")

    def overtaken(told: Progress) -> None:
        if told == StepStarted(place.harness.acts):
            place.target.begin(newer)

    with pytest.raises(OldFenceError):
        run(place.target, late, guard=free, progress=overtaken)

    assert place.harness.truth() == place.old


def test_a_worker_that_was_given_up_changes_nothing_when_it_wakes(place):
    order = place.order("v1.1.0")

    def given_up(told: Progress) -> None:
        if told == StepStarted(place.harness.acts):
            followed(place.target, order)

    with pytest.raises(OldFenceError):
        run(place.target, order, guard=free, progress=given_up)

    assert place.harness.truth() == place.old
    found = followed(place.target, order)
    assert not (isinstance(found, Ended) and found.outcome == "succeeded")


def test_an_order_that_was_given_up_before_it_began_never_begins(place):
    order = place.order("v1.1.0")

    assert place.target.settle(order) == NeverBegan()
    with pytest.raises(SeenApprovalError):
        run(place.target, order, guard=free, progress=unheard)

    assert place.harness.truth() == place.old
    assert place.deploy("v1.2.0") == "succeeded"


def test_giving_up_an_older_order_does_not_stop_a_newer_one(place):
    older, newer = place.order("v1.1.0"), place.order("v1.2.0")
    killed(place, older, place.harness.moments[0])
    followed(place.target, older)

    def progress(told: Progress) -> None:
        if told == StepStarted(place.harness.acts):
            place.target.settle(older)

    outcome = ended(carried_out(place.target, newer, progress=progress))
    assert outcome.outcome == "succeeded"


def test_a_deploy_that_fails_is_told_with_its_step_and_the_old_release_stays_live(place):
    place.go("fails")
    order = place.order("v1.1.0")

    outcome = ended(carried_out(place.target, order))
    probe = place.target.probe(order.approval_id)

    assert outcome.outcome == "failed"
    assert outcome.step
    assert outcome.error
    assert any("no such thing as a free deploy" in line for line in outcome.tail)
    assert outcome.live_sha == place.live() == place.harness.truth() == place.old
    assert isinstance(probe, Ended)
    assert (probe.outcome, probe.step, probe.error) == ("failed", outcome.step, outcome.error)


def test_what_takes_longer_than_its_time_is_ended_and_said_so(place):
    place.go("slow", timeout_seconds=1)

    outcome = ended(carried_out(place.target, place.order("v1.1.0")))
    until(lambda: not place.harness.acting(), "its end")

    assert outcome.outcome == "failed"
    assert "timeout_seconds" in (outcome.error or "")
    assert place.live() == place.harness.truth() == place.old


def test_what_is_silent_for_too_long_is_ended_and_said_so(place):
    place.go("silent", silence_seconds=1)

    outcome = ended(carried_out(place.target, place.order("v1.1.0")))
    until(lambda: not place.harness.acting(), "its end")

    assert outcome.outcome == "failed"
    assert "silence_seconds" in (outcome.error or "")
    assert place.live() == place.harness.truth() == place.old


def test_what_goes_on_and_is_not_silent_is_left_alone(place):
    place.go("slow", silence_seconds=0.8)
    order = place.order("v1.1.0")
    looks: list[int] = []

    def guard() -> None:
        looks.append(1)
        if len(looks) > 8:  # at most 0.2 s lie between two
            place.harness.let_go()

    outcome = run(place.target, order, guard=guard, progress=unheard)
    if isinstance(outcome, Running):
        place.harness.let_go()
        outcome = followed(place.target, order)

    assert ended(outcome).outcome == "succeeded"


def test_what_a_person_stopped_in_the_middle_ends_with_the_old_release_live(place):
    place.go("slow")
    order = place.order("v1.1.0")

    def stop() -> None:
        raise CancelledError(STOPPED)

    def once_acting() -> None:
        if place.harness.acting():
            stop()

    outcome = run(place.target, order, guard=once_acting, progress=unheard)
    if isinstance(outcome, Running):
        until(place.harness.acting, "its beginning")
        place.target.cancel(order)
        place.target.cancel(order)
        outcome = followed(place.target, order)
    else:
        assert ended(outcome).error == STOPPED
    until(lambda: not place.harness.acting(), "its end")

    assert ended(outcome).outcome == "failed"
    assert place.live() == place.harness.truth() == place.old
    probe = place.target.probe(order.approval_id)
    assert isinstance(probe, Ended)
    assert probe.outcome == "failed"
    place.harness.let_go()
    place.go("quick")
    assert place.deploy("v1.2.0") == "succeeded"


def test_what_was_stopped_before_it_acted_never_acts(place):
    order = place.order("v1.1.0")
    before = place.harness.runs()
    begun: list[Progress] = []

    def guard() -> None:
        if begun:
            raise CancelledError(STOPPED)

    first = place.harness.moments[0]
    outcome = run(
        place.target,
        order,
        guard=guard,
        progress=lambda told: begun.append(told) if first.is_now(told) else None,
    )

    found = ended(followed(place.target, order) if isinstance(outcome, Running) else outcome)
    if found.outcome == "failed":
        assert place.harness.truth() == place.old
    assert place.harness.runs() in (before, [*before, order.plan.sha])
    assert place.live() == place.harness.truth()


def test_a_worker_that_lost_its_right_in_the_middle_stops_at_once_and_records_no_end(place):
    if place.target.remote:
        pytest.skip("what runs elsewhere goes on without its worker")
    place.go("slow")
    order = place.order("v1.1.0")

    def guard() -> None:
        if place.harness.acting():
            raise LeaseLostError("another worker has it")

    with pytest.raises(LeaseLostError):
        run(place.target, order, guard=guard, progress=unheard)

    until(lambda: not place.harness.acting(), "its end")
    assert not any(
        record.kind == "ended"
        for record in place.target.records()
        if getattr(record, "approval_id", "") == order.approval_id
    )
    assert place.harness.truth() == place.old


def test_what_a_dead_worker_left_running_is_ended_before_anything_is_told(place):
    if place.target.remote:
        pytest.skip("what runs elsewhere goes on without its worker")
    place.go("slow")
    order = place.order("v1.1.0")

    def guard() -> None:
        if place.harness.acting():
            os.kill(os.getpid(), signal.SIGKILL)

    child = os.fork()
    if child == 0:
        run(place.target, order, guard=guard, progress=unheard)
        os._exit(0)
    os.waitpid(child, 0)
    found = followed(place.target, order)
    until(lambda: not place.harness.acting(), "its end")

    assert isinstance(found, Began | Ended)
    assert place.live() == place.harness.truth() == place.old
