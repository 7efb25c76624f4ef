"""Rows 6, 7 and 9 to 17 of the matrix: workers that die, stall or are told to end, at every border of a deploy."""

import os
import signal

import pytest
from faults.lean_company import LEASE_SECONDS
from faults.matrix import in_full
from faults.whole_company import TOLD_WITHIN, WholeCompany

from deploybot.events import (
    ApprovalRequested,
    DeployFailed,
    DeployOutcomeUnknown,
    DeployStarted,
    DeploySucceeded,
    StepChosen,
)

pytestmark = pytest.mark.slow

BUTTONS = ("It is live", "It failed")


@pytest.mark.row(6)
@pytest.mark.parametrize("side", ["before", "after"])
def test_killed_around_the_call_of_a_model_it_is_asked_once_more_at_most(
    company: WholeCompany, side: str
) -> None:
    asked = len(company.model.requests)
    company.failing.arm(f"model.call.{side}:power@1")

    thread_id = company.says("ann", "what is live, please, and where?")
    company.until_told(thread_id, "Live now")

    assert company.failing.happened == [f"model.call.{side}:power@1"]
    chosen = [e for e in company.of(thread_id, StepChosen) if e.model not in ("code", "offline")]
    assert len(company.model.requests) - asked <= len(chosen) + 1


@pytest.mark.row(7)
def test_killed_before_the_card_is_posted_it_is_posted_once(company: WholeCompany) -> None:
    company.failing.arm("slack.post.before:power@1")

    thread_id = company.asks_for("backend", "production")
    request = company.request_of(thread_id)

    assert company.failing.happened == ["slack.post.before:power@1"]
    assert len(company.messages()[f"{thread_id}/card:{request.id}"]) == 1
    assert len(company.of(thread_id, ApprovalRequested)) == 1


@pytest.mark.row(9)
def test_killed_before_the_claim_an_approved_change_starts_once(company: WholeCompany) -> None:
    company.failing.arm("store.claim.before:power@1")

    thread_id = company.approved()
    end = company.ends(thread_id)

    assert company.failing.happened == ["store.claim.before:power@1"]
    assert isinstance(end, DeploySucceeded)
    assert len(company.of(thread_id, DeployStarted)) == 1


@pytest.mark.row(10)
def test_killed_after_the_claim_it_is_said_that_nothing_began_and_nothing_runs_again(
    company: WholeCompany,
) -> None:
    before = company.effects()
    company.failing.arm("store.claim.after:power@1")

    thread_id = company.approved()
    end = company.ends(thread_id)

    assert isinstance(end, DeployFailed)
    assert not end.began
    company.until_told(thread_id, "Approved, but never started", "Approve again")
    assert company.effects() == before
    assert len(company.of(thread_id, DeployStarted)) == 1


def _is_not_known(company: WholeCompany, thread_id: str, effects: int) -> None:
    """Check what people are told of a deploy that nobody can tell the end of, in time."""
    end = company.ends(thread_id)
    started = company.of(thread_id, DeployStarted)[0]
    assert isinstance(end, DeployOutcomeUnknown)
    assert (end.at - started.at).total_seconds() < TOLD_WITHIN
    told = company.until_told(thread_id, "the outcome is not known", *BUTTONS)
    assert end.step in told
    assert company.running() == ["backend on production"]
    assert company.effects() == effects


@pytest.mark.row(11)
@pytest.mark.parametrize(
    "point", ["target.step.after", "target.end.before", in_full("target.switch.before")]
)
def test_killed_in_the_middle_the_outcome_is_not_known_and_nothing_starts_there(
    company: WholeCompany, point: str
) -> None:
    before = company.effects()
    number = 2 if point == "target.step.after" else 1
    company.failing.arm(f"{point}:kill@{number}")

    thread_id = company.approved()
    _is_not_known(company, thread_id, before + 1)

    other = company.asks_for("backend", "production")
    company.until(lambda: "lined_up" in company.kinds(other), "the other waits in line")


@pytest.mark.row(12)
def test_when_the_worker_above_a_deploy_is_killed_the_deploy_ends_with_it(
    company: WholeCompany,
) -> None:
    before = company.effects()
    company.set("hold")

    thread_id = company.approved()
    company.until(lambda: company.effects() > before, "the build runs")
    for worker, _ in company.busy():
        os.kill(worker, signal.SIGKILL)

    _is_not_known(company, thread_id, before + 1)


@pytest.mark.row(13)
def test_asked_to_end_the_workers_finish_the_deploy_and_begin_nothing_new(
    company: WholeCompany,
) -> None:
    before = company.effects()
    hold = company.set("hold")

    thread_id = company.approved()
    company.until(lambda: company.effects() > before, "the build runs")
    company.pool.terminate()
    company.until(lambda: len(company.busy()) == 1, "everybody else has ended")
    waits = company.asks_for("frontend", "staging")
    hold.unlink()
    company.pool.wait(60)
    end, waiting = company.of(thread_id, DeploySucceeded), company.kinds(waits)
    company.restart_workers()

    assert len(end) == 1
    assert waiting == ["slack_message_received"]
    assert isinstance(company.ends(waits), DeploySucceeded)


@pytest.mark.row(14)
def test_asked_twice_to_end_a_worker_drops_the_deploy_and_its_outcome_is_not_known(
    company: WholeCompany,
) -> None:
    before = company.effects()
    company.set("hold")

    thread_id = company.approved()
    company.until(lambda: company.effects() > before, "the build runs")
    company.pool.terminate()
    company.until(lambda: len(company.busy()) == 1, "everybody else has ended")
    company.until(lambda: company.busy() == () or company.pool.terminate(), "the deploy is dropped")
    company.restart_workers()

    _is_not_known(company, thread_id, before + 1)


@pytest.mark.row(15)
def test_a_worker_that_stalls_past_its_lease_can_do_nothing_more(company: WholeCompany) -> None:
    before = company.effects()
    company.failing.arm(f"target.step.before:stall={3 * LEASE_SECONDS + 6}@3")

    thread_id = company.approved()
    company.until(lambda: company.failing.happened, "the worker stalls")
    live = company.live("production", "backend")
    stalled = company.busy()
    _is_not_known(company, thread_id, before + 1)
    company.until(lambda: not set(stalled) & set(company.busy()), "the worker goes on, and ends")
    company.until(lambda: "for longer than its lease" in company.channel(), "people hear of it")

    assert company.live("production", "backend") == live


@pytest.mark.row(16)
@pytest.mark.parametrize("point", ["target.end.after", in_full("store.release.before")])
def test_killed_when_it_is_live_the_journal_tells_the_truth_and_people_hear_why(
    company: WholeCompany, point: str
) -> None:
    company.failing.arm(f"{point}:power@1")

    thread_id = company.approved()
    end = company.ends(thread_id)

    assert isinstance(end, DeploySucceeded)
    assert end.recovered
    assert company.live("production", "backend") == end.sha
    company.until_told(thread_id, "Nobody could say so when it ended", "is live on production")


@pytest.mark.row(17)
def test_killed_when_the_end_is_stored_people_are_told_all_the_same(company: WholeCompany) -> None:
    company.failing.arm("store.release.after:power@1")

    thread_id = company.approved()
    end = company.ends(thread_id)

    assert company.failing.happened == ["store.release.after:power@1"]
    assert isinstance(end, DeploySucceeded)
    company.until_told(thread_id, "live")
