"""What whoever clicked had before their eyes, by the bot's own card or dialog; believing it is others' matter."""

from typing import Any

from deploybot.errors import InboundError
from deploybot.inbound.slack_buttons import Reference
from deploybot.inbound.slack_payloads import Json


def shown_in(payload: Json) -> Reference | None:
    """Return what the clicked button, or the dialog that was sent off, carries about a request, if it does."""
    view = payload.get("view")
    pressed = payload.get("actions")
    if isinstance(pressed, list) and pressed:
        return _reference(pressed[0], "value")
    return _reference(view, "private_metadata")


def _reference(part: Any, field: str) -> Reference | None:
    carried = part.get(field) if isinstance(part, dict) else None
    if not isinstance(carried, str):
        return None
    try:
        return Reference.loads(carried)
    except InboundError:
        return None
