"""What a person chose or typed, as Slack's payloads say it; the checks are those of Slack's own client."""

from typing import Any

from deploybot.demo.workspace.blocks import elements
from deploybot.demo.workspace.settings import Json

_SIMPLE = {
    "plain_text_input": ("value", "initial_value"),
    "url_text_input": ("value", "initial_value"),
    "email_text_input": ("value", "initial_value"),
    "number_input": ("value", "initial_value"),
    "datepicker": ("selected_date", "initial_date"),
    "timepicker": ("selected_time", "initial_time"),
    "users_select": ("selected_user", "initial_user"),
}
_ONE = {"static_select", "radio_buttons", "overflow"}
_MANY = {"multi_static_select", "checkboxes"}


class NotAChoiceError(ValueError):
    """The value is none of the element's options; nothing was sent."""


def chosen(element: Json, value: object) -> Json:
    """Return how a payload says that `value` was chosen in this element.

    For one choice `value` is the option's value, for several a list of them, else the text.
    """
    kind = element["type"]
    if kind in _ONE:
        return {"type": kind, "selected_option": _option(element, value)}
    if kind in _MANY:
        values = value if isinstance(value, list) else [value]
        return {"type": kind, "selected_options": [_option(element, one) for one in values]}
    key, _ = _SIMPLE[kind]
    return {"type": kind, key: value}


def untouched(element: Json) -> Json:
    """Return how a payload says that a person left this element as it was."""
    kind = element["type"]
    if kind in _ONE:
        return {"type": kind, "selected_option": element.get("initial_option")}
    if kind in _MANY:
        return {"type": kind, "selected_options": element.get("initial_options") or []}
    key, initial = _SIMPLE[kind]
    return {"type": kind, key: element.get(initial)}


def pressed(block: Json, element: Json, value: object, ts: str) -> Json:
    """Return one entry of `actions`: what was clicked or chosen."""
    ids = {"action_id": element["action_id"], "block_id": block["block_id"], "action_ts": ts}
    if element["type"] != "button":
        return {**chosen(element, value), **ids}
    copied = ("type", "text", "value", "style", "url", "confirm")
    return {**{key: element[key] for key in copied if key in element}, **ids}


def filled(blocks: list[Json], values: dict[str, Any]) -> tuple[Json, dict[str, str]]:
    """Return (`state.values`, what Slack's client would not accept, by block id).

    `values` names entries by action id or block id.
    """
    state: Json = {}
    faults: dict[str, str] = {}
    for block in blocks:
        for element in elements(block):
            if element["type"] == "button":
                continue
            name = next((n for n in (element["action_id"], block["block_id"]) if n in values), None)
            answer = untouched(element) if name is None else chosen(element, values[name])
            state.setdefault(block["block_id"], {})[element["action_id"]] = answer
            fault = _fault(block, element, answer)
            if fault:
                faults[block["block_id"]] = fault
    return state, faults


def _fault(block: Json, element: Json, answer: Json) -> str | None:
    if block["type"] != "input":
        return None
    given = next(value for key, value in answer.items() if key != "type")
    if given in (None, "", []):
        return None if block.get("optional") else "Please complete this required field."
    if element["type"] == "plain_text_input":
        if len(given) < element.get("min_length", 0):
            return f"Please enter at least {element['min_length']} characters."
        if len(given) > element.get("max_length", 3000):
            return f"Please enter at most {element.get('max_length', 3000)} characters."
    return None


def _option(element: Json, value: object) -> Json:
    groups = element.get("option_groups") or [{"options": element.get("options", [])}]
    for group in groups:
        for option in group["options"]:
            if option["value"] == value:
                return {"text": option["text"], "value": option["value"]}
    raise NotAChoiceError(f"{value!r} is none of the options.")
