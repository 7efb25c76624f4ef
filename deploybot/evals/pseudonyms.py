"""Other names for people and places: equal where they were equal, and telling nothing.

Pure. Secrets are left to `redaction`; which thread is rewritten, to `recording`.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

NAMES = ("ann", "ben", "cem", "dee", "eve", "fay", "gus", "hal", "ida", "jon", "kim", "lou")
SHORTEST = 3
"""A part of a name with fewer letters is too common a word to be replaced."""

_MAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_SLACK_ID = re.compile(r"\b([UWCDGTB])(?=[A-Z0-9]*\d)[A-Z0-9]{7,}\b")
_ADDRESS = re.compile(r"\bhttps?://[^\s\"'<>|)\\]+")
_IP = re.compile(r"\b(?:\d{1,3}\.){3}\d{1,3}\b")
_AT_HOME = "example.test"


class Pseudonyms:
    """Gives each person, address and id another one, the same each time."""

    def __init__(self, people: Mapping[str, Iterable[str]], kept: Iterable[str] = ()) -> None:
        """`people` holds, by id, everything each is called; `kept` are words never replaced."""
        keep = {word.casefold() for word in kept}
        self._given: dict[str, dict[str, str]] = {}
        self._names: dict[str, str] = {}
        for number, (person, called) in enumerate(people.items()):
            other = NAMES[number] if number < len(NAMES) else f"person{number + 1}"
            whole = (person, *called)
            parts = (part for name in whole for part in _parts(name))
            for name in (*whole, *(part for part in parts if len(part) >= SHORTEST)):
                if name and name.casefold() not in keep:
                    self._names.setdefault(name.casefold(), other)
        longest_first = sorted(self._names, key=len, reverse=True)
        joined = "|".join(re.escape(name) for name in longest_first)
        self._pattern = re.compile(rf"(?<![\w-])(?:{joined})(?![\w-])", re.IGNORECASE)

    def plain(self, value: Any) -> Any:
        """Return plain JSON with every text in it rewritten; keys stay."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.plain(part) for part in value]
        if isinstance(value, dict):
            return {key: self.plain(part) for key, part in value.items()}
        return value

    def text(self, text: str) -> str:
        """Return the text with other names in it."""
        text = _ADDRESS.sub(f"https://{_AT_HOME}/", text)
        text = _MAIL.sub(self._mail, text)
        if self._names:
            text = self._pattern.sub(self._name, text)
        text = _SLACK_ID.sub(lambda found: self._numbered(found[1], found[0], "{}{:08}"), text)
        return _IP.sub("192.0.2.1", text)

    def _name(self, found: re.Match[str]) -> str:
        other = self._names[found[0].casefold()]
        return other.capitalize() if found[0][0].isupper() else other

    def _mail(self, found: re.Match[str]) -> str:
        known = self._names.get(found[0].casefold())
        if found[0].endswith(f"@{_AT_HOME}"):
            return found[0]
        who = known or self._numbered("mail", found[0].casefold(), "{}-{}")
        return f"{who}@{_AT_HOME}"

    def _numbered(self, kind: str, real: str, form: str) -> str:
        given = self._given.setdefault(kind, {})
        return given.setdefault(real, form.format(kind, len(given) + 1))


def _parts(name: str) -> list[str]:
    """Return the words that a name is made of; of an address, those before the @."""
    own = name.rpartition(":")[2].partition("@")
    return re.split(r"[\s._+-]+", own[0]) if own[1] else own[0].split()
