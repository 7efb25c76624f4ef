"""The elements of Block Kit that people click, choose in and type into; the blocks around them are in `block_kit`."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from deploybot.demo.workspace.block_texts import (
    Confirm,
    Id,
    Markdown,
    Option,
    OptionGroup,
    Part,
    Plain,
    Plain75,
    Plain150,
    Url,
    bounded,
)


class _Element(Part):
    action_id: Id | None = None


class _Confirmed(_Element):
    confirm: Confirm | None = None


class Button(_Confirmed):
    """A button; with `url` it also opens a page."""

    type: Literal["button"]
    text: Plain75
    value: Annotated[str, Field(max_length=2000)] | None = None
    url: Url | None = None
    style: Literal["primary", "danger"] | None = None
    accessibility_label: Annotated[str, Field(max_length=75)] | None = None


class Overflow(_Confirmed):
    """A small menu behind three dots."""

    type: Literal["overflow"]
    options: list[Option] = Field(min_length=1, max_length=5)


class _Focused(_Confirmed):
    focus_on_load: bool | None = None


class _Listed(_Focused):
    placeholder: Plain150 | None = None
    options: list[Option] | None = Field(default=None, min_length=1, max_length=100)
    option_groups: list[OptionGroup] | None = Field(default=None, min_length=1, max_length=100)

    @model_validator(mode="after")
    def _one_list(self) -> Self:
        if (self.options is None) == (self.option_groups is None):
            raise ValueError("must have either options or option_groups")
        return self


class StaticSelect(_Listed):
    """A menu with one choice."""

    type: Literal["static_select"]
    initial_option: Option | None = None


class MultiStaticSelect(_Listed):
    """A menu with several choices."""

    type: Literal["multi_static_select"]
    initial_options: list[Option] | None = None
    max_selected_items: Annotated[int, Field(ge=1)] | None = None


class UsersSelect(_Focused):
    """A menu of the workspace's people."""

    type: Literal["users_select"]
    placeholder: Plain150 | None = None
    initial_user: str | None = None


class Radio(_Focused):
    """Choices of which one holds."""

    type: Literal["radio_buttons"]
    options: list[Option] = Field(min_length=1, max_length=10)
    initial_option: Option | None = None


class Checkboxes(_Focused):
    """Choices of which any may hold."""

    type: Literal["checkboxes"]
    options: list[Option] = Field(min_length=1, max_length=10)
    initial_options: list[Option] | None = Field(default=None, min_length=1)


class DatePicker(_Focused):
    """A day, `YYYY-MM-DD`."""

    type: Literal["datepicker"]
    placeholder: Plain150 | None = None
    initial_date: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")] | None = None


class TimePicker(_Focused):
    """A time of day, `HH:mm`."""

    type: Literal["timepicker"]
    placeholder: Plain150 | None = None
    initial_time: Annotated[str, Field(pattern=r"^\d{2}:\d{2}$")] | None = None
    timezone: str | None = None


class _Typed(_Element):
    placeholder: Plain150 | None = None
    initial_value: Annotated[str, Field(max_length=3000)] | None = None
    focus_on_load: bool | None = None
    dispatch_action_config: dict[str, Any] | None = None


class PlainInput(_Typed):
    """A line, or with `multiline` an area, of text."""

    type: Literal["plain_text_input"]
    multiline: bool | None = None
    min_length: Annotated[int, Field(ge=0, le=3000)] | None = None
    max_length: Annotated[int, Field(ge=1, le=3000)] | None = None


class AddressInput(_Typed):
    """A web or mail address."""

    type: Literal["url_text_input", "email_text_input"]


class NumberInput(_Typed):
    """A number."""

    type: Literal["number_input"]
    is_decimal_allowed: bool
    min_value: str | None = None
    max_value: str | None = None


class ImageElement(Part):
    """A small picture; the page shows its alternative text."""

    type: Literal["image"]
    image_url: Url
    alt_text: str = bounded(2000)


Menu = StaticSelect | MultiStaticSelect | UsersSelect
Choice = Radio | Checkboxes | DatePicker | TimePicker
Clickable = Annotated[Button | Overflow | Menu | Choice, Field(discriminator="type")]
Accessory = Annotated[Button | Overflow | Menu | Choice | ImageElement, Field(discriminator="type")]
Entry = Annotated[
    Menu | Choice | PlainInput | AddressInput | NumberInput, Field(discriminator="type")
]
Remark = Annotated[Plain | Markdown | ImageElement, Field(discriminator="type")]
