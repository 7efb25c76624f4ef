"""Who vouches for a mail: our own mail server, or else its sender's domain by its signature.

Pure. When our server has said something, nothing else counts: it knows more than the signature.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from deploybot.inbound.email_authentication import has_spoken, passes_dmarc
from deploybot.inbound.email_dkim import LookUp, signature_of
from deploybot.mail import MailSettings

UNCOVERED = (
    "The signature of its domain does not cover the address that the mail was sent to, so it may "
    "have been taken from another mail."
)


@dataclass(frozen=True)
class Checking:
    """What signatures are checked with: the keys of domains, and the time."""

    look_up: LookUp
    now: datetime


@dataclass(frozen=True)
class Vouched:
    """Whether a mail is its sender's, and which headers are; None stands for all of them."""

    verified: bool
    headers: frozenset[str] | None = None
    unsure: str = ""
    """Why nobody could tell, in a sentence."""

    def covers(self, header: str) -> bool:
        """Tell whether this header may be believed, as far as the mail may."""
        return self.headers is None or header in self.headers


def vouched(
    raw: bytes,
    headers: Sequence[tuple[str, str]],
    sender: str,
    settings: MailSettings,
    checking: Checking | None,
    coded: frozenset[str],
) -> Vouched:
    """Return who vouches for a mail by this sender; `coded` are the headers with reply codes."""
    domain = sender.rpartition("@")[2]
    results = [value for name, value in headers if name == "authentication-results"]
    if has_spoken(results, settings.authserv_id):
        return Vouched(passes_dmarc(results, settings.authserv_id, domain))
    if checking is None or not settings.dkim:
        return Vouched(verified=False)
    signature = signature_of(raw, domain, checking.look_up, checking.now)
    if not signature.verified:
        return Vouched(verified=False, unsure=signature.unsure)
    if coded and not coded & signature.covers:
        return Vouched(verified=False, unsure=UNCOVERED)
    return Vouched(verified=True, headers=signature.covers)
