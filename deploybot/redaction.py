"""Takes secrets out of text: those that are known, by value, and what looks like one; who asks is not here.

Whatever is stored passes through it (`memory`, `store`), and so does each log line (`logs`): what
is never stored is in no prompt, no message and no job.
"""

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, Never, TypeVar
from urllib.parse import quote, quote_plus, unquote, urlsplit

from pydantic import BaseModel, SecretStr

REMOVED = "[secret removed]"
SHORTEST = 8
"""A known secret with fewer characters is no secret: taking it out would garble plain words."""
LEAST_PART = 12
"""Of a known secret that is cut off at a line's end, so many characters give it away."""

_Model = TypeVar("_Model", bound=BaseModel)

_KEPT = frozenset(
    {
        # Names and numbers by which things find each other; no text is passed on in them.
        *("kind", "intent", "delivery", "by", "address", "message_id", "channel", "user"),
        *("ts", "thread_ts", "id", "thread", "head", "request_id", "question_id", "operation"),
        # What decides what runs is shown, sealed and run as it is.
        *("action", "service", "environment", "repository", "sha", "previous_sha", "config_hash"),
        *("steps", "digest", "rule", "requesters"),
    }
)

_WORDS = ("password", "passwd", "secret", "token", "apikey", "api_key", "access_key", "private_key")
"""Names of variables that end in something like it hold a secret."""
_GAP = r"(?:\s|\\[nr])*"
_LINE = r"[a-z0-9+/=]{16,}+"
_LAST = r"(?:[a-z0-9+/=]{1,15}(?![a-z0-9+/=]))"
_GIVEN = r"(?:[\"']?\s{0,3}=\s{0,3}[\"']?|\"\s{0,3}:\s{0,3}\")"
_END = r"-----END [a-z ]{0,30}PRIVATE KEY-----"
_INNER = (
    rf"(?:{_GAP}(?:(?:Proc-Type|DEK-Info):[^\n\\]{{0,200}}|{_LINE}))*"
    rf"(?:{_GAP}{_LAST}(?={_GAP}-----END))?"
)
_LOOKS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (hint, re.compile(pattern, re.IGNORECASE if hint.islower() else 0))
    for hint, pattern in (
        ("AKIA", r"()\bAKIA[A-Z0-9]{16}\b"),
        ("ASIA", r"()\bASIA[A-Z0-9]{16}\b"),
        ("AIza", r"()AIza[\w-]{35}"),
        ("eyJ", r"()(?<![\w-])eyJ[\w-]{8,}\.eyJ[\w-]{8,}(?:\.[\w-]*)?"),
        *((f"gh{kind}_", rf"()(?<![a-z0-9])gh{kind}_[a-z0-9]{{20,}}") for kind in "pousr"),
        ("github_pat_", r"()github_pat_[a-z0-9_]{20,}"),
        ("dbt_", r"()(?<![a-z0-9])dbt_[a-z0-9_-]{40,}"),
        ("glpat-", r"()glpat-[a-z0-9_-]{16,}"),
        ("xox", r"()xox[a-z](?:\.xox[a-z])?-[a-z0-9-]{8,}"),
        ("xapp-", r"()xapp-[a-z0-9-]{8,}"),
        ("hooks.slack.com", r"(hooks\.slack\.com/(?:services|workflows)/)[\w/-]{8,}"),
        ("sk-", r"()(?<![a-z0-9_-])sk-[a-z0-9_-]{16,}"),
        ("k_live_", r"()(?<![a-z0-9])[rs]k_live_[a-z0-9]{10,}"),
        ("npm_", r"()(?<![a-z0-9])npm_[a-z0-9]{30,}"),
        ("pypi-", r"()(?<![a-z0-9])pypi-[\w-]{32,}"),
        ("bearer", r"(\bbearer\s{1,4})[a-z0-9+/._~=-]{16,}"),
        (
            "authorization",
            r"(\bauthorization[\"']?\s{0,4}[:=]\s{0,4}[\"']?\w{1,10}\s)[\w+/.~=-]{8,}",
        ),
        ("://", r"((?<=://))(?:[^\s/@:\[\]]{0,200}:[^\s/@]{1,200}|[^\s/@:]{16,200})(?=@)"),
        *(
            (
                word,
                rf"({word}[\w-]{{0,30}}{_GIVEN})(?!\[secret)[^\s\"',;&|]{{8,}}",
            )
            for word in _WORDS
        ),
        (
            "private key",
            rf"()-----BEGIN [a-z ]{{0,30}}PRIVATE KEY-----{_INNER}(?:{_GAP}{_END})?",
        ),
        ("-----end", rf"()(?<![a-z0-9+/=])(?:{_LINE}{_GAP}){{1,60}}+(?:{_LAST}{_GAP})?{_END}"),
    )
)
"""What gives a pattern away, and the pattern, of which the first group stays; where the first is in
lower case, case does not matter."""
_HINTS_IN_LOWER_CASE = tuple(hint for hint, _ in _LOOKS if hint.islower())
_HINTS = tuple(hint for hint, _ in _LOOKS if not hint.islower())

_BODY = re.compile(r"\s*(?=\S*[A-Z])(?=\S*[a-z])(?=\S*[0-9+/])[A-Za-z0-9+/]{60,76}={0,2}\s*")
"""One line out of the middle of a private key, should its first and last lines be elsewhere."""
_MAYBE_BODY = re.compile(r"\"(?=[a-z0-9+/]*[A-Z])[A-Za-z0-9+/]{60,76}={0,2}\"")


