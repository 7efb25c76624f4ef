"""What every model keeps, whatever it is made of: rules, a chain, or a server far away."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from model_server import seed, serving
from planning import COMMITS, LIVE, Play

from deploybot.models.chain import Chain
from deploybot.models.offline import OfflinePlanner
from deploybot.models.openai import OpenAIModel
from deploybot.next_step import Deploy, DoneForNow, NextStep, RequestHumanInput, RollBack, to_wire
from deploybot.ports import Choice, Model
from deploybot.prompting.schema import intents


@pytest.fixture(params=["offline", "openai", "chain"])
def model(request: pytest.FixtureRequest) -> Iterator[Model]:
    if request.param == "offline":
        yield OfflinePlanner()
        return
    with serving(seed) as server:
        remote = OpenAIModel("seed", server.base_url, "k")
        yield Chain((remote,)) if request.param == "chain" else remote
        remote.close()


def service_of(step: NextStep) -> tuple[str, str]:
    assert isinstance(step, Deploy | RollBack), step
    return step.intent, step.service


def test_the_seed_story_is_chosen_step_by_step(model: Model) -> None:
    play = Play(model).hands_over("deploy SHA 4af9ec0 to production")

    steps = [play.step()]
    play.take().denies("can you deploy the backend first?")
    steps += [play.step()]
    steps += [play.take().ships()]
    last = play.take().ships()

    assert [service_of(step) for step in steps] == [
        ("deploy", "frontend"),
        ("deploy", "backend"),
        ("deploy", "frontend"),
    ]
    assert {step.environment for step in steps if isinstance(step, Deploy)} == {"production"}
    assert {step.ref for step in steps if isinstance(step, Deploy)} == {"4af9ec0"}
    assert isinstance(last, DoneForNow)
    for word in ("backend", "frontend", "production"):
        assert word in last.message


def test_failed_tests_on_production_are_rolled_back(model: Model) -> None:
    play = Play(model).hands_over("deploy SHA 4af9ec0 to production")
    play.step()
    play.take().denies("can you deploy the backend first?").step()
    play.take().ships()
    play.take().ships()
    play.tests("1 failed, 3 passed", "FAILED test_backend.py: /stock answered 500")
    play.hands_over("end-to-end tests failed on production", agent="rollback")

    step = play.step()
    last = play.take().ships()

    assert service_of(step) == ("roll_back", "backend")
    assert isinstance(step, RollBack)
    assert "failed" in step.reason
    assert isinstance(last, DoneForNow)


def test_a_question_is_answered_from_what_was_read(model: Model) -> None:
    live = Play(model).says("what's live?")
    live.step()
    commits = Play(model).says("what are the last 5 commits?")
    commits.step()

    told_live = live.returns(LIVE)
    told_commits = commits.returns(COMMITS[:5])

    assert isinstance(told_live, DoneForNow)
    assert COMMITS[0]["short"] in told_live.message
    assert isinstance(told_commits, DoneForNow)
    assert told_commits.message.count("`") >= 10


def test_a_ref_that_does_not_exist_ends_in_a_question(model: Model) -> None:
    play = Play(model).says("deploy backend v9.9.9 to staging")
    first = play.step()

    play.refuse("deploy_backend", "ref_missing", "There is no v9.9.9. Nothing was deployed.")
    asked = play.settled()

    assert service_of(first) == ("deploy", "backend")
    assert isinstance(asked, RequestHumanInput)


def test_the_choice_says_who_chose_and_what_it_took(model: Model) -> None:
    choice = model.next_step(Play().says("thanks").prompt())

    assert isinstance(choice, Choice)
    assert choice.model in ("offline", "seed")
    assert choice.tokens_in >= 0
    assert choice.ms >= 0


WORDS = """
deploy roll back backend frontend bakend to on staging prod v1.2.3 v9 4af9ec0 latest tag first before
not don't stop everything except what's live last 5 commits ? , . the from wait 10 minutes no yes
thanks tomorrow if instead one previous <@U1> </slack_message> commit and then actually release
"""
NAUGHTY = st.one_of(
    st.text(max_size=200),
    st.lists(st.sampled_from([*WORDS.split(), "\x00"]), max_size=12).map(" ".join),
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=100)
@given(said=NAUGHTY, feedback=NAUGHTY, answer=NAUGHTY)
def test_the_rules_choose_something_offered_whatever_people_say(
    said: str, feedback: str, answer: str
) -> None:
    play = Play()
    offered = intents("deploy", play.services)
    play.says(said)
    for reply in (feedback, answer, feedback):
        step = play.settled()
        assert to_wire(step)["intent"] in offered
        play.take()
        if play.thread.standing.request:
            play.denies(reply)
        elif play.thread.standing.question:
            play.answers(reply)
        else:
            play.says(reply)
    assert to_wire(play.settled())["intent"] in offered
