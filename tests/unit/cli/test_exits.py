"""Exit codes: what a script is told a thread has come to."""

import pytest
from story import Story

from deploybot.cli.exits import SAYS, Exit, exit_of
from deploybot.events import Cancelled, Paused
from deploybot.next_step import Deploy, DoneForNow, RequestHumanInput


def to_production(service: str = "backend", ref: str = "main") -> Deploy:
    return Deploy(service=service, ref=ref, environment="production", reason="asked for")


@pytest.fixture
def story() -> Story:
    return Story().verified_on_staging()


def test_every_code_is_explained():
    assert SAYS.keys() == set(Exit)


def test_what_was_answered_is_done(story):
    story.model_will(DoneForNow(message="all is well")).person_says("how is it?")

    assert exit_of(story.thread) is Exit.DONE


def test_an_open_request_needs_people(story):
    story.model_will(to_production()).person_says("deploy it")

    assert exit_of(story.thread) is Exit.NEEDS_PEOPLE


def test_a_paused_thread_needs_people(story):
    story.model_will(to_production()).person_says("deploy it")
    story.inbox.hear("t1", Paused(at=story.clock.now(), by="ann"))

    assert exit_of(story.thread) is Exit.NEEDS_PEOPLE


def test_a_deploy_that_went_live_is_done(story):
    story.model_will(to_production()).person_says("deploy it")
    story.approves()

    assert exit_of(story.thread) is Exit.DONE


def test_a_denial_that_nothing_followed_is_a_denial(story):
    story.model_will(to_production(), DoneForNow(message="then not")).person_says("deploy it")
    story.denies("no")

    assert exit_of(story.thread) is Exit.DENIED


def test_a_denial_that_led_to_a_deploy_is_done(story):
    story.model_will(to_production("frontend"), to_production()).person_says("deploy it")
    story.denies("the backend first")
    story.approves()

    assert exit_of(story.thread) is Exit.DONE


def test_what_was_cancelled_is_as_good_as_denied(story):
    story.model_will(to_production()).person_says("deploy it")
    story.inbox.hear("t1", Cancelled(at=story.clock.now(), by="ann"))

    assert exit_of(story.thread) is Exit.DENIED


def test_what_nobody_answered_in_time_is_as_good_as_denied(story):
    story.model_will(to_production()).person_says("deploy it")
    story.clock.passes(hours=2)
    story.agent.advance("t1")

    assert exit_of(story.thread) is Exit.DENIED


def test_what_policy_refused_is_refused():
    story = Story()
    story.model_will(to_production(), DoneForNow(message="not yet")).person_says("deploy it")

    assert exit_of(story.thread) is Exit.REFUSED


def test_what_was_live_already_is_as_wished(story):
    again = (to_production(), to_production(), DoneForNow(message="it is live already"))
    story.model_will(*again).person_says("deploy it")
    story.approves()
    since = len(story.thread.events)
    story.bot_works().person_says("deploy it again")

    assert exit_of(story.thread, since) is Exit.DONE


@pytest.mark.parametrize("asks", [True, False])
def test_a_deploy_that_failed_is_told_even_when_the_bot_asks_what_now(story, asks):
    after = RequestHumanInput(question="what now?") if asks else DoneForNow(message="it failed")
    story.deployer.fails["backend"] = "exit code 1"
    story.model_will(to_production(), after).person_says("deploy it")
    story.approves()

    assert exit_of(story.thread) is Exit.DEPLOY_FAILED


def test_only_what_happened_since_counts(story):
    done = DoneForNow(message="well")
    story.model_will(to_production(), DoneForNow(message="then not"), done).person_says("deploy it")
    story.denies("no")
    since = len(story.thread.events)

    story.person_says("how is it?")

    assert exit_of(story.thread) is Exit.DENIED
    assert exit_of(story.thread, since) is Exit.DONE
