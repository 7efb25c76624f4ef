"""Rich text blocks: words of others shown to the letter, since no mark-up is read in them."""

import re
from collections.abc import Iterable
from typing import Any

from deploybot.outbound.slack_text import cut

Json = dict[str, Any]
_TICKED = re.compile(r"`([^`\n]+)`")


def words(text: str, limit: int = 2000, **style: bool) -> Json:
    """Return literal text; `style` is bold, italic, strike or code."""
    element: Json = {"type": "text", "text": cut(text, limit) or " "}
    return element | {"style": style} if style else element


def ticked(text: str, limit: int = 2000, **style: bool) -> list[Json]:
    """Return literal text in which what stands between backticks looks like code."""
    parts = _TICKED.split(cut(text, limit))
    shown = [
        words(part, limit, **{"code": True} if index % 2 else style)
        for index, part in enumerate(parts)
        if part
    ]
    return shown or [words("")]


def person(user: str) -> Json:
    """Return a mention, which notifies."""
    return {"type": "user", "user_id": user}


def section(*elements: Json) -> Json:
    """Return a paragraph."""
    return {"type": "rich_text_section", "elements": list(elements)}


def quote(text: str, limit: int = 1500) -> Json:
    """Return words as a quotation."""
    return {"type": "rich_text_quote", "elements": [words(text, limit)]}


def bullets(items: Iterable[Iterable[Json]]) -> Json:
    """Return a list, each item a row of elements."""
    rows = [section(*item) for item in items]
    return {"type": "rich_text_list", "style": "bullet", "indent": 0, "elements": rows}


def output(lines: Iterable[str], limit: int = 2800) -> Json:
    """Return lines of output as they are, the newest kept when they are too long."""
    text = "\n".join(lines)
    kept = text if len(text) <= limit else "…\n" + text[-limit:].partition("\n")[2]
    return {"type": "rich_text_preformatted", "elements": [words(kept or text[-limit:], limit + 2)]}


def rich(*parts: Json) -> Json:
    """Return the block that holds these parts."""
    return {"type": "rich_text", "elements": list(parts)}
