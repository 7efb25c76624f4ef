"""What may be answered to a question, and who is to answer it; every channel shows and reads it alike.

Pure. Whether an answer still counts is the inbox's to say.
"""

import re

from deploybot.events import QuestionAsked

YES = frozenset({"y", "yes", "yep", "yeah", "ok", "okay", "sure"})
NO = frozenset({"n", "no", "nope"})
_NUMBER = re.compile(r"#?([0-9]{1,4})[.):]?")
_DECORATION = " \t.!\"'`“”„*_"


def choices_of(question: QuestionAsked) -> tuple[str, ...]:
    """Return what can be chosen, in the order shown; () when only words answer it."""
    match question.format:
        case "yes_no":
            return ("Yes", "No")
        case "multiple_choice":
            return question.choices
        case _:
            return ()


def read_answer(question: QuestionAsked, text: str) -> str | None:
    """Return what was answered: a choice, by its words or its number, or any words; None if neither.

    The first line chooses; what stands below it goes along.
    """
    first, _, rest = text.strip().partition("\n")
    choices = choices_of(question)
    if not choices:
        return text.strip() or None
    chosen = _chosen(question, choices, first.strip())
    return chosen and "\n".join(part for part in (chosen, rest.strip()) if part)


def kept_of(question: QuestionAsked, said: str) -> str:
    """Return what is kept of an answer: the words of the choice that it names, or what was said."""
    return read_answer(question, said) or said


def what_fits(question: QuestionAsked) -> str:
    """Say what may be answered."""
    choices = choices_of(question)
    if question.format == "yes_no":
        return "yes or no"
    return f"a number from 1 to {len(choices)}, or its words" if choices else "your answer"


def _chosen(question: QuestionAsked, choices: tuple[str, ...], said: str) -> str | None:
    """Return the choice that is named: its own words come before its number."""
    bare = _bare(said)
    for choice in choices:
        if bare and bare == _bare(choice):
            return choice
    if question.format == "yes_no" and bare in YES | NO:
        return "Yes" if bare in YES else "No"
    number = _NUMBER.fullmatch(said.strip())
    index = int(number[1]) if number else 0
    return choices[index - 1] if 1 <= index <= len(choices) else None


def _bare(text: str) -> str:
    return " ".join(text.casefold().split()).strip(_DECORATION)
