"""Slack's message text as a person reads it: entities undone, mentions by name; the rest is `slack`'s."""

import re
from collections.abc import Callable

_MARKUP = re.compile(r"<([^<>]*)>|&(amp|lt|gt);")
_ENTITY = re.compile(r"&(amp|lt|gt);")
_CHARACTER = {"amp": "&", "lt": "<", "gt": ">"}


def without_address(text: str, bot_user: str) -> str:
    """Return the text without the mentions of the bot that it begins with."""
    if not bot_user:
        return text.strip()
    return re.sub(rf"^(?:\s*<@{re.escape(bot_user)}(?:\|[^>]*)?>[\s:,]*)+", "", text).strip()


def mentions(text: str, user: str) -> bool:
    """Tell whether the text names this user."""
    return bool(user) and (f"<@{user}>" in text or f"<@{user}|" in text)


def readable(text: str, name_of: Callable[[str], str]) -> str:
    """Return the text with mentions as `@name`, links as they were typed, and entities undone."""
    return _MARKUP.sub(lambda found: _read(found, name_of), text)


def _read(found: re.Match[str], name_of: Callable[[str], str]) -> str:
    if found[2]:
        return _CHARACTER[found[2]]
    return _ENTITY.sub(lambda entity: _CHARACTER[entity[1]], _shown(found[1], name_of))


def _shown(token: str, name_of: Callable[[str], str]) -> str:
    target, _, label = token.partition("|")
    match target[:1]:
        case "@":
            return f"@{name_of(target[1:])}"
        case "#":
            return f"#{label or target[1:]}"
        case "!":
            return _special(target[1:], label)
        case _:
            return _link(target, label)


def _special(target: str, label: str) -> str:
    kind = target.partition("^")[0]
    if kind in {"date", "subteam"}:
        return label or target
    return label or f"@{kind}"


def _link(url: str, label: str) -> str:
    address = url.removeprefix("mailto:")
    typed = re.sub(r"^https?://", "", address).rstrip("/")
    if not label or label.rstrip("/") in {address.rstrip("/"), typed}:
        return label or address
    return f"{label} ({address})"
