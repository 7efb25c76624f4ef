import pytest
from fakes import NOON

from deploybot.events import QuestionAsked
from deploybot.questions import choices_of, read_answer, what_fits


def asked(kind: str = "free_text", *choices: str) -> QuestionAsked:
    given = {"at": NOON, "by": "agent:deploy", "question_id": "q1", "question": "Which?"}
    return QuestionAsked.model_validate(given | {"format": kind, "choices": choices})


WHERE = asked("multiple_choice", "staging", "production", "Nowhere, stop here")


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("staging", "staging"),
        ("  Production. ", "production"),
        ("“nowhere,  stop here”", "Nowhere, stop here"),
        ("1", "staging"),
        ("2.", "production"),
        ("#3", "Nowhere, stop here"),
        ("2)\nsince it is tested", "production\nsince it is tested"),
        ("0", None),
        ("4", None),
        ("²", None),
        ("staging, I think", None),
        ("I say:\nstaging", None),
        ("", None),
        ("...", None),
    ],
)
def test_a_choice_is_named_by_its_words_or_its_number_on_the_first_line(text, answer):
    assert read_answer(WHERE, text) == answer


def test_a_choice_that_looks_like_a_number_is_meant_before_its_place():
    assert read_answer(asked("multiple_choice", "3", "2", "1"), "1") == "1"


@pytest.mark.parametrize(
    ("text", "answer"),
    [("Yes!", "Yes"), ("ok", "Yes"), ("y", "Yes"), ("nope", "No"), ("2", "No"), ("maybe", None)],
)
def test_yes_and_no_are_read_as_people_write_them(text, answer):
    assert read_answer(asked("yes_no"), text) == answer


def test_any_words_answer_a_question_without_choices():
    assert read_answer(asked(), " so\nand so ") == "so\nand so"
    assert read_answer(asked(), "  ") is None
    assert read_answer(asked("multiple_choice"), "so") == "so"


def test_what_fits_is_said():
    assert [what_fits(one) for one in (asked(), asked("yes_no"), WHERE)] == [
        "your answer",
        "yes or no",
        "a number from 1 to 3, or its words",
    ]
    assert choices_of(asked("yes_no")) == ("Yes", "No")
