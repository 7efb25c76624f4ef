"""Whether a mail's signature (DKIM, RFC 6376) shows that its sender's domain sent it; anything unclear counts as no.

Pure: whoever calls brings the function that looks up a domain's key. Only what could change what a
mail says or decides is demanded of a signature here; the arithmetic is dkimpy's.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import dkim  # type: ignore[import-untyped]
from dkim.util import parse_tag_value  # type: ignore[import-untyped]

from deploybot.errors import KeyLookupError

MOST = 5
"""Signatures of one mail that are looked at: each may cost a look into the DNS."""
LONGEST_KEY = 1_500
"""Characters of a key's record: enough for 4096 bits, and too few to keep anybody busy."""
ONCE = (b"from", b"to", b"cc", b"subject", b"date", b"message-id", b"content-type")
"""Headers that a mail must not have twice: of two, the signature may be about the other one."""
ALGORITHMS = (b"rsa-sha256", b"ed25519-sha256")
TESTING = re.compile(rb"(?:^|;)\s*t\s*=\s*[^;]*\by\b", re.IGNORECASE)

LookUp = Callable[[str], bytes | None]
"""Name → its TXT record with a key, or None; raises KeyLookupError when nobody could say."""


@dataclass(frozen=True)
class Signature:
    """What the signatures of a mail are worth: `covers` names the headers that one of them vouches for."""

    verified: bool = False
    covers: frozenset[str] = frozenset()
    unsure: str = ""
    """Why it could not be checked now, in a sentence; "" when it was."""


def signature_of(raw: bytes, domain: str, look_up: LookUp, now: datetime) -> Signature:
    """Return what this domain's signature under the mail is worth."""
    try:
        names = [name.lower() for name, _ in dkim.DKIM(raw).headers]
    except dkim.DKIMException:
        return Signature()
    if names.count(b"from") != 1 or any(names.count(name) > 1 for name in ONCE):
        return Signature()
    unsure = ""
    for index in range(min(names.count(b"dkim-signature"), MOST)):
        try:
            covers = _verified(dkim.DKIM(raw), index, domain, look_up, now)
        except KeyLookupError as error:
            unsure = str(error)  # the others' names are asked for at the same servers
            break
        except Exception:  # noqa: BLE001 - the library has no closed list of its errors
            covers = frozenset()
        else:
            if covers:
                return Signature(verified=True, covers=covers)
    return Signature(unsure=unsure)


def _verified(
    message: dkim.DKIM, index: int, domain: str, look_up: LookUp, now: datetime
) -> frozenset[str]:
    """Return the headers that one signature covers; none when it is not good, or not by this domain."""
    found = [value for name, value in message.headers if name.lower() == b"dkim-signature"]
    tags = parse_tag_value(found[index])
    covered = frozenset(name.strip().lower() for name in tags[b"h"].split(b":"))
    if (
        tags[b"d"].lower() != domain.encode().lower()
        or tags[b"a"].lower() not in ALGORITHMS
        or b"from" not in covered
        or b"l" in tags  # whatever stands behind the signed length would be anybody's
        or int(tags.get(b"x", now.timestamp() + 1)) <= now.timestamp()
    ):
        return frozenset()

    def key(name: bytes, timeout: int = 5) -> bytes:
        record = look_up(name.decode("ascii").rstrip("."))
        if record is None or len(record) > LONGEST_KEY or TESTING.search(record):
            return b"v=DKIM1; p="
        return record

    good = message.verify(index, dnsfunc=key)
    return frozenset(name.decode() for name in covered) if good else frozenset()
