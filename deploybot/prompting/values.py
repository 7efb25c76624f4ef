"""Plain values as YAML in which nothing from outside can open or close a tag, nor hide.

Strings with `<`, `>`, `&` or characters that nobody sees stand in double quotes with those characters
escaped. Bodies of the usual forms are written here, quickly; the rest is left to PyYAML.
"""

import json
import re
import unicodedata
from functools import lru_cache
from typing import Any

import yaml
from yaml.representer import SafeRepresenter
from yaml.resolver import Resolver

_MARKUP = frozenset("<>&")
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"})
"""Unicode categories that print nothing, or turn the text around: control, bidi, odd spaces, …"""
_SEEN = re.compile(r"[ !-%'-;=?-~]*")
"""ASCII that needs no escape."""
_PLAIN = re.compile(
    r"(?![-?:]( |$)|---|\.\.\.)[^\s,\[\]{}#&*!|>'\"%@`](?:[^:#\n]|:(?! |$)|(?<! )#)*(?<![ :])"
)
"""What YAML reads as the string that it is, if it is on one line."""
_IN_FLOW = re.compile(r"[^,\[\]{}:?]*")
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,60}")
_RESOLVERS: dict[str, list[tuple[str, re.Pattern[str]]]] = Resolver.yaml_implicit_resolvers


def block(body: Any) -> str:
    """Return the body as lines of YAML, each ended; "" for an empty mapping."""
    if body == {} and isinstance(body, dict):
        return ""
    written = _lines(body)
    return _any(body) if written is None else written


def flow(body: Any) -> str:
    """Return the body as YAML on one line, without its end."""
    written = _inline(body)
    if written is not None:
        return written
    return _any(body, flow=True).rstrip("\n")


def as_json(body: Any) -> str:
    """Return the body as JSON on one line, with the same escapes."""
    quoted = json.dumps(body, ensure_ascii=False)
    return quoted if _SEEN.fullmatch(quoted) else _json_escaped(quoted)


# -- the usual forms ---------------------------------------------------------------


def _lines(body: Any) -> str | None:
    """Return the body in block style, or None for a form that is not usual."""
    match body:
        case dict():
            parts = [_field(key, value) for key, value in body.items()]
        case list() if body:
            parts = [_item(value) for value in body]
        case list() | tuple():
            return None
        case _:
            return f"{_scalar(body)}\n"
    return None if None in parts else "".join(part for part in parts if part)


def _field(key: Any, value: Any) -> str | None:
    if not _is_key(key):
        return None
    match value:
        case str() if "\n" in value and _is_literal(value):
            indented = value.replace("\n", "\n  ")
            return f"{key}: |-\n  {indented}\n"
        case list() if value and all(isinstance(item, str) for item in value):
            return f"{key}:\n" + "".join(f"- {_scalar(item)}\n" for item in value)
        case _:
            written = _inline(value)
            return None if written is None else f"{key}: {written}\n"


def _item(value: Any) -> str | None:
    written = _inline(value)
    return None if written is None else f"- {written}\n"


def _inline(value: Any, *, inside: bool = False) -> str | None:
    match value:
        case dict():
            fields = [
                (key, _inline(item, inside=True) if _is_key(key) else None)
                for key, item in value.items()
            ]
            if any(item is None for _, item in fields):
                return None
            return "{" + ", ".join(f"{key}: {item}" for key, item in fields) + "}"
        case list():
            items = [_inline(item, inside=True) for item in value]
            known = [item for item in items if item is not None]
            return None if len(known) < len(items) else "[" + ", ".join(known) + "]"
        case str() if inside and not _IN_FLOW.fullmatch(value):
            return _quoted(value)
        case _:
            return _scalar(value)


@lru_cache(maxsize=512)
def _is_key(key: Any) -> bool:
    return isinstance(key, str) and bool(_KEY.fullmatch(key)) and not _is_other(key)


def _scalar(value: Any) -> str:
    match value:
        case str():
            return value if _is_plain(value) else _quoted(value)
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case _:
            return _any(value).rstrip("\n")


def _is_plain(text: str) -> bool:
    """Tell whether YAML reads the bare text as this very string."""
    return (
        _PLAIN.fullmatch(text) is not None
        and (_SEEN.fullmatch(text) is not None or not must_be_escaped(text))
        and not _is_other(text)
    )


def _is_other(text: str) -> bool:
    """Tell whether YAML reads the bare text as a number, a date, a truth or nothing."""
    return any(pattern.match(text) for _, pattern in _RESOLVERS.get(text[:1], ()))


def _is_literal(text: str) -> bool:
    """Tell whether a block of indented lines holds the text unchanged."""
    return (
        text[0] not in " \n\t"
        and text[-1] not in " \n\t"
        and (_SEEN.fullmatch(text.replace("\n", "")) is not None or not must_be_escaped(text))
    )


def _quoted(text: str) -> str:
    quoted = json.dumps(text, ensure_ascii=False)
    return quoted if _SEEN.fullmatch(quoted) else escaped(quoted)


# -- escapes -----------------------------------------------------------------------


def must_be_escaped(text: str) -> bool:
    """Tell whether the text holds markup, or what nobody sees, other than ends of lines."""
    return any(_is_hidden(char) for char in text if char != "\n")


def escaped(text: str) -> str:
    """Return the text, to stand in double quotes, with what must be escaped by its number."""
    return "".join(_escape(char) for char in text)


def _json_escaped(text: str) -> str:
    """Return JSON with what must be escaped by its number, or two beyond the first plane."""
    pairs = (_escape(char).startswith("\\U") for char in text)
    return "".join(
        json.dumps(char)[1:-1] if pair else _escape(char)
        for char, pair in zip(text, pairs, strict=True)
    )


@lru_cache(maxsize=4096)
def _is_hidden(char: str) -> bool:
    if " " <= char <= "~":
        return char in _MARKUP
    return unicodedata.category(char) in _UNSEEN


@lru_cache(maxsize=4096)
def _escape(char: str) -> str:
    if char == "\n" or not _is_hidden(char):
        return char
    code = ord(char)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


# -- anything else -----------------------------------------------------------------


class _Values(SafeRepresenter):
    """YAML in which a string that holds more than meets the eye is always quoted."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _string(values: SafeRepresenter, text: str) -> yaml.ScalarNode:
    style = '"' if must_be_escaped(text) or "\n" in text else None
    return values.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Values.add_representer(str, _string)


def _any(body: Any, *, flow: bool = False) -> str:
    """Return any body: in block style with its leaves on a line each, or all on one line."""
    values = _Values(default_flow_style=flow or None, sort_keys=False)  # type: ignore[arg-type] # None: leaves only
    node = values.represent_data(body)
    if isinstance(node, yaml.CollectionNode) and not flow:
        node.flow_style = False
    text: str = yaml.serialize(
        node,
        Dumper=yaml.SafeDumper,
        allow_unicode=True,
        width=10**9,  # a folded line would be one more way to hide something
    )
    text = text.removesuffix("...\n")  # ends a lone scalar; the closing tag does that here
    # Whatever must be escaped stands in a double-quoted scalar by now, where \u is understood.
    return escaped(text)
