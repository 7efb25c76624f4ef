"""The JSON object in what a model wrote, though it is wrapped in more, or not quite JSON.

Pure, and careful: only the form is mended, never a value. What the object means is read in `answer`.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

MOST_TRIED = 40
"""Places at which an object may begin that are looked at."""
LONGEST_MENDED = 20_000
"""Characters of an answer that are mended, rather than only read."""

_THOUGHT = re.compile(r"<(think|thinking|reasoning)>.*?(</\1>|\Z)", re.DOTALL | re.IGNORECASE)
_FENCE = re.compile(r"```[a-zA-Z]*[ \t]*\n(.*?)\n?[ \t]*```", re.DOTALL)
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_TRAILING_COMMA = re.compile(r",(\s*[}\]])")
_COMMENT = re.compile(r"(?m)(?<!:)//[^\n]*$")
_PYTHON = {"None": "null", "True": "true", "False": "false"}
_PYTHON_WORD = re.compile(r"\b(None|True|False)\b")
_TYPED_QUOTES = str.maketrans(dict.fromkeys("“”„‟", '"'))


def objects_in(text: str) -> Iterator[dict[str, Any]]:
    """Yield the objects in the text, the likeliest first: as they stand, then mended."""
    said = _THOUGHT.sub("", text)
    bodies = [*(match[1] for match in _FENCE.finditer(said)), said]
    for body in bodies:
        yield from _decoded(body)
    for body in bodies:
        if len(body) <= LONGEST_MENDED:
            yield from _decoded(_mended(body))


def _decoded(body: str) -> Iterator[dict[str, Any]]:
    """Yield what decodes, from each brace on that is not inside an object found before."""
    body = _unwrapped(body)
    at = body.find("{")
    for _ in range(MOST_TRIED):
        if at < 0:
            return
        try:
            found, end = json.JSONDecoder().raw_decode(body, at)
        except (ValueError, RecursionError):
            at = body.find("{", at + 1)
        else:
            yield found
            at = body.find("{", end)


def _unwrapped(body: str) -> str:
    """Return the text inside, when the whole is one JSON string: an object encoded twice."""
    stripped = body.strip()
    if not (stripped.startswith('"') and stripped.endswith('"')):
        return body
    try:
        inner = json.loads(stripped)
    except ValueError:
        return body
    return inner if isinstance(inner, str) else body


def _mended(body: str) -> str:
    """Return the text as JSON would have it, outside of its strings."""
    if "“" in body and '"' not in body:
        body = body.translate(_TYPED_QUOTES)
    if '"' not in body:
        body = body.replace("'", '"')  # a Python dictionary: nothing else can delimit its strings
    parts: list[str] = []
    at = 0
    for match in _STRING.finditer(body):
        parts += [_mended_outside(body[at : match.start()]), match[0].replace("\n", "\\n")]
        at = match.end()
    parts.append(_mended_outside(body[at:]))
    return _without_trailing_commas("".join(parts))


def _mended_outside(text: str) -> str:
    text = _COMMENT.sub("", text)
    return _PYTHON_WORD.sub(lambda match: _PYTHON[match[1]], text)


def _without_trailing_commas(body: str) -> str:
    strings: list[str] = []

    def keep(match: re.Match[str]) -> str:
        strings.append(match[0])
        return '"\0"'

    bare = _STRING.sub(keep, body)
    left = iter(strings)
    return re.sub('"\0"', lambda _: next(left), _TRAILING_COMMA.sub(r"\1", bare))
