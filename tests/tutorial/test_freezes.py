"""A freeze: nothing begins while it is on, what began goes on, and those who may pass pass."""

import pytest
from fakes import NOON, catalog, sha_of
from story import Story

from deploybot.events import AnswerRefused, StepFailed
from deploybot.next_step import Deploy, DeployTogether, DoneForNow, Part
from deploybot.thread import Status

EVENING = {"begins": "17:00", "ends": "24:00", "reason": "nobody is there"}
DEPLOY = Deploy(service="backend", ref="main", environment="production", reason="asked to")
DONE = DoneForNow(message="Told.")


def company(**freeze) -> Story:
    """Return a company that deploys nothing to production in the evening; it is noon."""
    story = Story(table=catalog(freezes=[EVENING | freeze])).verified_on_staging()
    assert story.clock.now().hour == NOON.hour == 12
    return story


@pytest.fixture(name="story")
def _story():
    return company()


def asked_at(story: Story, hours: float, step=DEPLOY) -> Story:
    story.clock.passes(hours=hours)
    return story.model_will(step, DONE).person_says("deploy it")


def test_in_a_freeze_nobody_is_even_asked(story):
    asked_at(story, 6)

    failed = next(event for event in story.thread.events if isinstance(event, StepFailed))
    assert failed.code == "frozen"
    assert "nobody is there. Nothing was deployed; ask again then" in failed.error
    assert "approval_requested" not in story.kinds


def test_what_was_asked_for_before_cannot_be_approved_inside(story):
    asked_at(story, 4.9)
    story.clock.passes(minutes=10)

    receipt = story.approves()

    assert receipt.reason_code == "frozen"
    assert isinstance(story.thread.events[-1], AnswerRefused)
    assert story.thread.status is Status.AWAITING_APPROVAL
    assert story.deployer.ran == []


def test_with_an_overrun_it_may_still_start():
    story = company(overrun_minutes=30)
    asked_at(story, 4.9)
    story.clock.passes(minutes=20)

    assert story.approves().accepted
    assert story.deployer.live_now["backend", "production"].sha == sha_of("main")


def test_whoever_may_pass_passes():
    story = company(except_people=["ann"])

    asked_at(story, 6).approves()

    assert story.deployer.live_now["backend", "production"].sha == sha_of("main")


def test_a_later_start_is_judged_by_when_it_starts(story):
    at_six = DEPLOY.model_copy(update={"at": "18:00"})
    at_one = DEPLOY.model_copy(update={"at": "13:00"})

    asked_at(story, 0, at_six)
    refused = [event.code for event in story.thread.events if isinstance(event, StepFailed)]
    asked_at(story, 0, at_one)

    assert refused == ["frozen"]
    assert story.thread.status is Status.AWAITING_APPROVAL


def test_a_start_after_the_freeze_may_be_approved_inside_it(story):
    tomorrow = DEPLOY.model_copy(update={"at": "tomorrow 09:00"})

    assert asked_at(story, 6, tomorrow).approves().accepted
    assert story.thread.status is Status.APPROVED


def test_what_began_before_a_freeze_is_carried_to_its_end(story):
    parts = (Part(service="backend", ref="main"), Part(service="frontend", ref="main"))
    both = DeployTogether(parts=parts, environment="production", reason="asked to")
    asked_at(story, 4.98, both)
    story.deployer.on_switch = lambda: story.clock.passes(minutes=10)

    story.approves()

    assert story.clock.now().hour == 17
    for service in ("backend", "frontend"):
        assert story.deployer.live_now[service, "production"].sha == sha_of("main")
