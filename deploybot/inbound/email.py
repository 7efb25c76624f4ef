"""A mail as it arrived: who wrote it, surely or not, and what; where it belongs is `email_intake`'s.

Pure: bytes in, a `Mail` or the reason why there is none out. Nothing here raises on bad mail.
"""

import hashlib
import re
from dataclasses import dataclass
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.parser import BytesParser
from typing import Protocol, runtime_checkable

from deploybot.inbound.email_authentication import LONGEST
from deploybot.inbound.email_body import text_of
from deploybot.inbound.email_bounces import Bounced, bounced
from deploybot.inbound.email_vouching import Checking, vouched
from deploybot.mail import MailSettings, visible

TEXT = 20_000
"""Characters of a mail's text that are kept; the rest is cut off."""
ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)"
ADDRESS = rf"{ATOM}(?:\.{ATOM})*@{HOST}(?:\.{HOST})+"
FROM = re.compile(
    rf'(?:(?:"(?:[^"\\\r\n]|\\[\x20-\x7e])*"|[^"<>@,;:()\\]*)\s*<({ADDRESS})>|({ADDRESS}))'
)
MOST_HEADERS = 500
LONG_PART_HEADER = re.compile(
    rb"(?i)(?:\A|[\r\n])content-[a-z-]{1,40}[ \t]*:(?:[^\r\n]|[\r\n]+[ \t]){2000}"
)
"""What the parser would go over again and again."""
OWN = "the bot's own mail"
RECIPIENTS = ("to", "cc", "delivered-to", "x-original-to", "envelope-to")
MESSAGE_ID = re.compile(r"<[^<>\s]{1,250}>")


@dataclass(frozen=True)
class Mail:
    """One mail by one sender; `verified` says that the sender's domain vouched for it."""

    address: str
    name: str
    verified: bool
    subject: str
    body: str
    """The plain text, quotations and all."""
    message_id: str
    references: tuple[str, ...]
    """Message-IDs that it answers, the nearest first."""
    codes: tuple[str, ...]
    digest: str
    """SHA-256 of the mail as it came, in hex."""
    unsure: str = ""
    """Why nobody could tell whether it is genuine, in a sentence; "" when that was told."""

    @property
    def semantic(self) -> str:
        """Return what makes this the same mail, however often and by whichever way it comes."""
        words = [line.rstrip() for line in self.body.strip().splitlines()]
        parts = (self.address, self.message_id, self.subject, words)
        return hashlib.sha256(repr(parts).encode()).hexdigest()


@dataclass(frozen=True)
class Unwanted:
    """Not a person's words: a machine answered, or the bot's own mail came back."""

    reason: str


@dataclass(frozen=True)
class Quarantined:
    """A mail that cannot be read safely; kept as a note, never as words."""

    reason: str
    digest: str
    size: int
    about: str = ""
    """What its headers say it is, on one line: for whoever looks for it."""


def read(
    raw: bytes, settings: MailSettings, checking: Checking | None = None
) -> Mail | Unwanted | Bounced | Quarantined:
    """Return what arrived; whatever cannot be read for certain is quarantined with the reason.

    Without `checking`, only the word of our own mail server shows that a mail is genuine.
    """
    try:
        return _read(raw, settings, checking)
    except _UnreadableError as error:
        reason = str(error)
    except Exception as error:  # noqa: BLE001 - the parser has no closed list of its errors
        reason = f"the mail cannot be parsed ({type(error).__name__})"
    return quarantined(raw, reason)


def quarantined(raw: bytes, reason: str) -> Quarantined:
    """Return the note of a mail that nobody could read or handle."""
    return Quarantined(reason, hashlib.sha256(raw).hexdigest(), len(raw), about(raw))


def about(raw: bytes) -> str:
    """Return what the headers say that a mail is, cut short; not to whom: codes are nobody's to read."""
    top = re.split(rb"\r?\n\r?\n", raw[:LONGEST], maxsplit=1)[0].decode("utf-8", "replace")
    lines = re.findall(r"(?im)^(?:from|date|subject|message-id):[^\r\n]*", top)[:5]
    return "; ".join(_line(line)[:120] for line in lines)


@runtime_checkable
class _From(Protocol):
    """What the parser makes of an address header."""

    defects: tuple[Exception, ...]
    addresses: tuple[Address, ...]


class _UnreadableError(Exception):
    """Why a mail goes into quarantine."""


