"""What somebody wrote in a mail, apart from what they quoted: for the agent's reading, and never to decide.

Pure text work. Where a quotation begins, in which language and mail program whatever, is known by
`mailparser_reply`; nothing that somebody wrote themselves is dropped. Deciding is `email_reply`'s.
"""

import re

from mailparser_reply.constants import MAIL_LANGUAGES  # type: ignore[import-untyped]
from mailparser_reply.parser import EmailMessage  # type: ignore[import-untyped]

WIDEST = 200
"""Characters of a line that are looked at: what is matched below must stay cheap on any text."""

_KNOWN = EmailMessage(text="", languages=sorted(MAIL_LANGUAGES)).HEADER_REGEX
ATTRIBUTION = re.compile(
    rf"{_KNOWN.pattern}|^(?:> ?)*(?:el|em|den)\s.{{3,150}}\s(?:escribió|escreveu|skrev)\b.{{0,80}}:$",
    _KNOWN.flags,
)
"""`On … somebody wrote:`, or a block of From, Sent and To, in any of the languages that it knows, and
in the three that it misses."""
TELLING = re.compile(r"[\d@<]")
"""A date or an address: without one, `On staging the app wrote:` is somebody's own words."""
SEPARATOR = re.compile(
    r"-{2,}\s*(?:[^\W\d_]+\s){0,3}(?:message|messages|nachricht|message d'origine|mensaje original"
    r"|messaggio originale|bericht)\s*-{2,}|_{5,}|(?:\*|> ?)?(?:差出人|发件人|寄件者)\s*[:\uff1a].*",
    re.IGNORECASE,
)
"""What it does not know: rules of Outlook, forwarded messages, and headers in Japanese and Chinese."""
SENT_FROM = re.compile(
    "(?:"
    + "|".join(filter(None, (one.get("sent_from", "") for one in MAIL_LANGUAGES.values())))
    + r"|envoyé de mon)\b.*",
    re.IGNORECASE,
)


def written(body: str) -> str:
    """Return what was written: the words above the quotation, or all when they stand among it.

    Whoever answers between quoted lines, or below them, keeps these, too.
    """
    lines = body.splitlines()
    cut = _quotation_begins(lines)
    rest = lines[cut:]
    marked = any(line.lstrip().startswith(">") for line in rest)
    kept = lines if marked and own_lines("\n".join(rest)) else _without_signature(lines[:cut])
    return "\n".join(line.rstrip() for line in kept).strip()


def own_lines(body: str) -> list[str]:
    """Return the lines that are neither quoted, nor an attribution, nor below the signature."""
    lines = body.splitlines()
    attributed = {index for first, last in _attributions(lines) for index in range(first, last)}
    kept = [
        line
        for index, line in enumerate(lines)
        if line.strip() and index not in attributed and not _is_quoted(line)
    ]
    return _without_signature(kept)


def _is_quoted(line: str) -> bool:
    return line.lstrip().startswith(">") or bool(SEPARATOR.fullmatch(line.strip()[:WIDEST]))


def _quotation_begins(lines: list[str]) -> int:
    """Return the index of the first line that begins a quotation, or how many lines there are."""
    quoted = (index for index, line in enumerate(lines) if _is_quoted(line))
    begins = [next(quoted, len(lines)), *(first for first, _ in _attributions(lines))]
    return min(begins)


def _attributions(lines: list[str]) -> list[tuple[int, int]]:
    """Return where lines say whose words follow: of each the first, and the one behind its last."""
    plain = [line.strip()[:WIDEST] for line in lines]
    text = "\n".join(plain)
    spans = []
    for found in ATTRIBUTION.finditer(text):
        words = found[0].strip()
        if TELLING.search(words):
            first = text.count("\n", 0, found.start() + len(found[0]) - len(found[0].lstrip()))
            spans.append((first, first + words.count("\n") + 1))
    return spans + _wrapped(plain)


def _wrapped(plain: list[str]) -> list[tuple[int, int]]:
    """Return attributions that a mail program broke where the library does not expect it."""
    spans = []
    for index in range(1, len(plain)):
        for count in (2, 3):
            first = index + 1 - count
            joined = " ".join(plain[max(first, 0) : index + 1])[: 2 * WIDEST]
            if plain[index].endswith(":") and first >= 0 and TELLING.search(joined):
                found = ATTRIBUTION.fullmatch(joined)
                spans += [(first, index + 1)] if found else []
    return spans


def _without_signature(lines: list[str]) -> list[str]:
    for index, line in enumerate(lines):
        if line.rstrip() == "--" or SENT_FROM.fullmatch(line.strip()[:WIDEST]):
            return lines[:index]
    return lines