class Redactor:
    """Knows some secrets by value, and what secrets look like.

    A known one is found as it is, as JSON, URLs, hex and Base64 write it (anywhere within a longer
    encoded text), and cut off at the end of a line.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = {secret for secret in secrets if len(secret) >= SHORTEST}
        forms = {form for secret in known for form in _forms(secret) if len(form) >= SHORTEST}
        self._forms = tuple(sorted(forms, key=lambda form: (-len(form), form)))
        self._beginnings = tuple({form[:LEAST_PART] for form in forms})

    def __repr__(self) -> str:
        return f"Redactor({len(self._forms)} forms)"

    def __reduce_ex__(self, protocol: object) -> Never:
        """Refuse to be pickled: all secrets would be in it."""
        raise TypeError("a redactor is not pickled: make one of the settings where it is needed")

    def text(self, text: str) -> str:
        """Return the text with REMOVED in place of each secret; the same text when there is none."""
        if _BODY.fullmatch(text):
            return REMOVED
        if not self._may_hold_some(text):
            return text
        for form in self._forms:
            text = text.replace(form, REMOVED)
        small = text.lower()
        for hint, pattern in _LOOKS:
            if hint in (small if hint.islower() else text):
                text = pattern.sub(rf"\g<1>{REMOVED}", text)
        if self._forms:
            text = "\n".join(map(self._without_part, text.split("\n")))
        return text

    def lines(self, lines: Sequence[str]) -> tuple[str, ...]:
        """Return lines of output; fewer when a secret spanned several."""
        clean = self.text("\n".join(lines)).split("\n") if lines else ()
        return tuple(REMOVED if _BODY.fullmatch(line) else line for line in clean)

    def plain(self, value: Any) -> Any:  # noqa: PLR0911 - a case a type
        """Return plain JSON, or models in it, with every text in it made clean."""
        match value:
            case str():
                return self.text(value)
            case dict():
                return {self.plain(key): self.plain(part) for key, part in value.items()}
            case list():
                return [self.plain(part) for part in value]
            case tuple() if value and all(isinstance(part, str) for part in value):
                return self.lines(value)
            case tuple():
                return tuple(self.plain(part) for part in value)
            case BaseModel():
                return self._inside(value)
            case _:
                return value

    def fact(self, fact: _Model) -> _Model:
        """Return an event with all text in it made clean, but names and what decides what runs."""
        text = fact.model_dump_json()
        return self._inside(fact) if self._may_hold_some(text) or _MAYBE_BODY.search(text) else fact

    def _inside(self, model: _Model) -> _Model:
        given = {name: getattr(model, name) for name in type(model).model_fields}
        clean = {name: self.plain(part) for name, part in given.items() if name not in _KEPT}
        changed = {name: part for name, part in clean.items() if part != given[name]}
        return model.model_copy(update=changed) if changed else model

    def _may_hold_some(self, text: str) -> bool:
        holds, holds_in_lower_case = text.__contains__, text.lower().__contains__
        return (
            any(map(holds_in_lower_case, _HINTS_IN_LOWER_CASE))
            or any(map(holds, _HINTS))
            or any(map(holds, self._beginnings))
        )

    def _without_part(self, line: str) -> str:
        """Return a line without the beginning of a known secret that its end cut off."""
        for form in self._forms:
            at = line.rfind(form[:LEAST_PART])
            if at >= 0 and form.startswith(line[at:]):
                return line[:at] + REMOVED
        return line


def _forms(secret: str) -> Iterator[str]:
    """Yield what a secret looks like in other people's output."""
    raw = secret.encode()
    yield from (secret, secret.strip(), json.dumps(secret)[1:-1], repr(secret)[1:-1])
    yield from (json.dumps(secret, ensure_ascii=False)[1:-1], quote(secret), quote_plus(secret))
    yield quote(secret, safe="")
    yield from (raw.hex(), raw.hex().upper())
    for before in range(3):
        # The same bytes look different by where they begin; what depends on the neighbours is cut.
        text = base64.b64encode(b"\0" * before + raw).decode().rstrip("=")
        start, spare = -(-before * 8 // 6), (before + len(raw)) * 8 % 6
        part = text[start : len(text) - 1 if spare else len(text)]
        yield from (part, part.replace("+", "-").replace("/", "_"))


def secrets_in(value: object) -> Iterator[str]:
    """Yield the secrets of settings: what is marked as one, passwords in addresses, telling names."""
    match value:
        case SecretStr():
            yield value.get_secret_value()
            yield from _password(value.get_secret_value())
            yield from _values(value.get_secret_value())
        case str():
            yield from _password(value)
        case BaseModel():
            yield from secrets_in({name: getattr(value, name) for name in type(value).model_fields})
        case Mapping():
            for name, part in value.items():
                if isinstance(part, str) and _tells(str(name)):
                    yield part
                yield from secrets_in(part)
        case tuple() | list() | set() | frozenset():
            for part in value:
                yield from secrets_in(part)
        case _ if is_dataclass(value):
            yield from secrets_in({part.name: getattr(value, part.name) for part in fields(value)})
        case _:
            pass


def _tells(name: str) -> bool:
    small = name.casefold()
    return small.endswith("_key") or any(word in small for word in _WORDS)


def _values(text: str) -> Iterator[str]:
    """Yield what stands behind each name, in name=value pairs that commas separate."""
    for pair in text.split(",") if "=" in text else ():
        value = pair.partition("=")[2].strip()
        yield from (value, unquote(value))


def _password(address: str) -> Iterator[str]:
    if "://" not in address or "@" not in address:
        return
    try:
        word = urlsplit(address).password or ""
    except ValueError:  # an address that is none is refused elsewhere
        return
    yield from (word, unquote(word))
