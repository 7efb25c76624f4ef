"""How long a mail waits that its server does not take now: longer with each try, and not for ever."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from deploybot.errors import DeliveryError
from deploybot.outbound.email_content import Letter
from deploybot.outbound.smtp import RETRY

LONGEST = timedelta(hours=1)
"""The longest time between two tries."""
GIVES_UP = timedelta(days=3)
"""From the first try on; then the mail counts as refused."""


@dataclass(frozen=True)
class Late:
    """A mail that is tried again: what to note of it, and the error that says when."""

    noted: str
    error: DeliveryError


def late_key(letter: Letter) -> str:
    """Return the key under which it is noted how often a mail was tried."""
    return f"late:{letter.key}"


def put_off(noted: str | None, error: DeliveryError, now: datetime) -> Late | None:
    """Return when a mail is tried again, by what was noted before; None when it never is."""
    if error.retry_after is None:
        return None
    before = json.loads(noted) if noted else {}
    tries, since = int(before.get("tries", 0)), str(before.get("since") or now.isoformat())
    if now - datetime.fromisoformat(since) > GIVES_UP:
        return None
    waited = (now - datetime.fromisoformat(since)).total_seconds()
    seconds = min(max(RETRY, waited), LONGEST.total_seconds())  # twice as long, whoever woke it
    kept = {"tries": tries + 1, "since": since}
    return Late(json.dumps(kept), DeliveryError(str(error), retry_after=seconds))
