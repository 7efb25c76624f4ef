"""What each event adds to the counts, over conversations in memory."""

import pytest
from fakes import sha_of
from story import Story

from deploybot import metrics
from deploybot.events import Forked
from deploybot.metrics import METRICS, Observation, observations
from deploybot.next_step import Deploy, DoneForNow
from deploybot.thread import Thread

PRODUCTION = Deploy(service="backend", ref="main", environment="production", reason="asked")
PLACE = ("backend", "production")


def seen(story: Story) -> list[Observation]:
    return list(observations(Thread(story.thread_id), story.thread))


def of(metric: metrics.Metric, story: Story) -> list[Observation]:
    return [one for one in seen(story) if one.metric is metric]


@pytest.fixture
def proposed(story: Story) -> Story:
    story.verified_on_staging()
    return story.model_will(PRODUCTION, DoneForNow(message="done")).person_says("deploy it")


def test_a_deploy_is_counted_where_it_went_with_how_it_ended(proposed: Story) -> None:
    proposed.clock.passes(minutes=3)

    proposed.approves()

    assert of(metrics.DEPLOYS, proposed) == [
        Observation(metrics.DEPLOYS, (*PLACE, "deploy", "succeeded"))
    ]
    (took,) = of(metrics.DEPLOY, proposed)
    assert took.labels == (*PLACE, "deploy")


def test_a_deploy_that_fails_is_counted_as_failed(proposed: Story) -> None:
    proposed.deployer.fails["backend"] = "the build failed"

    proposed.approves()

    (ended,) = of(metrics.DEPLOYS, proposed)
    assert ended.labels == (*PLACE, "deploy", "failed")


def test_the_wait_for_people_is_measured_from_the_card_to_the_answer(proposed: Story) -> None:
    proposed.clock.passes(minutes=3)

    proposed.denies("not now")

    (waited,) = of(metrics.APPROVAL_WAIT, proposed)
    assert waited.labels == ("production", "denied")
    assert 180 <= waited.value < 190


def test_what_is_observed_once_is_not_observed_again(proposed: Story) -> None:
    before = proposed.thread

    proposed.denies("not now")

    after = list(observations(before, proposed.thread))
    assert next(one for one in after if one.metric is metrics.EVENTS).labels == ("approval_denied",)
    assert len(after) < len(seen(proposed))


def test_an_answer_that_does_not_count_is_counted_by_its_reason(proposed: Story) -> None:
    proposed.approves(by="eve")

    (refused,) = of(metrics.ANSWERS_REFUSED, proposed)
    assert refused.labels == ("not_an_approver",)


def test_from_the_push_until_it_is_live_is_measured(story: Story) -> None:
    story.branch_moves(sha_of("main"))

    leads = of(metrics.LEAD, story)

    assert {one.labels for one in leads} == {("backend", "staging"), ("frontend", "staging")}
    assert all(one.value >= 0 for one in leads)


def test_a_step_that_cannot_be_taken_is_counted_by_its_reason(story: Story) -> None:
    nowhere = PRODUCTION.model_copy(update={"ref": "v9.9.9"})

    story.model_will(nowhere, DoneForNow(message="no")).person_says("deploy v9.9.9")

    (failed,) = of(metrics.STEPS_FAILED, story)
    assert failed.labels == ("ref_missing",)


def test_every_observation_fits_its_metric(proposed: Story) -> None:
    proposed.approves()

    for one in seen(proposed):
        assert len(one.labels) == len(one.metric.labels)


def test_names_are_unique_and_say_what_they_are() -> None:
    names = [metric.name for metric in METRICS]

    assert len(names) == len(set(names))
    for metric in METRICS:
        assert metric.name.startswith("deploybot_")
        assert metric.name.endswith("_total") == (metric.kind == "counter")
        assert bool(metric.buckets) == (metric.kind == "histogram")
        assert list(metric.buckets) == sorted(metric.buckets)
        assert metric.says.endswith((".", ";"))


def test_what_a_fork_copied_is_not_counted_again(proposed: Story) -> None:
    proposed.approves()
    copied = proposed.thread.events
    forked = Forked(at=proposed.clock.now(), by="ann", from_thread="t1", length=len(copied))

    fork = Thread("t2").extended(*copied, forked, head="")

    assert list(observations(Thread("t2"), fork)) == [Observation(metrics.EVENTS, ("forked",))]
