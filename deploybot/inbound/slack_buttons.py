"""What our buttons and dialogs carry, as a card writes it and a click brings it back; no payloads."""

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from deploybot.errors import InboundError

APPROVE = "approve"
DENY = "deny"
STOP = "stop"
EDIT = "edit"
CHOOSE = "choose"
"""Action ids; one of a row of choices is `choose:<index>`."""
ANSWER = "answer_in_words"
"""Action id of the button that opens the dialog for an answer in words."""
IT_IS_LIVE = "it_is_live"
IT_FAILED = "it_failed"
"""Action ids of a card whose outcome is not known."""
BREAK_GLASS = "break_glass"
"""Action id of the button, and callback id of the dialog behind it and block id of its one input."""
OF_A_REQUEST = frozenset({APPROVE, DENY, BREAK_GLASS, EDIT, STOP, IT_IS_LIVE, IT_FAILED})
"""Action ids of the buttons that carry a Reference."""
DENIAL = "denial"
"""Callback id of the dialog that asks why, and block id of its one input."""
QUESTION = "question"
"""Callback id of the dialog that takes an answer in words, and block id of its one input."""
WORDS = "words"
"""Action id of the one input of a dialog."""
EDITING = "editing"
"""Callback id of the dialog that changes what is asked for."""
REF, TURN, START, WHY = "ref", "turn", "start", "why"
"""Its inputs, as block and action ids; those of a service have its number behind a colon."""


class Reference(BaseModel):
    """What a card or a dialog is about; believed only when the thread says the same."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    thread: str = Field(alias="t", max_length=100)
    request: str = Field(alias="r", max_length=100)
    digest: str = Field(alias="d", max_length=100)
    head: str = Field(default="", alias="h", max_length=100)
    """MAC of the thread's last event when it was shown; "" on what earlier versions have shown."""
    environment: str = Field(default="", alias="e")
    """Where it would run, so that this can be told without the thread, too."""

    def dumps(self) -> str:
        """Return it as a button carries it: JSON, well under Slack's 2000 characters."""
        return self.model_dump_json(by_alias=True, exclude_defaults=True)

    @classmethod
    def loads(cls, text: str) -> Self:
        """Return what a button carried; raises InboundError (400) when it is not ours."""
        try:
            return cls.model_validate_json(text)
        except ValidationError:
            raise InboundError(
                "The button names no request, so nothing changed.", status=400
            ) from None


def message_alias(channel: str, ts: str) -> str:
    """Return the alias under which a Slack message finds its thread."""
    return f"slack:{channel}:{ts}"


def choice_block(thread: str, question: str) -> str:
    """Return the id of the block that holds a question's choices."""
    return f"{CHOOSE}:{thread}:{question}"


def chosen_block(block_id: str) -> tuple[str, str] | None:
    """Return (thread id, question id) of such a block, or None."""
    kind, _, about = block_id.partition(":")
    thread, _, question = about.partition(":")
    return (thread, question) if kind == CHOOSE and thread and question else None
