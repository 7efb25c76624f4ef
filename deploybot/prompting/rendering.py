"""Text that a model reads, and back: entries as tags named by what happened, with YAML bodies.

No text from outside can open or close a tag, nor hide: strings with `<`, `>`, `&` or characters that
nobody sees stand in double quotes with those characters escaped. What is shown of an event, and
what is not, is decided in `entries`.
"""

import re
import unicodedata
from typing import Any

import yaml
from yaml.representer import SafeRepresenter

from deploybot.prompting.entries import Entry, entries
from deploybot.thread import Thread

_ENTRY = re.compile(r"<([a-z0-9_-]+)>\n(.*?)</\1>", re.DOTALL)
_MARKUP = frozenset("<>&")
_PLAIN = re.compile(r"[ -%'-;=?-~]*")
"""Text that is ASCII, can be seen and holds no markup: most of it."""
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"})
"""Unicode categories that print nothing, or turn the text around: control, bidi, odd spaces, …"""

_QUICK: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def render(thread: Thread) -> str:
    """Return the thread as a model reads it."""
    return as_text(entries(thread))


def as_text(shown: tuple[Entry, ...]) -> str:
    """Return the entries as tags, one after the other."""
    return "\n\n".join(f"<{tag}>\n{_yaml(body)}</{tag}>" for tag, body in shown)


def parse(text: str) -> tuple[Entry, ...]:
    """Return the entries that the text was made of; the inverse of `as_text`."""
    return tuple(
        (match[1], yaml.safe_load(match[2]) if match[2].strip() else {})
        for match in _ENTRY.finditer(text)
    )


class _Values(SafeRepresenter):
    """YAML in which a string that holds more than meets the eye is always quoted."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _string(values: SafeRepresenter, text: str) -> yaml.ScalarNode:
    plain = _PLAIN.fullmatch(text) or not any(map(_must_be_escaped, text))
    style = None if plain else '"'
    return values.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Values.add_representer(str, _string)


def _yaml(body: Any) -> str:
    """Return the body in block style, and the rows in it on a line each."""
    if body == {}:
        return ""
    values = _Values(default_flow_style=None, sort_keys=False)  # type: ignore[arg-type] # None: leaves only
    node = values.represent_data(body)
    if isinstance(node, yaml.CollectionNode):
        node.flow_style = False
    text = _emitted(node, _QUICK)
    if "\\U" in text:  # the quick one escapes what people can well see, such as emoji
        text = _emitted(node, yaml.SafeDumper)
    text = text.removesuffix("...\n")  # ends a lone scalar; the closing tag does that here
    if _PLAIN.fullmatch(text.replace("\n", "")):
        return text
    # Whatever must be escaped stands in a double-quoted scalar by now, where \u is understood.
    return "".join(_escaped(char) if char != "\n" else char for char in text)


def _emitted(node: yaml.Node, dumper: Any) -> str:
    text: str = yaml.serialize(
        node,
        Dumper=dumper,
        allow_unicode=True,
        width=10**9,  # a folded line would be one more way to hide something
    )
    return text


def _must_be_escaped(char: str) -> bool:
    if " " <= char <= "~":
        return char in _MARKUP
    return unicodedata.category(char) in _UNSEEN


def _escaped(char: str) -> str:
    if not _must_be_escaped(char):
        return char
    code = ord(char)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
