"""Text for Slack: foreign words made harmless, cut to Slack's limits; blocks are drawn elsewhere."""

import re
import unicodedata
from datetime import UTC, datetime

_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-_])")
_INVISIBLE = {"Cc", "Cf", "Cs"}
_BREAKS = {"\r\n": "\n", "\r": "\n", "\u2028": "\n", "\u2029": "\n", "\x85": "\n"}
_BREAK = re.compile("\r\n|[\r\u2028\u2029\x85]")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_SIGNS = re.compile("[✅❌⚠⌛♻💬🟢❓⏳❗]\ufe0f? ?")
"""What plain code marks its facts with."""


def clean(text: str) -> str:
    """Return the text without what cannot be seen: control, bidi, zero-width, terminal colours."""
    text = _BREAK.sub(lambda found: _BREAKS[found[0]], _ANSI.sub("", text))
    if text.isascii() and text.isprintable():
        return text
    return "".join(c for c in text if c in "\n\t" or unicodedata.category(c) not in _INVISIBLE)


def unsigned(text: str) -> str:
    """Return a model's words without the signs of facts: nobody is to take its word for plain code's."""
    return _SIGNS.sub("", text)


def cut(text: str, limit: int) -> str:
    """Return the cleaned text in at most `limit` characters, "…" for what is missing."""
    text = clean(text)
    return text if len(text) <= limit else f"{text[: limit - 1].rstrip()}…"


def line(text: str, limit: int) -> str:
    """Return the text on one line, in at most `limit` characters."""
    return cut(" ".join(clean(text).split()), limit)


def escape(text: str, limit: int = 3000) -> str:
    """Return the text for Slack's mark-up, in at most `limit` characters once escaped.

    No mention, link or entity survives; `*`, `_`, `~` and backticks have no escape in Slack, so
    words of strangers belong in rich text (`slack_rich`), not here.
    """
    text = clean(text)
    escaped = "".join(_ENTITIES.get(c, c) for c in text)
    if len(escaped) <= limit:
        return escaped
    kept, length = [], 1
    for c in text:
        entity = _ENTITIES.get(c, c)
        length += len(entity)
        if length > limit:
            break
        kept.append(entity)
    return "".join(kept).rstrip() + "…"


def code(text: str, limit: int = 200) -> str:
    """Return the text as inline code of Slack's mark-up."""
    inner = line(text, limit).replace("`", "\u02cb")
    return f"`{escape(inner, limit * 5) or ' '}`"


def moment(at: datetime, style: str = "{time}", *, seconds: bool = False) -> str:
    """Return a time that Slack shows in the reader's own zone, with UTC where it cannot."""
    at = at.astimezone(UTC)
    day = f"{at.day} {at:%b} " if "date" in style else ""
    written = f"{day}{at:%H:%M:%S}" if seconds else f"{day}{at:%H:%M}"
    return f"<!date^{int(at.timestamp())}^{style}|{written} UTC>"
