"""Approved now, started at its time; asked again if anything changed by then."""

from datetime import timedelta

import pytest
from fakes import catalog, sha_of
from story import Story

from deploybot.events import ApprovalDenied, ApprovalSuperseded, DeployStarted, StepFailed
from deploybot.next_step import Deploy, DoneForNow
from deploybot.telling import Card, CardState
from deploybot.thread import Status


def later(at: str = "14:00", **where: str) -> Deploy:
    """Return a deploy of the backend to production at a named time."""
    place = {"service": "backend", "environment": "production"} | where
    return Deploy(ref="main", reason="quiet hours", at=at, **place)


def asked(story: Story, at: str = "14:00") -> Story:
    """Have Eve ask at noon for a deploy at two."""
    story.verified_on_staging().model_will(later(at), DoneForNow(message="It is live."))
    return story.person_says("deploy backend to production at 14:00", by="eve")


def state(story: Story) -> CardState:
    """Return the state of the last card."""
    return [one for one in story.told if isinstance(one, Card)][-1].state


def test_an_approved_change_waits_for_its_time_and_then_starts_by_itself() -> None:
    story = asked(Story())
    story.approves(by="ann")
    assert story.thread.status is Status.APPROVED
    assert state(story) is CardState.SCHEDULED
    assert story.deployer.ran == []

    story.clock.passes(hours=1, minutes=59)
    story.bot_works()
    assert story.deployer.ran == []

    story.clock.passes(minutes=2)
    story.bot_works()

    assert any(line.startswith("deploy backend") for line in story.deployer.ran)
    assert state(story) is CardState.LIVE


def test_it_can_be_approved_until_its_time_and_not_after() -> None:
    story = asked(Story())
    assert story.request.expires_at == story.request.start_at

    story.clock.passes(hours=2)
    receipt = story.approves(by="ann")

    assert not receipt.accepted
    assert story.deployer.ran == []


def test_what_changed_meanwhile_is_asked_again() -> None:
    story = asked(Story())
    story.approves(by="ann")

    story.deployer.put_live("backend", "production", sha_of("hotfix"))
    story.clock.passes(hours=2, minutes=1)
    story.bot_works()

    (superseded,) = [e for e in story.thread.events if isinstance(e, ApprovalSuperseded)]
    assert any("previous sha" in change for change in superseded.changes)
    assert not any(isinstance(e, DeployStarted) for e in story.thread.events)


def test_what_was_asked_again_after_its_time_starts_as_soon_as_it_is_approved() -> None:
    story = asked(Story())
    story.approves(by="ann")
    story.deployer.put_live("backend", "production", sha_of("hotfix"))
    story.clock.passes(hours=2, minutes=1)
    story.bot_works()

    assert story.request.start_at is None
    story.approves(by="ann")

    assert any(line.startswith("deploy backend") for line in story.deployer.ran)


def test_a_no_before_its_time_wins() -> None:
    story = asked(Story())
    request = story.request
    story.approves(by="ann")
    story.script.steps.clear()

    story.denies("not tonight", by="ben", request=request)
    story.clock.passes(hours=3)
    story.bot_works()

    assert any(isinstance(e, ApprovalDenied) for e in story.thread.events)
    assert story.deployer.ran == []


def test_anyone_known_says_no_to_what_needed_nobody_and_waits_for_its_time() -> None:
    story = Story()
    story.model_will(later(environment="staging"), DoneForNow(message="Stopped."))
    story.person_says("deploy backend to staging at 14:00", by="eve")
    assert state(story) is CardState.SCHEDULED

    receipt = story.denies("the demo is on", by="mia")

    assert receipt.accepted
    assert story.deployer.ran == []
    assert state(story) is CardState.DENIED


def test_it_never_starts_long_after_its_time() -> None:
    story = asked(Story())
    story.approves(by="ann")

    story.clock.passes(hours=4)
    story.bot_works()

    assert story.kinds[-1] == "approval_expired"
    assert story.deployer.ran == []


@pytest.mark.parametrize("at", ["25:00", "yesterday", "2026-03-01 10:00", "2027-03-01 10:00"])
def test_a_time_that_cannot_be_is_refused_in_words(at: str) -> None:
    story = asked(Story(), at)

    (failed,) = [e for e in story.thread.events if isinstance(e, StepFailed)]
    assert failed.code == "time_refused"
    assert "Nothing was scheduled" in failed.error


def test_a_time_is_read_in_the_zone_of_its_environment() -> None:
    story = asked(Story(table=catalog(time_zone="America/New_York")), "09:00")

    assert story.request.start_at is not None
    assert story.request.start_at.hour == 14
    assert story.request.start_at - story.clock.now() < timedelta(hours=3)
