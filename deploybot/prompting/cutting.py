"""What is too long for a model, cut in the middle, saying how much is missing there."""

from collections.abc import Sequence
from typing import Any

LONGEST_TEXT = 3000
LONGEST_LIST = 30


def cut(value: Any) -> Any:
    """Return the value as plain JSON, its long texts and lists cut at any depth."""
    match value:
        case str():
            return _text(value)
        case list() | tuple():
            return [cut(item) for item in _items(value)]
        case dict():
            return {_text(str(key)): cut(item) for key, item in value.items()}
        case None | bool() | int() | float():
            return value
        case _:
            return _text(str(value))


def _text(text: str) -> str:
    if len(text) <= LONGEST_TEXT:
        return text
    half = LONGEST_TEXT // 2
    return f"{text[:half]}\n… {len(text) - 2 * half} characters left out …\n{text[-half:]}"


def _items(items: Sequence[Any]) -> Sequence[Any]:
    if len(items) <= LONGEST_LIST:
        return items
    half = LONGEST_LIST // 2
    return (*items[:half], f"… {len(items) - 2 * half} left out …", *items[-half:])
