"""A question to people in Slack, through its life; requests for approval are `slack_card`'s."""

from deploybot.events import QuestionAsked
from deploybot.inbound.slack_buttons import CHOOSE, choice_block
from deploybot.outbound.slack_rich import Json, quote, rich, section, words
from deploybot.outbound.slack_text import escape, line, unsigned
from deploybot.ports import People
from deploybot.telling import Asked

BUTTONS = 5
"""Up to this many choices are buttons; more make a menu."""
CHOICES = 100


def choices_of(question: QuestionAsked) -> tuple[str, ...]:
    """Return what can be chosen, in the order shown: the index is what a click brings back."""
    match question.format:
        case "yes_no":
            return ("Yes", "No")
        case "multiple_choice":
            return question.choices[:CHOICES]
        case _:
            return ()


def question_text(asked: Asked) -> str:
    """Return the question in one line, escaped, for notifications."""
    return escape(line(unsigned(asked.question.question), 1000), 3000)


def question_blocks(asked: Asked, people: People, thread: str) -> list[Json]:
    """Return the blocks: the question, and its buttons for as long as it is open."""
    question = asked.question
    mark = "❗ " if question.urgency == "high" else ""
    parts = [section(words(f"{mark}{unsigned(question.question)}", bold=True))]
    if question.context:
        parts.append(section(words(unsigned(question.context))))
    blocks = [rich(*parts)]
    if asked.answer is not None:
        by = section(words(f"✅ {people.name(asked.by)} answered:"))
        return [*blocks, rich(by, quote(asked.answer))]
    if asked.closed:
        return [*blocks, _small(f"Closed by {people.name(asked.by)}: no answer is needed now.")]
    choices = choices_of(question)
    if not choices:
        return [*blocks, _small("Reply in this thread to answer.")]
    return [*blocks, _choices(thread, question, choices), _small("Or reply in this thread.")]


def _choices(thread: str, question: QuestionAsked, choices: tuple[str, ...]) -> Json:
    labels = [_plain(line(unsigned(choice), 75) or "…") for choice in choices]
    elements: list[Json] = [
        {"type": "button", "action_id": f"{CHOOSE}:{index}", "text": label, "value": str(index)}
        for index, label in enumerate(labels)
    ]
    if len(choices) > BUTTONS:
        options = [{"text": label, "value": str(index)} for index, label in enumerate(labels)]
        menu = {"type": "static_select", "action_id": CHOOSE, "options": options}
        elements = [menu | {"placeholder": _plain("Choose…")}]
    return {
        "type": "actions",
        "block_id": choice_block(thread, question.question_id),
        "elements": elements,
    }


def _plain(text: str) -> Json:
    return {"type": "plain_text", "text": text, "emoji": False}


def _small(text: str) -> Json:
    return {"type": "context", "elements": [_plain(line(text, 500))]}
