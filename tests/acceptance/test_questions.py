"""Asking people: in Slack by button, menu, dialog and reply, and by mail; the agent learns who said what."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from everywhere import Everywhere, everywhere, shown

from deploybot.events import Answered, AnswerRefused
from deploybot.next_step import DoneForNow, RequestHumanInput

CHOICES = tuple(f"service {n}" for n in range(1, 8))
WHERE = RequestHumanInput(
    question="Where to?", format="multiple_choice", choices=("staging", "production")
)
WHICH = RequestHumanInput(question="Which one?", format="multiple_choice", choices=CHOICES)
SURE = RequestHumanInput(question="Are you sure?", format="yes_no")
WHY = RequestHumanInput(question="What changed?", context="The tag is new.", urgency="high")
DONE = DoneForNow(message="Thank you.")


@pytest.fixture
def office(redis_url: str, tmp_path: Path) -> Iterator[Everywhere]:
    with everywhere(redis_url, tmp_path) as opened:
        yield opened


def answers(office: Everywhere) -> list[tuple[str, str]]:
    return [(e.by, e.answer) for e in office.thread().events if isinstance(e, Answered)]


def refusals(office: Everywhere) -> list[AnswerRefused]:
    return [e for e in office.thread().events if isinstance(e, AnswerRefused)]


@pytest.mark.parametrize(
    ("step", "action", "more", "answer"),
    [
        (SURE, "choose:1", {}, "No"),
        (WHERE, "choose:0", {}, "staging"),
        (WHICH, "choose", {"value": "6"}, "service 7"),
    ],
)
def test_a_press_answers_and_the_message_says_who_it_was(
    office: Everywhere, step: RequestHumanInput, action: str, more: dict[str, Any], answer: str
) -> None:
    office.story.model_will(step, DONE)
    office.says("ann", "deploy something")

    office.clicks("eve", action, office.message(step.question), **more)

    assert answers(office) == [("eve", answer)]
    said = shown(office.message(step.question))
    assert "Eve answered" in said
    assert answer in said
    assert "action_id" not in said, "there is nothing left to press"


def test_free_text_is_answered_in_a_dialog(office: Everywhere) -> None:
    office.story.model_will(WHY, DONE)
    office.says("ann", "deploy something")
    question = office.message("What changed?")

    office.presses("ben", "answer_in_words", question)
    blank = office.fills("ben", words="   ")
    sent = office.fills("ben", words="only the colour\nof the button")
    office.works()

    assert blank["outcome"] in {"errors", "invalid"}
    assert sent["outcome"] == "closed"
    assert answers(office) == [("ben", "only the colour\nof the button")]


def test_a_dialog_that_is_sent_too_late_says_who_was_first(office: Everywhere) -> None:
    office.story.model_will(WHY, DONE)
    office.says("ann", "deploy something")
    question = office.message("What changed?")
    office.presses("ben", "answer_in_words", question)
    office.presses("eve", "answer_in_words", question)
    office.fills("eve", words="nothing")

    late = office.fills("ben", words="everything")
    office.presses("ann", "answer_in_words", question)
    office.works()

    assert late["outcome"] == "errors"
    assert "Eve answered this" in str(late["errors"])
    assert "your answer changed nothing" in office.whispers()[-1]
    assert answers(office) == [("eve", "nothing")]


@pytest.mark.parametrize(
    ("step", "words", "answer"),
    [
        (SURE, "yes!", "Yes"),
        (WHERE, "Production.", "production"),
        (WHICH, "3", "service 3"),
        (WHY, "only the colour", "only the colour"),
    ],
)
def test_a_reply_in_the_thread_answers(
    office: Everywhere, step: RequestHumanInput, words: str, answer: str
) -> None:
    office.story.model_will(step, DONE)
    office.says("ann", "deploy something")

    office.says("ben", words, below=office.message(step.question))

    assert answers(office) == [("ben", answer)]


def test_words_that_choose_nothing_are_read_by_the_agent_and_shown_as_the_answer(
    office: Everywhere,
) -> None:
    office.story.model_will(WHERE, DONE)
    office.says("ann", "deploy something")

    office.says("ben", "neither, wait for me", below=office.message("Where to?"))

    assert answers(office) == []
    assert office.thread().events[-3].kind == "slack_message_received"
    assert "neither, wait for me" in shown(office.message("Where to?"))
    assert "Ben answered" in shown(office.message("Where to?"))


def test_a_second_press_is_told_that_it_came_too_late(office: Everywhere) -> None:
    office.story.model_will(WHERE, DONE)
    office.says("ann", "deploy something")
    question = office.message("Where to?")

    office.presses("eve", "choose:0", question)
    office.presses("ben", "choose:1", question)
    office.works()

    assert answers(office) == [("eve", "staging")]
    (refused,) = refusals(office)
    assert (refused.by, refused.reason_code) == ("ben", "closed")
    assert "Eve answered this" in office.whispers()[0]


def test_the_agent_reads_the_answer_with_who_gave_it(office: Everywhere) -> None:
    office.story.model_will(WHERE, DONE)
    office.says("ann", "deploy something")
    office.clicks("eve", "choose:0", office.message("Where to?"))

    text = office.bot.prompt(office.thread()).text

    assert "human_response" in text
    assert "by: eve" in text
    assert "answer: staging" in text
