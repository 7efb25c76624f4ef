"""What is too long for a model, cut in the middle, saying how much is missing there."""

from collections.abc import Sequence
from typing import Any

from deploybot.prompting.words import Words

LONGEST_TEXT = 3000
LONGEST_LIST = 30


def cut(value: Any, words: Words) -> Any:
    """Return the value as plain JSON, its long texts and lists cut at any depth."""
    if _is_short(value):
        return value
    match value:
        case list() | tuple():
            return [cut(item, words) for item in _items(value, words)]
        case dict():
            return {
                key if _is_short(key) else text(str(key), words): cut(item, words)
                for key, item in value.items()
            }
        case None | bool() | int() | float():
            return value
        case _:
            return text(str(value), words)


def _is_short(value: Any) -> bool:
    return type(value) is str and len(value) <= LONGEST_TEXT


def text(value: str, words: Words, longest: int = LONGEST_TEXT) -> str:
    """Return the text, or its head and tail with what is said of the rest between them."""
    if len(value) <= longest:
        return value
    half = longest // 2
    return f"{value[:half]}\n{words.say('letters', len(value) - 2 * half)}\n{value[-half:]}"


def _items(items: Sequence[Any], words: Words) -> Sequence[Any]:
    if len(items) <= LONGEST_LIST:
        return items
    half = LONGEST_LIST // 2
    return (*items[:half], words.say("items", len(items) - 2 * half), *items[-half:])
