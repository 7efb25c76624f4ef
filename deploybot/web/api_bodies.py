"""What callers of the API send, as strict models; what is done with it is `api_calls`'s."""

import re
from contextlib import suppress
from typing import Annotated, Literal

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    model_validator,
)

_HAS_WORDS: dict[str, JsonValue] = {"pattern": r"\S"}
_DRY_ROLLBACK: dict[str, JsonValue] = {
    "required": ["agent", "dry_run"],
    "properties": {"agent": {"const": "rollback"}, "dry_run": {"const": True}},
}
Text = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=20_000),
    Field(json_schema_extra=_HAS_WORDS),
]
Comment = Annotated[str, StringConstraints(strip_whitespace=True, max_length=2_000)]
Name = Annotated[str, StringConstraints(max_length=200)]


def _whole(value: object) -> object:
    """Return 3 for 3.0: JSON has no other integers."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


_MOMENT: TypeAdapter[AwareDatetime] = TypeAdapter(AwareDatetime)


def _moment(value: object) -> object:
    """Read a moment; a bare number is none, as it could be seconds or milliseconds."""
    with suppress(ValidationError):
        if isinstance(value, str) and re.match(r"\d{4}-", value):
            return _MOMENT.validate_python(value)
    raise ValueError("write it as 2026-05-04T12:00:00Z")


Seconds = Annotated[int, Field(ge=1, le=30 * 24 * 3600), BeforeValidator(_whole)]
Number = Annotated[int, Field(ge=1, le=1_000_000), BeforeValidator(_whole)]
Moment = Annotated[AwareDatetime, BeforeValidator(_moment)]


class Body(BaseModel):
    """Any body: what is not known by name is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Nothing(Body):
    """No body, or an empty object."""


class NewThread(Body):
    """A matter for the bot, in words."""

    model_config = ConfigDict(json_schema_extra={"not": _DRY_ROLLBACK})

    text: Text = Field(examples=["deploy backend v1.2.3 to staging"])
    agent: Literal["deploy", "rollback"] | None = Field(
        default=None, description="Who is to take it; by default the bot's own, `deploy`."
    )
    dry_run: bool = Field(
        default=False,
        description="Show what would run and stop there: nothing is proposed, and nothing can run.",
    )

    @model_validator(mode="after")
    def _can_be_shown(self) -> "NewThread":
        if self.dry_run and self.agent == "rollback":
            raise ValueError("the rollback agent knows no dry run")
        return self


class NewMessage(Body):
    """Words for a thread."""

    text: Text = Field(examples=["wait until Ann is back"])


class Decision(Body):
    """A yes or no to exactly the open request, or an answer to the open question."""

    request: Name = Field(description="The `id` of the thread's open `request`.")
    digest: Name = Field(
        default="",
        description="Its `digest`: what was seen is what is decided. A question has none.",
    )
    approved: bool
    comment: Comment = Field(
        default="",
        description="Of a no, the reason, which the agent reads. Of a question, the answer; "
        "without one, yes or no.",
    )
    confirm: bool = Field(
        default=False,
        description="Whether each sentence under `confirm` in the request's plans was confirmed.",
    )
    break_glass: Comment = Field(
        default="",
        description="Why it is approved alone, in an emergency: all approvers are told.",
    )


class EditedPart(Body):
    """One service of the change, and what of it is to go live."""

    service: Name
    ref: Name = Field(description="Branch, tag or commit.", examples=["v1.2.3"])


class Editing(Body):
    """What exactly the open request is to be for instead; it is planned anew and shown to people."""

    request: Name = Field(description="The `id` of the thread's open `request`.")
    digest: Name = Field(description="Its `digest`: what was seen is what is changed.")
    parts: Annotated[list[EditedPart], Field(min_length=1, max_length=200)] | None = Field(
        default=None,
        description="Services in the order in which they go live; those that are not named are "
        "left out. Without it they stay as they are.",
    )
    start: Name | None = Field(
        default=None,
        description="`HH:MM` or `YYYY-MM-DD HH:MM` in the environment's time zone, or `now`. "
        "Without it the start stays as it is.",
    )
    comment: Comment = ""


class Resolution(Body):
    """How a deploy ended that its worker died with, by the word of somebody who has looked."""

    request: Name = Field(description="The `id` of the thread's open `request`.")
    outcome: Literal["succeeded", "failed"]
    comment: Comment = ""


class Ending(Body):
    """Why a thread is to end, if somebody wants to say."""

    reason: Comment = ""


class Locking(Body):
    """What is to become of a lock; without an end it lasts until somebody unlocks."""

    how: Literal["locked", "extended", "handed_over", "taken_over"] = Field(
        default="locked",
        description="Lock it, let the lock last longer, make it somebody else's, or one's own.",
    )
    reason: Comment = Field(default="", description="Shown to whoever wants to deploy there.")
    seconds: Seconds | None = Field(default=None, description="How long, or how much longer.")
    until: Moment | None = Field(default=None, description="Or until when.")
    warn_only: bool = Field(default=False, description="Let deploys go on, and say so.")
    to: Name = Field(default="", description="Whose it is to be, when it is handed over.")


class Forking(Body):
    """Where to fork a thread."""

    at: Number = Field(description="How many of its first events to begin with.")
