"""Somebody says stop: what runs stops at its next safe step, what was approved for later never starts."""

from datetime import timedelta

import pytest
from fakes import NOON, catalog

from deploy.errors import CancelledError
from deploy.target import Outcome
from deploybot.errors import IllegalEventError, NotAllowedError
from deploybot.events import AnswerRefused, ApprovalRequested, Cancelled, StopRequested
from deploybot.next_step import Deploy, DoneForNow
from deploybot.telling import Card, CardState
from deploybot.thread import Status

LATER = Deploy(
    service="backend", ref="main", environment="production", reason="asked to", at="18:00"
)
DONE = DoneForNow(message="Told.")


@pytest.fixture
def scheduled(story):
    """A deploy that Ann asked for at six, and Ben approved."""
    story.verified_on_staging().model_will(LATER, DONE).person_says("deploy backend at 18:00")
    story.approves()
    assert story.thread.status is Status.APPROVED
    return story


def running(story, says):
    """Have somebody say something while the backend goes live on production."""
    at_once = LATER.model_copy(update={"at": None})
    story.verified_on_staging().model_will(at_once, DONE, DONE, DONE).person_says("deploy backend")
    run = story.deployer.run

    def interrupted(order, guard, report):
        says()
        story.clock.passes(seconds=6)  # by then the guard has asked the store again
        try:
            return run(order, guard, report)
        except CancelledError as stopped:  # as `deploy.run` does
            error = str(stopped)
            return Outcome(outcome="failed", step="build", error=error, live_sha=None, seconds=1.0)

    story.deployer.run = interrupted
    story.approves()
    return story


@pytest.mark.parametrize(
    "words", ["stop", "Stop it!", "please cancel the deploy", "abort: no time"]
)
def test_the_requester_stops_what_was_approved_for_later(scheduled, words):
    scheduled.person_says(words)

    assert isinstance(scheduled.thread.events[-1], Cancelled)
    assert scheduled.thread.status is Status.DONE
    scheduled.clock.passes(hours=7)
    scheduled.bot_works()
    assert scheduled.deployer.ran == []


def test_an_approver_stops_it_too(scheduled):
    scheduled.person_says("stop: the shop has a sale", by="mia")

    ended = scheduled.thread.events[-1]
    assert (ended.kind, ended.by, ended.reason) == ("cancelled", "mia", "the shop has a sale")


def test_somebody_else_is_told_who_may_and_it_goes_on(scheduled):
    scheduled.person_says("stop", by="eve")

    refused = scheduled.thread.events[-1]
    assert isinstance(refused, AnswerRefused)
    assert "These may: ann, ben, mia" in refused.text
    scheduled.clock.passes(hours=6)
    scheduled.bot_works()
    assert scheduled.deployer.ran


def test_words_that_only_begin_with_stop_stop_nothing(scheduled):
    scheduled.person_says("stop worrying, it is fine")

    assert scheduled.thread.status is Status.APPROVED


def test_a_megabyte_that_begins_with_stop_is_no_stop(scheduled):
    scheduled.person_says("stop: " + "." * 1_000_000 + "x")

    assert scheduled.thread.status is Status.APPROVED


def test_what_runs_stops_before_its_next_step(story):
    running(story, lambda: story.person_says("stop", by="ben"))

    stop = next(event for event in story.thread.events if isinstance(event, StopRequested))
    failed = next(event for event in story.thread.events if event.kind == "deploy_failed")
    assert stop.by == "ben"
    assert "ben stopped it" in failed.error
    assert story.deployer.ran == []


def test_what_runs_is_not_stopped_by_somebody_who_may_not(story):
    running(story, lambda: story.person_says("stop", by="eve"))

    assert "deploy_succeeded" in story.kinds
    assert not any(isinstance(event, StopRequested) for event in story.thread.events)


def test_the_same_words_twice_are_heard_once(scheduled):
    scheduled.person_says("stop", key="once")
    length = len(scheduled.thread.events)
    scheduled.person_says("stop", key="once")

    assert len(scheduled.thread.events) == length


def test_a_stop_by_a_button_or_a_call_is_judged_alike(scheduled):
    with pytest.raises(NotAllowedError, match="may not stop"):
        scheduled.inbox.stop("t1", by="eve", delivery="s1")

    scheduled.inbox.stop("t1", by="ann", delivery="s2", reason="no time")
    again = scheduled.inbox.stop("t1", by="ann", delivery="s2", reason="no time")

    assert [event.kind for event in again.events].count("cancelled") == 1
    with pytest.raises(IllegalEventError, match="Nothing runs here"):
        scheduled.inbox.stop("t1", by="ann", delivery="s3")


def test_whoever_cancels_a_thread_must_be_one_who_may_stop_what_runs_there(story):
    def cancelled():
        with pytest.raises(NotAllowedError):
            story.inbox.cancel("t1", by="eve", delivery="c1")
        story.inbox.cancel("t1", by="ann", delivery="c2")

    running(story, cancelled)

    assert [event.by for event in story.thread.events if isinstance(event, StopRequested)] == [
        "ann"
    ]
    assert story.deployer.ran == []


def test_anyone_known_stops_a_countdown_and_hears_what_stays_live(story):
    story.table = catalog(roll_back_after_seconds=300)
    story.__post_init__()
    story.verified_on_staging("v1.0.0", "main")
    story.deployer.put_live("backend", "production", "a" * 40)
    story.deployer.history[("backend", "production")] = ["b" * 40, "a" * 40]
    story.deployer.failing_tests.add("production")
    now = LATER.model_copy(update={"at": None})
    story.model_will(now, DONE).person_says("deploy the backend")
    story.approves()
    asked = [e.request for e in story.thread.events if isinstance(e, ApprovalRequested)]
    assert asked[-1].rule.anyone_may_stop
    assert asked[-1].start_at is not None
    assert asked[-1].start_at > NOON + timedelta(minutes=4)

    story.person_says("stop", by="eve")

    story.clock.passes(minutes=10)
    story.bot_works()
    cards = [telling for telling in story.told if isinstance(telling, Card)]
    assert cards[-1].state is CardState.DENIED
    assert not any("roll_back" in ran for ran in story.deployer.ran)
    assert "eve stopped the roll back" in story.thread.events[-1].message
