"""What is typed behind the slash command: a question, or the words that begin a thread."""

import pytest
from fakes import NOON, PEOPLE

from deploybot.errors import InboundError
from deploybot.inbound.slack_command import Asked, Commanded, Question, read_command
from deploybot.inbound.slack_payloads import Json


def typed(text: str, **changes: str) -> Json:
    return {
        "command": "/deploybot",
        "text": text,
        "user_id": "U0ANN",
        "team_id": "T0HARBOUR",
        "channel_id": "C0DEPLOYS",
        "trigger_id": "1.2.3",
    } | changes


def read(text: str, **changes: str) -> Asked | Commanded:
    return read_command(typed(text, **changes), PEOPLE, NOON, PEOPLE.by_slack)


@pytest.mark.parametrize(
    ("text", "question", "where"),
    [
        ("", Question.HELP, ""),
        ("  Help? ", Question.HELP, ""),
        ("environments", Question.LIVE, ""),
        ("What's live on production?", Question.LIVE, "production"),
        ("locks", Question.LOCKS, ""),
        ("stop", Question.STOP, ""),
    ],
)
def test_a_mere_question_makes_no_thread(text: str, question: Question, where: str) -> None:
    assert read(text) == Asked(question, "ann", where)


@pytest.mark.parametrize(
    "text",
    [
        "deploy backend v1.2 to production",
        "lock backend on production for 2h: why",
        "stop the deploy of backend",
        "help me with the backend",
        "what's live on production and who put it there",
    ],
)
def test_everything_else_begins_a_thread_with_these_words(text: str) -> None:
    found = read(text)

    assert isinstance(found, Commanded)
    assert (found.event.text, found.event.by) == (text, "ann")
    assert (found.event.command, found.event.ts) == ("/deploybot", "")


def test_one_trigger_is_one_thread_whatever_else_is_delivered() -> None:
    first, again, other = read("tags"), read("tags"), read("tags", trigger_id="1.2.4")

    assert isinstance(first, Commanded)
    assert first == again
    assert isinstance(other, Commanded)
    assert first.thread != other.thread
    assert not set(first.dedupe) & set(other.dedupe)


def test_names_and_entities_are_read_as_they_were_typed() -> None:
    found = read("hand backend on production to <@U0BEN|ben> &amp; go")

    assert isinstance(found, Commanded)
    assert found.event.text == "hand backend on production to @ben & go"


@pytest.mark.parametrize("missing", ["user_id", "team_id", "channel_id", "trigger_id", "command"])
def test_what_is_garbled_is_refused_in_a_sentence(missing: str) -> None:
    with pytest.raises(InboundError, match="nothing was stored") as refused:
        read("tags", **{missing: ""})

    assert refused.value.status == 400
