import time
from collections.abc import Sequence
from typing import Any

import pytest
from model_server import ModelServer, Reply, chooses, completion, serving
from planning import Play

from deploybot.errors import ModelUnavailableError
from deploybot.models.openai import LARGEST_ANSWER, OpenAIModel
from deploybot.next_step import Deploy, ListGitCommits
from deploybot.ports import Choice, Prompt

DEPLOY = {"intent": "deploy_backend", "ref": "v1.2.3", "environment": "staging", "reason": "asked"}
BUSY = Reply({"error": {"message": "slow down", "code": "rate_limit_exceeded"}}, 429)
BROKEN = Reply({"error": {"message": "oops"}}, 500)
KEY = "sk-CANARY-0123456789"


def prompt() -> Prompt:
    return Play().says("deploy the backend v1.2.3 to staging, please").prompt()


def ask(server: ModelServer, **settings: Any) -> Choice:
    model = OpenAIModel("m-1", server.base_url, KEY, **{"timeout": 5.0, "budget": 10.0, **settings})
    try:
        return model.next_step(prompt())
    finally:
        model.close()


def why(replies: Sequence[Reply], **settings: Any) -> tuple[str, int]:
    """Return the error, and how many requests led to it."""
    with serving(replies) as server, pytest.raises(ModelUnavailableError) as caught:
        ask(server, **settings)
    return str(caught.value), len(server.requests)


def test_the_first_good_answer_is_the_choice() -> None:
    with serving([chooses(**DEPLOY)], api_key=KEY) as server:
        choice = ask(server)

    assert choice.step == Deploy(
        service="backend", ref="v1.2.3", environment="staging", reason="asked"
    )
    assert (choice.model, choice.tokens_in, choice.tokens_out) == ("m-1", 100, 20)
    assert choice.ms >= 0


def test_what_is_sent_is_the_prompt_and_a_strict_schema() -> None:
    with serving([chooses(**DEPLOY)]) as server:
        ask(server)
        sent = server.requests[0]

    asked = prompt()
    assert [m["content"] for m in sent["messages"]] == [asked.system, asked.text]
    assert sent["response_format"]["json_schema"]["strict"] is True
    assert sent["response_format"]["json_schema"]["schema"] == asked.schema


def test_a_wrong_answer_is_told_and_asked_again() -> None:
    wrong = [completion("I would deploy it."), chooses(**{**DEPLOY, "intent": "deploy_payments"})]
    with serving([*wrong, chooses(**DEPLOY)]) as server:
        choice = ask(server)
        last = server.requests[-1]["messages"]

    assert isinstance(choice.step, Deploy)
    assert (choice.tokens_in, choice.tokens_out) == (300, 60)
    assert [m["role"] for m in last] == ["system", "user", *("assistant", "user") * 2]
    assert "holds no JSON" in last[3]["content"]
    assert "No such intent: 'deploy_payments'" in last[5]["content"]


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (completion("no idea"), "no JSON"),
        (completion(""), "empty"),
        (completion(None), "empty"),
        (completion('{"step": {"intent": "deploy_ba', finish="length"), "cut off"),
        (chooses(intent="launch_missiles"), "No such intent"),
        (chooses(**{**DEPLOY, "environment": "moon"}), "no environment"),
        (Reply({"choices": []}), "no chat completion"),
        (Reply({"choices": None}), "no chat completion"),
        (Reply(b"<html>gateway</html>"), "no chat completion"),
        (Reply(b""), "no chat completion"),
        (Reply(b"\xff\xfe\x00"), "no chat completion"),
    ],
    ids=str,
)
def test_after_two_further_tries_it_is_given_up_with_the_reason(reply: Reply, says: str) -> None:
    error, requests = why([reply])

    assert says in error
    assert "nothing was deployed" in error
    assert requests == 3


def test_a_refusal_is_not_argued_with() -> None:
    error, requests = why([completion(None, refusal="I can't help with that.")])

    assert "refused" in error
    assert requests == 1


def test_a_filtered_answer_is_a_refusal() -> None:
    error, requests = why([completion("", finish="content_filter")])

    assert "refused" in error
    assert requests == 1


@pytest.mark.parametrize("reply", [BUSY, BROKEN], ids=["429", "500"])
def test_a_busy_server_is_asked_again(reply: Reply) -> None:
    with serving([reply, reply, chooses(**DEPLOY)]) as server:
        choice = ask(server)

        assert isinstance(choice.step, Deploy)
        assert len(server.requests) == 3


def test_no_more_than_two_further_requests_are_sent_however_many_are_allowed() -> None:
    error, requests = why([BROKEN], max_retries=50)

    assert "500" in error
    assert requests == 3


def test_a_long_pause_asked_for_by_the_server_is_not_waited_out() -> None:
    started = time.monotonic()

    error, requests = why([Reply(BUSY.body, 429, {"retry-after": "3600"})])

    assert "3600 s" in error
    assert requests == 1
    assert time.monotonic() - started < 5


def test_a_wrong_key_is_said_without_saying_the_key() -> None:
    with (
        serving([chooses(**DEPLOY)], api_key="another") as server,
        pytest.raises(ModelUnavailableError) as caught,
    ):
        ask(server)

    assert "401 (invalid_api_key)" in str(caught.value)
    assert "CANARY" not in str(caught.value)
    assert "CANARY" not in repr(OpenAIModel("m", server.base_url, KEY))


def test_a_server_that_never_answers_costs_no_more_than_its_budget() -> None:
    started = time.monotonic()

    error, _ = why([Reply(b"", hang=True)], timeout=0.3, budget=0.8)

    assert "nothing was deployed" in error
    assert time.monotonic() - started < 4


def test_a_server_that_answers_a_byte_at_a_time_costs_no_more_than_its_budget() -> None:
    started = time.monotonic()

    error, _ = why([Reply(b" " * 5000, drip=0.05)], timeout=0.5, budget=1.0)

    assert "in time" in error or "within" in error
    assert time.monotonic() - started < 4


def test_an_endless_answer_is_cut() -> None:
    error, requests = why([Reply(b" " * (LARGEST_ANSWER + 10))])

    assert "more than an answer can be" in error
    assert requests == 1


def test_nobody_there_is_said_as_such() -> None:
    with serving([BROKEN]) as server:
        pass

    with pytest.raises(ModelUnavailableError, match="could not be reached"):
        ask(server, max_retries=0)


def test_a_limit_beyond_reason_is_brought_into_bounds() -> None:
    step = {"intent": "list_git_commits", "service": None, "ref": None, "limit": 10**15}
    with serving([chooses(**step)]) as server:
        assert ask(server).step == ListGitCommits(limit=50)


def test_the_server_refuses_a_schema_that_strict_mode_does_not_know() -> None:
    asked = prompt()
    bad = Prompt(**{**asked.__dict__, "schema": {"type": "object", "oneOf": [], "properties": {}}})
    refused = pytest.raises(ModelUnavailableError, match=r"400 \(invalid_json_schema\)")
    with serving([chooses(**DEPLOY)]) as server, refused:
        OpenAIModel("m-1", server.base_url, KEY).next_step(bad)
