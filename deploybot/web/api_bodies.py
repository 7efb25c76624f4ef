"""What callers of the API send, as strict models; what is done with it is `api_calls`'s."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=20_000)]
Comment = Annotated[str, StringConstraints(strip_whitespace=True, max_length=2_000)]
Name = Annotated[str, StringConstraints(max_length=200)]


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class NewThread(_Body):
    """A matter for the bot, in words; `agent` names who is to take it, by default the bot's own."""

    text: Text
    agent: Name | None = None


class NewMessage(_Body):
    """Words for a thread."""

    text: Text


class Decision(_Body):
    """A yes or no to exactly the open request, or an answer to the open question.

    `request` and `digest` are those of `GET /api/threads/{id}`; a question has no digest, and its
    answer is the comment, or yes or no without one.
    """

    request: Name
    digest: Name = ""
    approved: bool
    comment: Comment = ""


class Resolution(_Body):
    """How a deploy ended that its worker died with, by the word of somebody who has looked."""

    request: Name
    outcome: Literal["succeeded", "failed"]
    comment: Comment = ""
