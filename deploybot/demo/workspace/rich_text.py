"""The grammar of rich text: paragraphs, lists, quotations and code, and what stands in them; blocks are in `block_kit`."""

from typing import Annotated, Literal

from pydantic import Field

from deploybot.demo.workspace.block_texts import Part, Url


class Style(Part):
    """How a piece of text looks."""

    bold: bool | None = None
    italic: bool | None = None
    strike: bool | None = None
    code: bool | None = None
    underline: bool | None = None
    highlight: bool | None = None
    client_highlight: bool | None = None
    unlink: bool | None = None


class _Piece(Part):
    style: Style | None = None


class TextPiece(_Piece):
    """Words, to the letter."""

    type: Literal["text"]
    text: str = Field(min_length=1)


class LinkPiece(_Piece):
    """An address, with words of its own or none."""

    type: Literal["link"]
    url: Url
    text: str | None = None
    unsafe: bool | None = None


class UserPiece(_Piece):
    """A person, who is notified."""

    type: Literal["user"]
    user_id: str = Field(min_length=1)


class GroupPiece(_Piece):
    """A group of people, who are notified."""

    type: Literal["usergroup"]
    usergroup_id: str = Field(min_length=1)


class ChannelPiece(_Piece):
    """A channel."""

    type: Literal["channel"]
    channel_id: str = Field(min_length=1)


class EmojiPiece(_Piece):
    """An emoji by name."""

    type: Literal["emoji"]
    name: str = Field(min_length=1)
    unicode: str | None = None
    skin_tone: int | None = None


class BroadcastPiece(_Piece):
    """Everybody, who are notified."""

    type: Literal["broadcast"]
    range: Literal["here", "channel", "everyone"]


class DatePiece(_Piece):
    """A moment, shown in the reader's time zone."""

    type: Literal["date"]
    timestamp: int
    format: str = Field(min_length=1)
    url: Url | None = None
    fallback: str | None = None


class ColorPiece(_Piece):
    """A colour swatch."""

    type: Literal["color"]
    value: str = Field(min_length=1)


Piece = Annotated[
    TextPiece
    | LinkPiece
    | UserPiece
    | GroupPiece
    | ChannelPiece
    | EmojiPiece
    | BroadcastPiece
    | DatePiece
    | ColorPiece,
    Field(discriminator="type"),
]


class RichSection(Part):
    """A paragraph."""

    type: Literal["rich_text_section"]
    elements: list[Piece]


class RichList(Part):
    """A list of paragraphs."""

    type: Literal["rich_text_list"]
    style: Literal["bullet", "ordered"]
    elements: list[RichSection] = Field(min_length=1)
    indent: Annotated[int, Field(ge=0, le=8)] | None = None
    offset: Annotated[int, Field(ge=0)] | None = None
    border: Annotated[int, Field(ge=0, le=1)] | None = None


class RichQuote(Part):
    """A quotation."""

    type: Literal["rich_text_quote"]
    elements: list[Piece]
    border: Annotated[int, Field(ge=0, le=1)] | None = None


class RichCode(Part):
    """Lines as they are."""

    type: Literal["rich_text_preformatted"]
    elements: list[Annotated[TextPiece | LinkPiece, Field(discriminator="type")]]
    border: Annotated[int, Field(ge=0, le=1)] | None = None
    language: str | None = None


Paragraph = Annotated[RichSection | RichList | RichQuote | RichCode, Field(discriminator="type")]
