"""The default rendering: entries as tags named by what happened, with YAML bodies; and back.

What is shown of an event, and what is not, is decided in `entries`; how values are written, and
what is escaped in them, in `values`.
"""

import re
from collections.abc import Iterable

import yaml

from deploybot.prompting import values
from deploybot.prompting.shown import Entry, Shown

_ENTRY = re.compile(r"<([a-z0-9_-]+)>\n(.*?)</\1>", re.DOTALL)


def one(shown: Shown) -> str:
    """Return one entry as a tag."""
    return f"<{shown.tag}>\n{values.block(shown.body)}</{shown.tag}>"


def text(shown: Iterable[Shown]) -> str:
    """Return the entries as tags, one after the other."""
    return "\n\n".join(map(one, shown))


def parse(text: str) -> tuple[Entry, ...]:
    """Return the entries that the text was made of."""
    return tuple(
        (match[1], yaml.safe_load(match[2]) if match[2].strip() else {})
        for match in _ENTRY.finditer(text)
    )
