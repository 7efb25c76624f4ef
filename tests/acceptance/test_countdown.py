"""Failed tests lead to a roll back by policy, after a countdown that anybody known may stop."""

from fakes import NOON, catalog, sha_of
from story import Story

from deploy.plan import Commit
from deploybot.events import ApprovalGranted, ApprovalRequested, DeployStarted, HandedOver
from deploybot.next_step import Deploy, DoneForNow
from deploybot.telling import Card, CardState, Said, Yours


def failed_on_production(story: Story) -> Story:
    """Have a deploy go live on production whose tests fail there."""
    story.verified_on_staging("v1.0.0")
    story.deployer.put_live("backend", "production", sha_of("v1.0.0"))
    story.verified_on_staging("v1.0.0", "main")
    step = Deploy(service="backend", ref="main", environment="production", reason="asked for")
    story.model_will(step, DoneForNow(message="It is live."))
    story.deployer.failing_tests.add("production")
    story.person_says("deploy backend to production", by="eve")
    story.approves(by="ann")
    return story


def company() -> Story:
    """Return a company that rolls back by itself a minute after it said so."""
    return Story(table=catalog(roll_back_after_seconds=60))


def test_a_roll_back_by_policy_says_so_first_and_waits() -> None:
    story = failed_on_production(company())

    request = story.request
    assert request.plan.action == "roll_back"
    assert request.plan.sha == sha_of("v1.0.0")
    assert not any("roll_back" in line for line in story.deployer.ran)
    cards = [one for one in story.told if isinstance(one, Card)]
    assert cards[-1].state is CardState.SCHEDULED


def test_it_rolls_back_when_nobody_stops_it_and_holds_the_place() -> None:
    story = failed_on_production(company())

    story.deployer.failing_tests.clear()
    story.clock.passes(seconds=61)
    story.bot_works()

    assert any(line.startswith("roll_back backend") for line in story.deployer.ran)
    (hold,) = story.store.holds()
    assert hold.made_by == "rollback"
    assert story.thread.events[-1].kind == "finished"


def test_anybody_known_may_stop_it() -> None:
    story = failed_on_production(company())

    receipt = story.denies("the tests were wrong", by="eve")
    story.clock.passes(seconds=61)
    story.bot_works()

    assert receipt.accepted
    assert not any("roll_back" in line for line in story.deployer.ran)


def test_a_roll_back_is_never_rolled_back() -> None:
    story = failed_on_production(company())

    story.clock.passes(seconds=61)
    story.bot_works()

    assert sum(line.startswith("roll_back") for line in story.deployer.ran) == 1
    asked = [event for event in story.thread.events if isinstance(event, ApprovalRequested)]
    assert [event.request.plan.action for event in asked] == ["deploy", "roll_back"]


def test_without_the_setting_people_are_asked() -> None:
    story = failed_on_production(Story())

    assert any(isinstance(event, HandedOver) for event in story.thread.events)
    granted = [event.by for event in story.thread.events if isinstance(event, ApprovalGranted)]
    assert granted == ["ann"]


def test_a_countdown_starts_no_earlier_than_it_said() -> None:
    story = failed_on_production(company())
    start_at = story.request.start_at

    story.clock.passes(seconds=61)
    story.bot_works()

    started = [event for event in story.thread.events if isinstance(event, DeployStarted)]
    assert start_at is not None
    assert started[-1].at >= start_at


def test_the_authors_of_what_was_rolled_back_are_told() -> None:
    story = company()
    wrote = Commit(
        sha=sha_of("main"), author="Ann", email="Ann@shop.example", at=NOON, subject="Break it"
    )
    story.deployer.commits_of["backend"] = (wrote,)
    failed_on_production(story)

    story.clock.passes(seconds=61)
    story.bot_works()

    told = [one for one in story.told if isinstance(one, Said) and "Written by" in one.text]
    assert [(one.text.endswith("Written by Ann."), one.mention) for one in told] == [(True, ())]
    assert [one.plan.action for one in story.told if isinstance(one, Yours)][-1] == "roll_back"
