"""Mails of the bot that came back: to whom they did not get; what follows is `email_returns`'s.

Pure: bytes in, what a bounce says out. A bounce is never anybody's words.
"""

import email
import email.policy
from dataclasses import dataclass

from flufl.bounce import all_failures

from deploybot.mail import MailSettings, message_ids_in

LONGEST = 200_000
"""Bytes that are looked at: a report stands before the mail that came back."""
MOST = 10
"""Addresses and names of mails of one bounce that are looked at."""


@dataclass(frozen=True)
class Bounced:
    """A bounce: `failed` got nothing and never will, `delayed` may still.

    Who knows the name of one of our mails got it, or carried it: nobody can guess one.
    """

    failed: tuple[str, ...]
    delayed: tuple[str, ...]
    mails: tuple[str, ...]
    """Message-IDs of the bot that the bounce names."""


def bounced(raw: bytes, settings: MailSettings) -> Bounced | None:
    """Return what a bounce of one of our mails says, or None when it is none."""
    raw = raw[:LONGEST]
    mails = message_ids_in(settings, raw)
    if not mails:
        return None
    delayed, failed = all_failures(email.message_from_bytes(raw, policy=email.policy.compat32))
    if not failed and not delayed:
        return None
    return Bounced(_plain(failed), _plain(delayed), mails[:MOST])


def _plain(addresses: frozenset[bytes]) -> tuple[str, ...]:
    return tuple(sorted(address.decode("ascii").casefold() for address in addresses))[:MOST]
