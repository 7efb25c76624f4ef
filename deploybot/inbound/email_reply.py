"""Whether a mail's words decide something, and what they are then.

Pure text work. Only the first line that is not blank can decide, whole, as it came; what is quoted
never does. What was written apart from quotations is `email_reading`'s, and only words for people.
"""

import re
from dataclasses import dataclass

from deploybot.inbound.email_reading import own_lines, written

LONGEST_LINE = 2_000

APPROVE = re.compile(r"(?:approved?|yes|ok|okay|lgtm|ship it)\s*[.!]?", re.IGNORECASE)
DENY = re.compile(
    r"(?:deny|denied|reject|rejected)(?:\s*[.!:,\u2013\u2014-]+\s*|\s+|$)(.*)", re.IGNORECASE
)
TAKEN_BACK = re.compile(
    r"(?:no|nope|stop|wait|cancel|don't|do not)\b(?:[ ,]+(?:no|wait|stop))*\s*[.!]*", re.IGNORECASE
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
    """A yes or no that is not on the first line, or one against the other, so it does not count."""


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
    first, _, rest = body.strip().partition("\n")
    first = first.strip()[:LONGEST_LINE]
    if APPROVE.fullmatch(first):
        takes_back = any(_denies(line.strip()) for line in own_lines(written(rest)))
        return Misplaced() if takes_back else Approve(written(rest))
    if (denial := DENY.fullmatch(first)) is not None:
        return Deny("\n".join(part for part in (denial[1].strip(), written(rest)) if part))
    text = written(body)
    if not text:
        return Nothing()
    if _decides("\n".join(own_lines(body)).strip()):
        return Misplaced()
    return Words(text)


def _denies(line: str) -> bool:
    return bool(DENY.fullmatch(line) or TAKEN_BACK.fullmatch(line))


def _decides(text: str) -> bool:
    return bool(APPROVE.fullmatch(text)) or bool(DENY.match(text) and "\n" not in text)
