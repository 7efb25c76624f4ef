import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planning import Play

from deploybot.models import answer
from deploybot.models.answer import UnusableAnswerError
from deploybot.next_step import Deploy, DoneForNow, ListGitCommits, RequestHumanInput, Wait
from deploybot.ports import Prompt

DEPLOY = {"intent": "deploy_backend", "ref": "v1.2.3", "environment": "staging", "reason": "asked"}


@pytest.fixture(scope="module")
def prompt() -> Prompt:
    return Play().says("go").prompt()


@pytest.fixture(scope="module")
def rollback() -> Prompt:
    return Play().hands_over("tests failed on production", agent="rollback").prompt()


def written(step: dict[str, Any]) -> str:
    return json.dumps({"step": step})


@pytest.mark.parametrize(
    "text",
    [
        written(DEPLOY),
        json.dumps(DEPLOY),
        f"```json\n{written(DEPLOY)}\n```",
        f"```\n{written(DEPLOY)}\n```\nI chose this because it was asked for.",
        f"Here is the next step:\n{written(DEPLOY)}\nLet me know!",
        f"  {written(DEPLOY)}  ",
        written(DEPLOY) + "}}",
        f"Looking at {{the thread}}, I choose: {written(DEPLOY)}",
        f"<think>perhaps {written({**DEPLOY, 'ref': 'v0'})}</think>{written(DEPLOY)}",
        f"Sure!\n```json\n{written(DEPLOY)}\n```\nAnything else?",
        json.dumps(written(DEPLOY)),
        f"[{written(DEPLOY)}]",
        written(DEPLOY).replace("}}", ",},}"),
        str({"step": DEPLOY}),
        "// the next step\n" + written(DEPLOY).replace("}}", "} // as asked\n}"),
        written(DEPLOY).replace('"', "\N{LEFT DOUBLE QUOTATION MARK}", 1).replace('"', "”"),
    ],
    ids=[
        "strict",
        "bare",
        "fenced",
        "fenced with prose",
        "prose",
        "spaces",
        "trailing braces",
        "braces in prose",
        "thoughts",
        "prose around a fence",
        "encoded twice",
        "in a list",
        "trailing commas",
        "python",
        "comments",
        "typed quotes",
    ],
)
def test_what_is_nearly_right_is_repaired(prompt: Prompt, text: str) -> None:
    step = answer.read(text, prompt)

    assert step == Deploy(service="backend", ref="v1.2.3", environment="staging", reason="asked")


def test_mending_the_form_changes_no_word(prompt: Prompt) -> None:
    message = "None of it, // really: a, } 'quoted' True ”end“"
    text = '{"step": {"intent": "done_for_now", "message": ' + json.dumps(message) + ",},}"

    assert answer.read(text, prompt) == DoneForNow(message=message)


def test_of_two_steps_the_first_is_taken(prompt: Prompt) -> None:
    both = f"{written(DEPLOY)}\n{written({**DEPLOY, 'environment': 'production'})}"

    step = answer.read(both, prompt)

    assert isinstance(step, Deploy)
    assert step.environment == "staging"


@pytest.mark.parametrize(
    ("step", "says"),
    [
        ({**DEPLOY, "intent": "deploy_payments"}, "No such intent"),
        ({**DEPLOY, "intent": "deploy", "service": "payments"}, "No such intent"),
        ({**DEPLOY, "intent": "deploy", "service": "backend;rm -rf"}, "No such intent"),
        ({**DEPLOY, "environment": "prod"}, "no environment 'prod'"),
        ({**DEPLOY, "ref": " "}, "`ref` is empty"),
        ({**DEPLOY, "force": True}, "force"),
        ({key: DEPLOY[key] for key in ("intent", "ref", "reason")}, "environment"),
        ({"intent": "approve", "request": "r1"}, "No such intent"),
        ({"intent": "run_tests", "environment": "production"}, "No such intent"),
        ({"intent": "hand_over", "agent": "rollback", "text": "x"}, "No such intent"),
        ({"intent": "check_deployments", "environment": "moon"}, "no environment 'moon'"),
        ({"intent": "list_git_tags", "service": "ghost", "limit": 3}, "no service 'ghost'"),
        ({"intent": "list_git_commits", "service": None, "ref": None, "limit": "many"}, "limit"),
        ({"intent": "request_human_input", "question": " "}, "`question` is empty"),
        ({"intent": ["deploy_backend"]}, "No such intent"),
        ({"intent": None}, "No such intent"),
    ],
)
def test_what_was_not_offered_is_refused_with_a_reason(
    prompt: Prompt, step: dict[str, Any], says: str
) -> None:
    with pytest.raises(UnusableAnswerError, match=says):
        answer.read(written(step), prompt)


@pytest.mark.parametrize(
    "text",
    ["", "   ", "no", "{", '{"step": ', '{"step": []}', "[]", "null", "{}", '{"step": null}'],
)
def test_what_is_no_step_at_all_is_refused(prompt: Prompt, text: str) -> None:
    with pytest.raises(UnusableAnswerError):
        answer.read(text, prompt)


def test_a_very_deep_answer_is_refused_and_breaks_nothing(prompt: Prompt) -> None:
    with pytest.raises(UnusableAnswerError):
        answer.read('{"step":' + "[" * 200_000, prompt)


def test_the_rollback_agent_cannot_deploy_though_its_model_says_so(rollback: Prompt) -> None:
    with pytest.raises(UnusableAnswerError, match="No such intent"):
        answer.read(written(DEPLOY), rollback)


def test_numbers_and_lengths_are_brought_into_bounds(prompt: Prompt) -> None:
    commits = {"intent": "list_git_commits", "service": None, "ref": None, "limit": 10**15}
    pause = {"intent": "wait", "seconds": -5, "reason": "r"}
    long = {"intent": "done_for_now", "message": "x" * 100_000}
    ask = {
        "intent": "request_human_input",
        "question": "Which?",
        "context": "",
        "urgency": "low",
        "format": "multiple_choice",
        "choices": [],
    }

    assert answer.read(written(commits), prompt) == ListGitCommits(limit=50)
    assert answer.read(written(pause), prompt) == Wait(seconds=1, reason="r")
    told = answer.read(written(long), prompt)
    assert isinstance(told, DoneForNow)
    assert len(told.message) == answer.LONGEST_WORDS
    asked = answer.read(written(ask), prompt)
    assert isinstance(asked, RequestHumanInput)
    assert asked.format == "free_text"


VALUE = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=10), inner, max_size=3)
    ),
    max_leaves=8,
)
FIELDS = st.dictionaries(
    st.sampled_from(
        ["ref", "environment", "reason", "limit", "service", "to", "message", "seconds"]
    ),
    VALUE,
)
INTENT = st.one_of(
    st.text(max_size=20),
    st.sampled_from(["deploy_backend", "roll_back_frontend", "wait", "run_tests", "list_git_tags"]),
)


@settings(deadline=None)
@given(
    text=st.one_of(st.text(), st.builds(lambda f, i: written({**f, "intent": i}), FIELDS, INTENT))
)
def test_any_answer_is_a_step_that_was_offered_or_refused(text: str) -> None:
    asked = Play().says("go").prompt()
    try:
        step = answer.read(text, asked)
    except UnusableAnswerError:
        return

    for field, known in (("service", asked.services), ("environment", asked.environments)):
        assert getattr(step, field, None) in (None, *known)
    assert step.intent not in ("run_tests", "hand_over")
