"""What blocks Slack would refuse: each fault with its pointer, also those its own client lets through."""

import itertools
from typing import Any

import pytest

from deploybot.demo.workspace.blocks import checked, checked_view
from deploybot.demo.workspace.errors import SlackError


def plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text}


def mrkdwn(text: str) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": text}


def button(**more: Any) -> dict[str, Any]:
    return {"type": "button", "action_id": "a", "text": plain("Go"), **more}


def section(text: str = "x", **more: Any) -> dict[str, Any]:
    return {"type": "section", "text": mrkdwn(text), **more}


def actions(*elements: dict[str, Any]) -> dict[str, Any]:
    return {"type": "actions", "elements": list(elements)}


def ids():
    counter = itertools.count()
    return lambda: f"id{next(counter)}"


OPTION = {"text": plain("One"), "value": "1"}

GOOD = [
    section(),
    section(accessory=button(url="https://example.test/")),
    section(accessory={"type": "image", "image_url": "https://example.test/a", "alt_text": "a"}),
    {"type": "section", "fields": [mrkdwn("*a*\nb"), plain("c")]},
    {"type": "header", "text": plain("Title")},
    {"type": "divider"},
    {"type": "context", "elements": [mrkdwn("a"), plain("b")]},
    actions(button(style="primary"), button(action_id="b", style="danger", value="v")),
    actions({"type": "static_select", "options": [OPTION], "placeholder": plain("Pick")}),
    actions({"type": "radio_buttons", "options": [OPTION], "initial_option": OPTION}),
    actions({"type": "overflow", "options": [OPTION]}),
    {
        "type": "input",
        "label": plain("Why"),
        "element": {"type": "plain_text_input", "multiline": True, "max_length": 300},
    },
    {"type": "image", "image_url": "https://example.test/a.png", "alt_text": "A graph"},
    {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": []}]},
    {"type": "markdown", "text": "**bold**"},
]


@pytest.mark.parametrize("block", GOOD, ids=lambda block: block["type"])
def test_a_good_block_is_kept_and_named(block):
    kept = checked([block], ids())[0]

    assert kept["block_id"] == "id0"
    assert {key: kept[key] for key in block if key not in {"elements", "element", "accessory"}} == {
        key: block[key] for key in block if key not in {"elements", "element", "accessory"}
    }


def test_elements_without_an_action_id_get_one():
    kept = checked([actions({"type": "overflow", "options": [OPTION]})], ids())[0]

    assert kept["elements"][0]["action_id"] == "id1"


BAD = {
    "51 blocks": ([{"type": "divider"}] * 51, "/blocks"),
    "unknown type": ([{"type": "carousel"}], "/blocks/0"),
    "no type": ([{"text": "x"}], "/blocks/0"),
    "unknown key": ([section(colour="red")], "/blocks/0/colour"),
    "unknown key inside": ([section(accessory=button(color="red"))], "/blocks/0/accessory/color"),
    "empty text": ([section("")], "/blocks/0/text/text"),
    "long text": ([section("x" * 3001)], "/blocks/0/text/text"),
    "long field": ([{"type": "section", "fields": [mrkdwn("x" * 2001)]}], "/blocks/0/fields/0"),
    "no text, no fields": ([{"type": "section"}], "/blocks/0"),
    "11 fields": ([{"type": "section", "fields": [mrkdwn("x")] * 11}], "/blocks/0/fields"),
    "button in mrkdwn": ([actions(button(text=mrkdwn("x")))], "/blocks/0/elements/0/text/type"),
    "long button": ([actions(button(text=plain("x" * 76)))], "/blocks/0/elements/0/text/text"),
    "long value": ([actions(button(value="x" * 2001))], "/blocks/0/elements/0/value"),
    "style": ([actions(button(style="green"))], "/blocks/0/elements/0/style"),
    "no elements": ([actions()], "/blocks/0/elements"),
    "26 elements": (
        [actions(*[button(action_id=str(n)) for n in range(26)])],
        "/blocks/0/elements",
    ),
    "same action_id": ([actions(button(), button())], "/blocks/0"),
    "same block_id": ([section(block_id="b"), section(block_id="b")], "/blocks/1"),
    "input among actions": (
        [actions({"type": "plain_text_input", "action_id": "x"})],
        "/blocks/0/elements/0",
    ),
    "header in mrkdwn": ([{"type": "header", "text": mrkdwn("x")}], "/blocks/0/text/type"),
    "long header": ([{"type": "header", "text": plain("x" * 151)}], "/blocks/0/text/text"),
    "11 remarks": ([{"type": "context", "elements": [plain("x")] * 11}], "/blocks/0/elements"),
    "no options": (
        [actions({"type": "static_select", "action_id": "s"})],
        "/blocks/0/elements/0",
    ),
    "number as text": ([{"type": "section", "text": 3}], "/blocks/0/text"),
}


@pytest.mark.parametrize(("blocks", "pointer"), BAD.values(), ids=BAD.keys())
def test_a_bad_block_is_refused_with_a_pointer_to_the_fault(blocks, pointer):
    with pytest.raises(SlackError) as caught:
        checked(blocks, ids())

    assert caught.value.code == "invalid_blocks"
    assert any(f"[json-pointer:{pointer}" in message for message in caught.value.messages), (
        caught.value.messages
    )


def test_blocks_that_are_no_list_of_objects_are_refused():
    for wrong in ({}, "x", [1], 3):
        with pytest.raises(SlackError, match="invalid_blocks_format"):
            checked(wrong, ids())


def test_a_modal_needs_a_title_and_with_inputs_a_submit():
    entry = {
        "type": "input",
        "label": plain("Why"),
        "element": {"type": "plain_text_input"},
    }
    whole = {"type": "modal", "title": plain("T"), "submit": plain("Go"), "blocks": [entry]}

    assert checked_view(whole, "modal", ids())["blocks"][0]["element"]["action_id"] == "id1"
    for missing in ("title", "submit"):
        with pytest.raises(SlackError, match="invalid_arguments"):
            checked_view({k: v for k, v in whole.items() if k != missing}, "modal", ids())
    with pytest.raises(SlackError, match="invalid_arguments") as caught:
        checked_view({**whole, "blocks": [section("")]}, "modal", ids())
    assert "/view/blocks/0/text/text" in caught.value.messages[0]
