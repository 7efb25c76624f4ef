"""Checks blocks and views the way Slack does and gives them their ids; the grammar itself is in `block_kit`."""

from collections.abc import Callable, Iterator
from typing import Any

from pydantic import TypeAdapter, ValidationError
from slack_sdk.errors import SlackObjectFormationError
from slack_sdk.models.blocks import Block as SdkBlock

from deploybot.demo.workspace.block_kit import Block, View
from deploybot.demo.workspace.errors import SlackError
from deploybot.demo.workspace.settings import Json

_BLOCK: TypeAdapter[Any] = TypeAdapter(Block)

IN_MESSAGE = 50
IN_VIEW = 100
# Slack documents no limit on all texts of a message together, and refuses beyond about this.
ALL_TEXTS = 13_200


def checked(blocks: object, new_id: Callable[[], str], most: int = IN_MESSAGE) -> list[Json]:
    """Return the blocks with an id on each block and element, or refuse as Slack would.

    Raises `SlackError` invalid_blocks with one message per fault, each with a JSON pointer,
    invalid_blocks_format when it is not a list of objects, or msg_blocks_too_long.
    """
    if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
        raise SlackError("invalid_blocks_format")
    faults = list(_faults(blocks, most))
    if faults:
        raise SlackError("invalid_blocks", *faults)
    if most == IN_MESSAGE and sum(len(text) for text in texts(blocks)) > ALL_TEXTS:
        raise SlackError("msg_blocks_too_long")
    return [_named(block, new_id) for block in blocks]


def checked_view(view: object, kind: str, new_id: Callable[[], str]) -> Json:
    """Return the view with ids on its blocks, or refuse it with invalid_arguments."""
    if not isinstance(view, dict):
        raise SlackError("invalid_arguments", "view must be an object [json-pointer:/view]")
    try:
        shape = View.model_validate(view)
    except ValidationError as error:
        raise SlackError("invalid_arguments", *_pointed(error, view, "/view")) from None
    if shape.type != kind:
        raise SlackError("invalid_arguments", f"expected a view of type {kind}")
    try:
        blocks = checked(view["blocks"], new_id, IN_VIEW)
    except SlackError as error:
        messages = [message.replace("/blocks", "/view/blocks") for message in error.messages]
        raise SlackError("invalid_arguments", *messages) from None
    if any(block["type"] == "input" for block in blocks) and kind == "modal" and not shape.submit:
        raise SlackError("invalid_arguments", "a modal with inputs must have a submit button")
    return {**view, "blocks": blocks}


def texts(thing: object) -> Iterator[str]:
    """Yield every text within blocks, for limits and for search."""
    if isinstance(thing, dict):
        for key, value in thing.items():
            if key == "text" and isinstance(value, str):
                yield value
            else:
                yield from texts(value)
    elif isinstance(thing, list):
        for part in thing:
            yield from texts(part)


def elements(block: Json) -> Iterator[Json]:
    """Yield the interactive elements of a block."""
    if block["type"] == "actions":
        yield from block["elements"]
    for key in ("accessory", "element"):
        if isinstance(block.get(key), dict) and block[key]["type"] != "image":
            yield block[key]


def find(blocks: list[Json], action_id: str, block_id: str | None = None) -> tuple[Json, Json]:
    """Return the (block, element) that has this action id; raise LookupError without one."""
    for block in blocks:
        if block_id is None or block["block_id"] == block_id:
            for element in elements(block):
                if element["action_id"] == action_id:
                    return block, element
    raise LookupError(action_id)


def _faults(blocks: list[Json], most: int) -> Iterator[str]:
    if len(blocks) > most:
        yield f"no more than {most} items allowed [json-pointer:/blocks]"
        return
    seen: set[str] = set()
    for index, block in enumerate(blocks):
        pointer = f"/blocks/{index}"
        try:
            _BLOCK.validate_python(block)
        except ValidationError as error:
            yield from _pointed(error, block, pointer)
            continue
        yield from _refused_by_sdk(block, pointer)
        if "block_id" in block:
            if block["block_id"] in seen:
                yield f"block_id `{block['block_id']}` already exists [json-pointer:{pointer}]"
            seen.add(block["block_id"])
        ids = [element["action_id"] for element in elements(block) if "action_id" in element]
        for twice in sorted({name for name in ids if ids.count(name) > 1}):
            yield f"action_id `{twice}` already exists [json-pointer:{pointer}]"


def _refused_by_sdk(block: Json, pointer: str) -> Iterator[str]:
    # Slack's own client checks a little that our grammar may not know: both must agree.
    try:
        parsed = SdkBlock.parse(block)
        if parsed is not None:
            parsed.validate_json()
    except SlackObjectFormationError as error:
        yield f"{error} [json-pointer:{pointer}]"


def _pointed(error: ValidationError, value: object, start: str) -> Iterator[str]:
    for fault in error.errors(include_url=False, include_context=False):
        yield f"{fault['msg']} [json-pointer:{_pointer(fault['loc'], value, start)}]"


def _pointer(place: tuple[int | str, ...], value: Any, start: str) -> str:
    # The validator puts the tag of each union into the place; only real steps belong in a pointer.
    pointer = start
    for step in place:
        if isinstance(value, list) and isinstance(step, int):
            value = value[step] if step < len(value) else None
        elif isinstance(value, dict) and step != value.get("type"):
            value = value.get(str(step))
        else:
            continue
        pointer += f"/{step}"
    return pointer


def _named(block: Json, new_id: Callable[[], str]) -> Json:
    named = {**block, "block_id": block.get("block_id") or new_id()}
    if named["type"] == "actions":
        named["elements"] = [_acting(element, new_id) for element in named["elements"]]
    for key in ("accessory", "element"):
        if isinstance(named.get(key), dict) and named[key]["type"] != "image":
            named[key] = _acting(named[key], new_id)
    return named


def _acting(element: Json, new_id: Callable[[], str]) -> Json:
    return {**element, "action_id": element.get("action_id") or new_id()}
