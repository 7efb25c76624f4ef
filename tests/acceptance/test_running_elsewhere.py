"""What runs elsewhere holds no worker, is followed to its end, and stops when a person wants it."""

from fakes import sha_of
from story import Story

from deploy.target import Running
from deploybot.events import DeployFailed, DeploySucceeded, StopRequested
from deploybot.next_step import Deploy, DoneForNow
from deploybot.telling import Card
from deploybot.thread import Status

LINK = "https://ci.example/runs/1"


def begun(story: Story) -> Story:
    """Have a deploy approved whose target runs it elsewhere."""
    story.deployer.elsewhere["backend"] = Running(step="queued", link=LINK, look_again_seconds=5)
    step = Deploy(service="backend", ref="main", environment="production", reason="asked for")
    story.verified_on_staging().model_will(step, DoneForNow(message="It is live."))
    story.person_says("deploy backend to production", by="eve")
    story.approves(by="ann")
    return story


def test_no_worker_is_held_and_nothing_is_begun_twice() -> None:
    story = begun(Story())
    operation = story.store.operation("backend", "production")
    assert operation is not None
    assert not story.store.lease_is_alive(operation)

    for _ in range(50):
        story.clock.passes(seconds=6)
        story.bot_works()

    assert story.thread.status is Status.DEPLOYING
    assert len([line for line in story.deployer.ran if line.startswith("deploy")]) == 1


def test_people_see_where_it_runs_and_each_step_once() -> None:
    story = begun(Story())

    for _ in range(3):
        story.clock.passes(seconds=6)
        story.bot_works()
    story.deployer.elsewhere["backend"] = Running(step="build", link=LINK)
    story.clock.passes(seconds=6)
    story.bot_works()

    told = story.store.progress(story.request.id)
    assert [entry["step"] for entry in told if entry["kind"] == "running"] == ["queued", "build"]
    assert told[0]["link"] == LINK


def test_it_is_live_when_the_place_says_so() -> None:
    story = begun(Story())

    story.deployer.put_live("backend", "production", sha_of("main"))
    story.deployer.finish(story.request.id, sha_of("main"))
    story.clock.passes(seconds=6)
    story.bot_works()

    (live,) = [event for event in story.thread.events if isinstance(event, DeploySucceeded)]
    assert not live.recovered
    assert story.store.operation("backend", "production") is None


def test_a_person_can_stop_it() -> None:
    story = begun(Story())
    request = story.request
    stop = StopRequested(at=story.clock.now(), by="ann", delivery="s1", reason="wrong tag")

    story.store.append(story.thread, stop)
    story.clock.passes(seconds=6)
    story.bot_works()
    assert story.deployer.cancelled
    (card,) = [one for one in story.told if isinstance(one, Card)]
    assert card.stopping == "ann"

    story.deployer.finish(request.id, sha_of("main"), error="stopped by ann: wrong tag.")
    story.clock.passes(seconds=6)
    story.bot_works()

    (failed,) = [event for event in story.thread.events if isinstance(event, DeployFailed)]
    assert "stopped by ann" in failed.error
