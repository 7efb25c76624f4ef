"""The smallest parts of Block Kit: texts with their limits, confirm dialogs and options; elements are in `block_elements`."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Id = Annotated[str, Field(min_length=1, max_length=255)]
Url = Annotated[str, Field(min_length=1, max_length=3000)]


class Part(BaseModel):
    """Any object of Block Kit: no keys but its own, and nothing converted."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


def bounded(longest: int) -> Any:
    """Return the bounds of a text that may not be empty."""
    return Field(min_length=1, max_length=longest)


class Plain(Part):
    """Text shown as it is."""

    type: Literal["plain_text"]
    text: str = bounded(3000)
    emoji: bool | None = None


class Markdown(Part):
    """Text with Slack's own mark-up."""

    type: Literal["mrkdwn"]
    text: str = bounded(3000)
    verbatim: bool | None = None


Text = Annotated[Plain | Markdown, Field(discriminator="type")]


class Short(Part):
    """Plain text whose length the heir says."""

    type: Literal["plain_text"]
    emoji: bool | None = None


class Plain24(Short):
    """A title or a button of a modal."""

    text: str = bounded(24)


class Plain30(Short):
    """A button of a confirm dialog."""

    text: str = bounded(30)


class Plain75(Short):
    """A button or an option."""

    text: str = bounded(75)


class Plain100(Short):
    """A confirm dialog's title."""

    text: str = bounded(100)


class Plain150(Short):
    """A header or a placeholder."""

    text: str = bounded(150)


class Plain2000(Short):
    """A label or a hint."""

    text: str = bounded(2000)


class Confirm(Part):
    """The question asked before an action is sent."""

    title: Plain100
    text: Annotated[Plain | Markdown, Field(discriminator="type")]
    confirm: Plain30
    deny: Plain30
    style: Literal["primary", "danger"] | None = None


class Option(Part):
    """One choice of a select, radio or checkbox element."""

    text: Text
    value: str = bounded(150)
    description: Text | None = None
    url: Url | None = None


class OptionGroup(Part):
    """Choices under a heading."""

    label: Plain75
    options: list[Option] = Field(min_length=1, max_length=100)
