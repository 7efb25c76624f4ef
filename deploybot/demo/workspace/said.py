"""What a person types, as Slack stores it: escaped, mentions and links marked, and the rich text block beside it."""

import html
import re
from collections.abc import Iterator

from deploybot.demo.workspace.settings import Json

_TOKEN = re.compile(
    r"<@(?P<user>[UW][A-Z0-9]+)>"
    r"|<#(?P<channel>[CG][A-Z0-9]+)(?:\|[^>]*)?>"
    r"|<!(?P<range>here|channel|everyone)>"
    r"|@(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)"
    r"|#(?P<room>[a-z0-9][a-z0-9_-]*)"
    r"|(?P<link>https?://[^\s<>|]+)"
)


def marked(text: str, names: dict[str, str], rooms: dict[str, str]) -> tuple[str, Json]:
    """Return (text as stored, its rich_text block).

    `names` maps a name to a user id and `rooms` a channel name to its id; a name nobody has
    stays text. Code is left alone.
    """
    parts: list[Json] = []
    stored: list[str] = []
    for part in _parts(text, names, rooms):
        parts.append(part)
        stored.append(_stored(part))
    section = {"type": "rich_text_section", "elements": parts or [{"type": "text", "text": ""}]}
    return "".join(stored), {"type": "rich_text", "elements": [section]}


def _stored(part: Json) -> str:
    match part["type"]:
        case "user":
            return f"<@{part['user_id']}>"
        case "channel":
            return f"<#{part['channel_id']}|>"
        case "broadcast":
            return f"<!{part['range']}>"
        case "link":
            return f"<{html.escape(part['url'], quote=False)}>"
        case _:
            return html.escape(str(part["text"]), quote=False)


def _parts(text: str, names: dict[str, str], rooms: dict[str, str]) -> Iterator[Json]:
    for index, piece in enumerate(re.split(r"(```.*?```|`[^`\n]+`)", text, flags=re.DOTALL)):
        if index % 2:
            yield {"type": "text", "text": piece}
        else:
            yield from _outside_code(piece, names, rooms)


def _outside_code(text: str, names: dict[str, str], rooms: dict[str, str]) -> Iterator[Json]:
    done = 0
    for found in _TOKEN.finditer(text):
        start, end = found.span()
        element = _element(found, names, rooms)
        glued = start > 0 and text[start - 1].isalnum() and found["link"] is None
        if element is None or (glued and text[start] in "@#"):
            continue
        if found["link"]:
            url = found["link"].rstrip(".,;:!?)'\"")
            element, end = {"type": "link", "url": url}, start + len(url)
        if found["name"]:
            # A sentence may end right after a name.
            end = start + 1 + len(found["name"].rstrip("."))
        if start > done:
            yield {"type": "text", "text": text[done:start]}
        yield element
        done = end
    if done < len(text):
        yield {"type": "text", "text": text[done:]}


def _element(found: re.Match[str], names: dict[str, str], rooms: dict[str, str]) -> Json | None:
    if user := found["user"] or names.get((found["name"] or "").rstrip(".").lower()):
        return {"type": "user", "user_id": user}
    if found["name"] in {"here", "channel", "everyone"}:
        return {"type": "broadcast", "range": found["name"]}
    if channel := found["channel"] or rooms.get(found["room"] or ""):
        return {"type": "channel", "channel_id": channel}
    if found["range"]:
        return {"type": "broadcast", "range": found["range"]}
    return {"type": "link"} if found["link"] else None
