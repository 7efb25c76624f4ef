"""What somebody wrote in a mail, apart from what they quoted, and whether it decides something.

Pure text work. Only the first line that is not blank can decide; what is quoted never does.
"""

import re
from dataclasses import dataclass

LONGEST_LINE = 2_000

APPROVE = re.compile(r"(?:approved?|yes|ok|okay|lgtm|ship it)\s*[.!]?", re.IGNORECASE)
DENY = re.compile(
    r"(?:deny|denied|reject|rejected)(?:\s*[.!:,\u2013\u2014-]+\s*|\s+|$)(.*)", re.IGNORECASE
)
ATTRIBUTION = re.compile(
    r"(?=.*[\d@<])(?:on|am|le|el|il|op|den|em|dnia|w dniu)\b.{3,300}"
    r"(?:wrote|schrieb|écrit|a écrit|escribió|ha scritto|schreef|skrev|escreveu|napisał\(?a?\)?)"
    r".{0,120}:",
    re.IGNORECASE | re.DOTALL,
)
SEPARATOR = re.compile(
    r"-{2,}\s*(?:original message|forwarded message|ursprüngliche nachricht|message d'origine"
    r"|mensaje original|messaggio originale|oorspronkelijk bericht)\s*-{2,}|_{10,}",
    re.IGNORECASE,
)
HEADER = re.compile(r"\*?(?:from|von|de|da|van|från|fra|od)\s?:\*?\s+\S.*", re.IGNORECASE)
DATE = re.compile(
    r"\*?(?:sent|date|gesendet|datum|envoyé|enviado|inviato|data|verzonden|skickat|sendt"
    r"|wysłano)\s?:\*?\s+\S.*",
    re.IGNORECASE,
)
SENT_FROM = re.compile(
    r"(?:sent from my|gesendet von|envoyé de mon|get outlook for)\b.*", re.IGNORECASE
)


@dataclass(frozen=True)
class Approve:
    """The first line says yes."""

    comment: str


@dataclass(frozen=True)
class Deny:
    """The first line says no; the rest says why."""

    feedback: str


@dataclass(frozen=True)
class Misplaced:
    """A yes or no that is not on the first line, so it does not count."""


@dataclass(frozen=True)
class Words:
    """Something else: for the agent to read."""

    text: str


@dataclass(frozen=True)
class Nothing:
    """No words but quoted ones."""


Meaning = Approve | Deny | Misplaced | Words | Nothing


def meaning(body: str) -> Meaning:
    """Return what a mail's body says; the first line alone decides."""
    text = written(body)
    first, _, rest = body.strip().partition("\n")
    first, rest = first.strip()[:LONGEST_LINE], written(rest)
    if APPROVE.fullmatch(first):
        return Approve(rest)
    if (denial := DENY.fullmatch(first)) is not None:
        return Deny("\n".join(part for part in (denial[1].strip(), rest) if part))
    if not text:
        return Nothing()
    if _decides("\n".join(_unquoted(body)).strip()):
        return Misplaced()
    return Words(text)


def written(body: str) -> str:
    """Return what was written: the words above the quotation, or all when they stand among it.

    Nothing that somebody wrote is dropped: whoever answers between quoted lines keeps these, too.
    """
    lines = body.splitlines()
    cut = _quotation_begins(lines)
    above = _without_signature(lines[:cut])
    below = [line for line in lines[cut:] if line.strip()]
    if cut < len(lines) and _is_marked(lines[cut:]) and not _only_quoted(below):
        return "\n".join(line.rstrip() for line in lines).strip()
    return "\n".join(line.rstrip() for line in above).strip()


def _decides(text: str) -> bool:
    return bool(APPROVE.fullmatch(text)) or bool(DENY.match(text) and "\n" not in text)


def _quotation_begins(lines: list[str]) -> int:
    """Return the index of the first line that begins a quotation, or how many lines there are."""
    for index, line in enumerate(lines):
        stripped = line.strip()[:LONGEST_LINE]
        if stripped.startswith(">") or SEPARATOR.fullmatch(stripped):
            return index
        if any(ATTRIBUTION.fullmatch(joined) for joined in _joined(lines, index)):
            return index
        if HEADER.fullmatch(stripped) and any(
            DATE.fullmatch(after.strip()[:LONGEST_LINE]) for after in lines[index + 1 : index + 4]
        ):
            return index
    return len(lines)


def _joined(lines: list[str], index: int) -> list[str]:
    """Return the line, alone and with the next two: attributions are wrapped at will."""
    following = [line.strip()[:LONGEST_LINE] for line in lines[index : index + 3]]
    return [" ".join(following[:count]) for count in range(1, len(following) + 1)]


def _is_marked(lines: list[str]) -> bool:
    """Tell whether the quotation marks its lines, so that words among them can be told apart."""
    return any(line.lstrip().startswith(">") for line in lines)


def _only_quoted(lines: list[str]) -> bool:
    """Tell whether nothing but quoted lines, attributions and a signature follows."""
    return not _without_signature(_unquoted("\n".join(lines)))


def _unquoted(body: str) -> list[str]:
    """Return the lines that are neither quoted nor an attribution."""
    lines = body.splitlines()
    kept: list[str] = []
    index = 0
    while index < len(lines):
        joined = _joined(lines, index)
        count = next((n for n, text in enumerate(joined, 1) if ATTRIBUTION.fullmatch(text)), 0)
        if not count and lines[index].strip() and not lines[index].lstrip().startswith(">"):
            kept.append(lines[index])
        index += max(count, 1)
    return _without_signature(kept)


def _without_signature(lines: list[str]) -> list[str]:
    for index, line in enumerate(lines):
        if line.rstrip("\r\n") in ("--", "-- ") or SENT_FROM.fullmatch(line.strip()[:LONGEST_LINE]):
            return lines[:index]
    return lines