def _read(
    raw: bytes, settings: MailSettings, checking: Checking | None
) -> Mail | Unwanted | Bounced:
    if len(raw) > settings.max_bytes:
        raise _UnreadableError(f"larger than {settings.max_bytes} bytes")
    if len(re.findall(rb"(?i)content-type", raw)) > 2 * settings.max_parts:
        raise _UnreadableError(f"more than {settings.max_parts} parts")
    if LONG_PART_HEADER.search(raw):
        raise _UnreadableError("a part with a header that is too long")
    message = BytesParser(EmailMessage, policy=policy.default).parsebytes(raw)
    if sum(1 for _ in message.walk()) > settings.max_parts:
        raise _UnreadableError(f"more than {settings.max_parts} parts")
    headers = [(name.casefold(), str(value)) for name, value in message.raw_items()]
    if len(headers) > MOST_HEADERS:
        raise _UnreadableError(f"more than {MOST_HEADERS} headers")
    unwanted = _unwanted(headers, settings)
    if unwanted != OWN and (came_back := bounced(raw, settings)):
        return came_back
    if unwanted:
        return Unwanted(unwanted)
    address, name = _sender(message, headers)
    if address == settings.address.casefold() or settings.codes_in(address):
        return Unwanted(OWN)
    if address.partition("@")[0] in ("mailer-daemon", "postmaster"):
        return Unwanted("a bounce")
    codes = tuple(
        (header, code)
        for header in RECIPIENTS
        for value in _all(headers, header)
        for code in settings.codes_in(value)
    )
    coded = frozenset(header for header, _ in codes)
    genuine = vouched(raw, headers, address, settings, checking, coded)
    return Mail(
        address=address,
        name=name,
        verified=genuine.verified,
        unsure=genuine.unsure,
        subject=_subject(headers),
        body=visible(text_of(message))[:TEXT],
        message_id=next(iter(_ids(headers, "message-id")), ""),
        references=tuple(
            dict.fromkeys((*_ids(headers, "in-reply-to"), *reversed(_ids(headers, "references"))))
        ),
        codes=tuple(dict.fromkeys(code for header, code in codes if genuine.covers(header))),
        digest=hashlib.sha256(raw).hexdigest(),
    )


def _subject(headers: list[tuple[str, str]]) -> str:
    """Return the subject, decoded; of a long one its beginning, since decoding takes its time."""
    value = next(iter(_all(headers, "subject")), "")[:LONGEST]
    return _line(
        str(policy.default.header_factory("subject", value.replace("\r", "").replace("\n", "")))
    )[:300]


def _sender(message: EmailMessage, headers: list[tuple[str, str]]) -> tuple[str, str]:
    """Return the one address in the one From header, in lower case, and the name beside it."""
    values = _all(headers, "from")
    if len(values) != 1:
        raise _UnreadableError(f"{len(values)} From headers; there must be one")
    plain = re.sub(r"\r?\n(?=[ \t])", "", values[0]).strip()
    match = FROM.fullmatch(plain) if len(plain) <= LONGEST else None
    if match is None:
        raise _UnreadableError("the From header is not one plain address")
    parsed: object = message["From"]
    if not isinstance(parsed, _From) or parsed.defects or len(parsed.addresses) != 1:
        raise _UnreadableError("the From header has defects")
    address = (match[1] or match[2]).casefold()
    if parsed.addresses[0].addr_spec.casefold() != address:
        raise _UnreadableError("the From header can be read in two ways")
    return address, _line(parsed.addresses[0].display_name)[:100]


def _unwanted(headers: list[tuple[str, str]], settings: MailSettings) -> str:
    """Return why these are not a person's words, or nothing."""
    values: dict[str, list[str]] = {}
    for name, value in headers:
        values.setdefault(name, []).append(value.strip().casefold())
    if any(settings.list_id in value for value in values.get("list-id", [])):
        return OWN
    if "" in values.get("return-path", []) or "<>" in values.get("return-path", []):
        return "a bounce: it has no sender"
    if any(value.partition(";")[0].strip() != "no" for value in values.get("auto-submitted", [])):
        return "an automatic answer (Auto-Submitted)"
    if any(
        value in ("bulk", "list", "junk", "auto_reply") for value in values.get("precedence", [])
    ):
        return "bulk mail (Precedence)"
    for name in ("x-autoreply", "x-autorespond", "x-auto-response-suppress", "list-unsubscribe"):
        if name in values:
            return f"an automatic mail ({name})"
    return ""


def _all(headers: list[tuple[str, str]], *names: str) -> list[str]:
    return [value for name, value in headers if name in names]


def _ids(headers: list[tuple[str, str]], name: str) -> list[str]:
    values = _all(headers, name)
    return MESSAGE_ID.findall(values[0][:LONGEST])[:50] if len(values) == 1 else []


def _line(text: str) -> str:
    return " ".join(visible(text).split())
