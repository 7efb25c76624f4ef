"""Facts that plain code reads ahead, so that a plain request costs one call of a model."""

from collections.abc import Callable

import pytest
from fakes import ScriptedModel, sha_of
from planning import TEMPLATES
from story import Story

from deploy.errors import RepositoryError
from deploybot.agent import Agent
from deploybot.events import ReadReturned
from deploybot.models.chain import Chain
from deploybot.next_step import Deploy, DoneForNow
from deploybot.ports import Prompt
from deploybot.prompting import build
from deploybot.thread import Status, Thread, thread_id_for

DEPLOY = Deploy(service="backend", ref="main", environment="production", reason="asked to")


def prompt(thread: Thread) -> Prompt:
    return build(
        thread,
        templates=TEMPLATES,
        services=("backend", "frontend"),
        environments=("staging", "production"),
    )


@pytest.fixture
def model() -> ScriptedModel:
    return ScriptedModel()


@pytest.fixture
def story(model: ScriptedModel) -> Story:
    chain = Chain(models=(model,))
    story = Story(script=model, model=chain).verified_on_staging()
    story.agent = with_facts(story, chain.asks_a_model, chain)
    return story


def with_facts(story: Story, wants: Callable[[Prompt], bool], chain: Chain) -> Agent:
    return Agent(
        store=story.store,
        model=chain,
        deployer=story.deployer,
        prompt=prompt,
        clock=story.clock.clockwork,
        wants_facts=wants,
    )


def facts(story: Story) -> list[ReadReturned]:
    return [e for e in story.thread.events if isinstance(e, ReadReturned) and e.intent == "facts"]


def test_a_plain_deploy_takes_one_call_to_its_card(story: Story, model: ScriptedModel) -> None:
    story.model_will(DEPLOY).person_says("put the latest backend on production please")

    assert story.thread.status is Status.AWAITING_APPROVAL
    assert len(model.prompts) == 1
    shown = model.prompts[0].text
    assert "backend on production: nothing" in shown
    assert "Ann: Add a thing" in shown
    assert "- v1.1.0 " in shown


def test_facts_are_fetched_once_a_turn(story: Story) -> None:
    story.model_will(DEPLOY, DEPLOY).person_says("put the latest backend on production please")

    story.denies("not now; try again")

    assert len(facts(story)) == 1


def test_the_next_turn_has_facts_of_its_own(story: Story) -> None:
    done = DoneForNow(message="Well.")
    story.model_will(done, done).person_says("how are things with the backend?")

    story.person_says("and now, how are they?")

    assert len(facts(story)) == 2


def test_a_plain_command_waits_for_no_facts(story: Story, model: ScriptedModel) -> None:
    story.person_says("deploy backend main to production")

    assert story.thread.status is Status.AWAITING_APPROVAL
    assert facts(story) == []
    assert model.prompts == []


def test_without_a_model_nothing_is_fetched_ahead() -> None:
    assert not Chain().asks_a_model(prompt(Thread("t")))


def test_facts_that_cannot_be_had_keep_nobody_waiting(
    story: Story, model: ScriptedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(*_: object) -> None:
        raise RepositoryError("The repository cannot be reached.")

    monkeypatch.setattr(story.deployer, "commits", unreachable)
    story.model_will(DEPLOY).person_says("put the latest backend on production please")

    assert story.thread.status is Status.AWAITING_APPROVAL
    assert facts(story) == []
    assert len(model.prompts) == 1


def test_the_whole_seed_story_takes_at_most_five_calls(story: Story, model: ScriptedModel) -> None:
    sha = sha_of("new")
    to = {"ref": sha, "environment": "production", "reason": "it passed on staging"}
    frontend, backend = Deploy(service="frontend", **to), Deploy(service="backend", **to)
    story.model_will(frontend, backend, frontend, DoneForNow(message="Both are live."))
    story.branch_moves(sha)
    story.thread_id = thread_id_for(
        f"handed-over:{story.thread_id}:deploy SHA {sha[:7]} to production"
    )

    story.denies("can you deploy the backend first?")
    story.approves()
    story.approves()

    production = [line for line in story.deployer.ran if "production" in line]
    assert [line.split()[:2] for line in production] == [
        ["deploy", "backend"],
        ["deploy", "frontend"],
        ["test", "production"],
    ]
    assert story.thread.status is Status.DONE
    assert len(model.prompts) == 4
    assert facts(story) == []
