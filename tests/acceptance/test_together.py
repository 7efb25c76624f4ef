"""Several services in one request: one card, one approval, in order, and a stop at the first failure."""

from story import Story

from deploybot.events import DeployFailed, DeployStarted, DeploySucceeded, Paused, Resumed
from deploybot.next_step import DeployTogether, DoneForNow, Part
from deploybot.telling import Card, CardState, Said
from deploybot.thread import Status


def everything(*services: str) -> DeployTogether:
    """Return the step that puts these services live on production."""
    parts = tuple(Part(service=name, ref="main") for name in services or ("frontend", "backend"))
    return DeployTogether(parts=parts, environment="production", reason="asked for")


def asked(story: Story) -> Story:
    """Have Eve ask for everything."""
    story.verified_on_staging().model_will(everything(), DoneForNow(message="Both are live."))
    return story.person_says("deploy everything to production", by="eve")


def card(story: Story) -> Card:
    """Return the only card that people were shown."""
    (shown,) = [one for one in story.told if isinstance(one, Card)]
    return shown


def test_one_card_shows_every_service_in_the_configured_order() -> None:
    story = asked(Story())

    assert [plan.service for plan in story.request.plans] == ["backend", "frontend"]
    assert card(story).state is CardState.OPEN


def test_one_approval_puts_all_of_them_live_one_after_the_other() -> None:
    story = asked(Story())

    story.approves(by="ann")

    started = [e for e in story.thread.events if isinstance(e, DeployStarted)]
    assert [event.part for event in started] == [0, 1]
    assert len({event.operation for event in started}) == 2
    shown = [plan.split()[1] for plan in story.deployer.ran if plan.startswith("deploy")]
    assert shown == ["backend", "frontend"]
    assert card(story).state is CardState.LIVE
    assert all(story.store.operation(name, "production") is None for name in shown)


def test_the_first_failure_stops_the_rest_and_says_what_is_live() -> None:
    story = asked(Story())
    story.deployer.fails["frontend"] = "The health check never answered."
    story.script.steps.clear()

    story.approves(by="ann")

    (failed,) = [event for event in story.thread.events if isinstance(event, DeployFailed)]
    assert failed.part == 1
    told = [one.text for one in story.told if isinstance(one, Said) and "failed" in one.text]
    assert "Live under the same approval: backend" in told[0]
    assert card(story).state is CardState.FAILED


def test_nothing_of_it_starts_when_the_first_one_fails() -> None:
    story = asked(Story())
    story.deployer.fails["backend"] = "The build broke."
    story.script.steps.clear()

    story.approves(by="ann")

    assert not any(isinstance(e, DeploySucceeded) for e in story.thread.events)
    told = [one.text for one in story.told if isinstance(one, Said)]
    assert any("Not begun: frontend." in text for text in told)


def test_a_service_that_is_live_already_is_left_out() -> None:
    story = Story().verified_on_staging()
    story.deployer.live_now["backend", "production"] = story.deployer.live_now["backend", "staging"]

    story.model_will(everything()).person_says("deploy everything to production", by="eve")

    assert [plan.service for plan in story.request.plans] == ["frontend"]


def test_a_pause_between_two_services_holds_the_second_and_a_no_ends_it() -> None:
    story = asked(Story())
    request = story.request
    story.script.steps.clear()
    story.deployer.on_switch = lambda: story.store.append(
        story.thread, Paused(at=story.clock.now(), by="ben")
    )
    story.approves(by="ann", request=request)
    assert story.thread.status is Status.PAUSED
    assert [line for line in story.deployer.ran if "frontend" in line] == []

    story.deployer.on_switch = None
    story.denies("not the frontend", by="ben", request=request)
    story.store.append(story.thread, Resumed(at=story.clock.now(), by="ben"))
    story.bot_works()

    assert [line for line in story.deployer.ran if "frontend" in line] == []
    assert "approval_denied" in story.kinds


def test_the_digest_covers_every_service() -> None:
    story = asked(Story())
    request = story.request

    (other,) = request.more
    changed = request.model_copy(update={"more": (other.model_copy(update={"sha": "f" * 40}),)})

    assert changed.sealed().digest != request.digest


def test_a_branch_that_moves_between_two_services_keeps_the_second_from_nothing() -> None:
    story = asked(Story())
    sha = story.request.plan.sha
    story.deployer.on_switch = lambda: setattr(story.deployer, "main", "moved")

    story.approves(by="ann")

    live = [event.sha for event in story.thread.events if isinstance(event, DeploySucceeded)]
    assert live == [sha, sha]
