"""Right before a start, and after a worker died: what is looked at again, and what is never done again."""

from typing import Any

import pytest
from fakes import FakeDeployer, catalog
from story import Story

from deploy.target import Guard, Order, Outcome, Report
from deploybot.events import ApprovalSuperseded, DeployFailed, DeployStarted, DeploySucceeded
from deploybot.inbox import Answer, Receipt
from deploybot.next_step import Deploy
from deploybot.thread import Status

DEPLOY = Deploy(service="backend", ref="main", environment="production", reason="asked to")


class DiedError(BaseException):
    """The worker is gone."""


class DyingDeployer(FakeDeployer):
    """Targets whose first user dies: before anything began there, or once it has."""

    dies = "before"

    def run(self, order: Order, guard: Guard, report: Report) -> Outcome:
        if self.dies == "before":
            self.dies = ""
            raise DiedError
        return super().run(order, guard, report)


@pytest.fixture
def story() -> Story:
    return Story().verified_on_staging().model_will(DEPLOY).person_says("deploy the backend")


def of(story: Story, kind: type) -> list[Any]:
    return [event for event in story.thread.events if isinstance(event, kind)]


def answers(story: Story, **changes: Any) -> Receipt:
    given: dict[str, Any] = {
        "thread": story.thread_id,
        "request_id": story.request.id,
        "digest": story.request.digest,
        "approved": True,
        "comment": "",
        "by": "ben",
        "channel": "api",
        "address": "ben",
        "delivery": "click",
    }
    return story.inbox.answer(Answer(**given | changes))


# -- an answer ---------------------------------------------------------------------


def test_a_yes_to_something_else_than_is_open_counts_for_nothing(story: Story) -> None:
    receipt = answers(story, digest="0" * 64)

    assert receipt.reason_code == "digest_mismatch"
    assert "nothing was approved" in receipt.text
    assert story.thread.status is Status.AWAITING_APPROVAL


def test_a_yes_after_the_end_counts_for_nothing_though_no_clock_has_told(story: Story) -> None:
    story.clock.passes(minutes=31)

    receipt = answers(story)

    assert receipt.reason_code == "expired"
    assert "nothing was deployed" in receipt.text
    assert not of(story, DeployStarted)


# -- the start ---------------------------------------------------------------------


def paused_and_approved(story: Story) -> None:
    story.inbox.pause(story.thread_id, by="eve", delivery="p")
    assert answers(story).accepted


def resumed(story: Story) -> None:
    story.inbox.resume(story.thread_id, by="eve", delivery="r")
    story.bot_works()


def test_whoever_lost_the_right_meanwhile_has_approved_nothing(story: Story) -> None:
    paused_and_approved(story)
    story.deployer.catalog = catalog(approvers=["ann", "mia"])

    resumed(story)

    assert "who may approve" in " ".join(of(story, ApprovalSuperseded)[0].changes)
    assert not of(story, DeployStarted)
    assert story.deployer.ran == []


def test_what_was_approved_too_long_ago_does_not_start(story: Story) -> None:
    paused_and_approved(story)
    story.clock.passes(minutes=31)

    resumed(story)

    assert story.kinds[-1] == "approval_expired"
    assert story.deployer.ran == []


# -- a worker that died ------------------------------------------------------------


@pytest.fixture
def dying(story: Story) -> Story:
    table, clock = story.table, story.clock
    dying = DyingDeployer(table, clock.now, story.store, live_now=story.deployer.live_now)
    return story.deploys_with(dying)


def test_a_start_that_never_reached_the_target_has_failed_and_is_not_made_again(
    dying: Story,
) -> None:
    assert answers(dying).accepted
    with pytest.raises(DiedError):
        dying.bot_works()

    dying.clock.passes(minutes=1)
    dying.bot_works()

    assert len(of(dying, DeployStarted)) == 1
    assert len(of(dying, DeployFailed)) == 1
    assert not of(dying, DeploySucceeded)
    assert dying.deployer.ran == []


def test_a_start_is_left_alone_while_its_worker_may_live(dying: Story) -> None:
    assert answers(dying).accepted
    with pytest.raises(DiedError):
        dying.bot_works()

    dying.clock.passes(seconds=5)
    dying.operator.operate(dying.thread_id)

    assert dying.thread.status is Status.DEPLOYING
