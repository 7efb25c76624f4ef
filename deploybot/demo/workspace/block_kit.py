"""The blocks and views of Block Kit, as models that know every key and limit; checks across blocks are in `blocks`."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from deploybot.demo.workspace.block_elements import Accessory, Clickable, Entry, Remark
from deploybot.demo.workspace.block_texts import (
    Id,
    Part,
    Plain24,
    Plain150,
    Plain2000,
    Short,
    Text,
    Url,
    bounded,
)
from deploybot.demo.workspace.rich_text import Paragraph


class _Block(Part):
    block_id: Id | None = None


class FieldPlain(Short):
    """A cell of a section, as plain text."""

    text: str = bounded(2000)


class FieldMarkdown(Part):
    """A cell of a section, with mark-up."""

    type: Literal["mrkdwn"]
    text: str = bounded(2000)
    verbatim: bool | None = None


class Section(_Block):
    """Text, cells, and one element beside them."""

    type: Literal["section"]
    text: Text | None = None
    fields: list[Annotated[FieldPlain | FieldMarkdown, Field(discriminator="type")]] | None = Field(
        default=None, min_length=1, max_length=10
    )
    accessory: Accessory | None = None
    expand: bool | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.text is None and self.fields is None:
            raise ValueError("must have text or fields")
        return self


class Header(_Block):
    """A heading."""

    type: Literal["header"]
    text: Plain150


class Divider(_Block):
    """A line across."""

    type: Literal["divider"]


class Context(_Block):
    """Small print."""

    type: Literal["context"]
    elements: list[Remark] = Field(min_length=1, max_length=10)


class Actions(_Block):
    """Elements that people click."""

    type: Literal["actions"]
    elements: list[Clickable] = Field(min_length=1, max_length=25)


class Input(_Block):
    """One entry of a form."""

    type: Literal["input"]
    label: Plain2000
    element: Entry
    hint: Plain2000 | None = None
    optional: bool | None = None
    dispatch_action: bool | None = None


class Image(_Block):
    """A picture; the page shows its alternative text."""

    type: Literal["image"]
    image_url: Url
    alt_text: str = bounded(2000)
    title: Plain2000 | None = None


class RichText(_Block):
    """Formatted text as Slack's own composer makes it."""

    type: Literal["rich_text"]
    elements: list[Paragraph] = Field(min_length=1)


class MarkdownBlock(_Block):
    """Standard markdown."""

    type: Literal["markdown"]
    text: str = bounded(12000)


Block = Annotated[
    Section | Header | Divider | Context | Actions | Input | Image | RichText | MarkdownBlock,
    Field(discriminator="type"),
]


class View(Part):
    """A modal, or the Home of the app."""

    type: Literal["modal", "home"]
    blocks: list[dict[str, Any]] = Field(min_length=0, max_length=100)
    title: Plain24 | None = None
    submit: Plain24 | None = None
    close: Plain24 | None = None
    private_metadata: Annotated[str, Field(max_length=3000)] | None = None
    callback_id: Annotated[str, Field(max_length=255)] | None = None
    external_id: Annotated[str, Field(max_length=255)] | None = None
    clear_on_close: bool | None = None
    notify_on_close: bool | None = None
    submit_disabled: bool | None = None

    @model_validator(mode="after")
    def _modal_has_a_title(self) -> Self:
        if self.type == "modal" and self.title is None:
            raise ValueError("a modal must have a title")
        return self
