"""A question to people in Slack, through its life; requests for approval are `slack_card`'s."""

from collections.abc import Iterator

from deploybot.events import QuestionAsked
from deploybot.inbound.slack_buttons import (
    ANSWER,
    CHOOSE,
    QUESTION,
    WORDS,
    choice_block,
)
from deploybot.outbound.slack_rich import Json, person, quote, rich, section, words
from deploybot.outbound.slack_text import escape, line, unsigned
from deploybot.ports import People
from deploybot.questions import choices_of
from deploybot.telling import Asked

BUTTONS = 5
"""Up to this many choices are buttons; more make a menu."""
GROUP = 100
"""Slack's most for one group of a menu."""
CHOICES = 1000
"""More are chosen by writing them."""
LABEL = 75
"""Slack's longest label of a button or an option."""
LISTED = 25
"""Up to this many choices whose labels are cut are written out above."""
URGENCY = {"high": "Urgent: this waits for an answer.", "medium": "Please answer soon.", "low": ""}


def question_text(asked: Asked) -> str:
    """Return the question in one line, escaped, for notifications."""
    return escape(line(unsigned(asked.question.question), 1000), 3000)


def question_blocks(asked: Asked, people: People, thread: str, url: str = "") -> list[Json]:
    """Return the blocks: the question, its buttons for as long as it is open, and where to read on."""
    link = f"<{url}|Everything about this thread>"
    read_on = {"type": "context", "elements": [{"type": "mrkdwn", "text": link, "verbatim": True}]}
    return [*_question(asked, people, thread), *((read_on,) if url else ())]


def _question(asked: Asked, people: People, thread: str) -> list[Json]:
    question = asked.question
    parts = [section(*_headline(asked, people))]
    if question.context:
        parts.append(section(words(unsigned(question.context))))
    choices = choices_of(question)[:CHOICES]
    labels = [line(unsigned(choice), LABEL) or "…" for choice in choices]
    if asked.is_open and len(choices) <= LISTED and any(label.endswith("…") for label in labels):
        parts += [section(words(f"{n}. {unsigned(one)}", 300)) for n, one in enumerate(choices, 1)]
    blocks = [rich(*parts)]
    if asked.answer is not None:
        by = section(words(f"✅ {people.name(asked.by)} answered:"))
        return [*blocks, rich(by, quote(asked.answer))]
    if asked.closed:
        return [*blocks, _small(f"Closed by {people.name(asked.by)}: no answer is needed now.")]
    how = "Or reply in this thread."
    buttons = _choices(labels) if choices else [_button(ANSWER, "Answer…", "words")]
    said = " ".join(part for part in (URGENCY[question.urgency], how) if part)
    block = {"type": "actions", "block_id": choice_block(thread, question.question_id)}
    return [*blocks, block | {"elements": buttons}, _small(said)]


def answer_dialog(thread: str, question: QuestionAsked) -> Json:
    """Return the view in which a question is answered in words."""
    parts = [section(words(unsigned(question.question), 2000, bold=True))]
    if question.context:
        parts.append(section(words(unsigned(question.context))))
    return {
        "type": "modal",
        "callback_id": QUESTION,
        "private_metadata": choice_block(thread, question.question_id),
        "title": _plain("Answer"),
        "submit": _plain("Answer"),
        "close": _plain("Cancel"),
        "blocks": [
            rich(*parts),
            {
                "type": "input",
                "block_id": QUESTION,
                "label": _plain("Your answer"),
                "hint": _plain("deploybot reads it and goes on."),
                "element": {
                    "type": "plain_text_input",
                    "action_id": WORDS,
                    "multiline": True,
                    "max_length": 2000,
                    "focus_on_load": True,
                },
            },
        ],
    }


def _headline(asked: Asked, people: People) -> Iterator[Json]:
    """Yield the question; an urgent one calls who is to answer it."""
    question = asked.question
    mark = "❗ " if question.urgency == "high" else ""
    yield words(f"{mark}{unsigned(question.question)}", bold=True)
    found = (people.get(one) for one in asked.to) if mark and asked.is_open else ()
    known = next((one for one in found if one), None)
    if known:
        yield words(" ")
        yield person(known.slack) if known.slack else words(f"@{known.name}")


def _choices(labels: list[str]) -> list[Json]:
    if len(labels) <= BUTTONS:
        return [_button(f"{CHOOSE}:{n}", label, str(n)) for n, label in enumerate(labels)]
    options = [{"text": _plain(label), "value": str(n)} for n, label in enumerate(labels)]
    menu: Json = {"type": "static_select", "action_id": CHOOSE, "placeholder": _plain("Choose…")}
    if len(options) <= GROUP:
        return [menu | {"options": options}]
    groups = [options[start : start + GROUP] for start in range(0, len(options), GROUP)]
    named = [
        {"label": _plain(f"{n * GROUP + 1} to {n * GROUP + len(group)}"), "options": group}
        for n, group in enumerate(groups)
    ]
    return [menu | {"option_groups": named}]


def _button(action: str, label: str, value: str) -> Json:
    return {"type": "button", "action_id": action, "text": _plain(label), "value": value}


def _plain(text: str) -> Json:
    return {"type": "plain_text", "text": text, "emoji": False}


def _small(text: str) -> Json:
    return {"type": "context", "elements": [_plain(line(text, 500))]}
