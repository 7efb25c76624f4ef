"""Paths that deserve a second look: patterns of the configuration, and which files they name."""

import re
from collections.abc import Iterable
from functools import cache
from typing import Annotated

from pydantic import AfterValidator

_PART = re.compile(r"\*\*/|\*\*|\*|\?|[^*?]+")


def _pattern(text: str) -> str:
    if not text or text.startswith("/") or len(text) > 200:
        raise ValueError("a pattern of paths from the repository's root, such as **/migrations/**")
    return text


Pattern = Annotated[str, AfterValidator(_pattern)]
"""`*` and `?` stay within a folder, `**` goes through any number of them."""


def named(paths: Iterable[str], patterns: tuple[str, ...]) -> tuple[str, ...]:
    """Return the paths that one of the patterns names, in their order."""
    if not patterns:
        return ()
    rules = [_rule(pattern) for pattern in patterns]
    return tuple(path for path in paths if any(rule.fullmatch(path) for rule in rules))


@cache
def _rule(pattern: str) -> re.Pattern[str]:
    meanings = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    parts = (meanings.get(part) or re.escape(part) for part in _PART.findall(pattern))
    return re.compile("".join(parts), re.DOTALL)
