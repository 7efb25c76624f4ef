"""The signature with which a mail server hands in a message over HTTP; what the message says is `email`'s."""

import hmac
import re
from collections.abc import Sequence
from datetime import datetime

from deploybot.errors import InboundError

WINDOW = 300
"""Seconds that a signed delivery stays good."""


def sign(secret: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the headers with which a mail server hands in a message; `timestamp` in seconds."""
    return {
        "X-Deploybot-Timestamp": str(timestamp),
        "X-Deploybot-Signature": f"sha256={_signature(secret, str(timestamp), body)}",
    }


def verify(
    secrets: Sequence[str], body: bytes, headers: Sequence[tuple[str, str]], now: datetime
) -> None:
    """Refuse what none of the secrets signed within the last five minutes (InboundError, 401)."""
    stamps = [value for name, value in headers if name.casefold() == "x-deploybot-timestamp"]
    claims = [value for name, value in headers if name.casefold() == "x-deploybot-signature"]
    if len(stamps) != 1 or not re.fullmatch(r"[0-9]{1,12}", stamps[0], re.ASCII):
        raise InboundError("X-Deploybot-Timestamp is missing or no number; nothing was stored.")
    if len(claims) != 1 or not re.fullmatch(r"sha256=[0-9a-f]{64}", claims[0]):
        raise InboundError("X-Deploybot-Signature is missing or garbled; nothing was stored.")
    age = abs(now.timestamp() - int(stamps[0]))
    if age > WINDOW:
        raise InboundError(
            f"The delivery is {age:.0f} s old, more than {WINDOW} s; nothing was stored. "
            "Compare the clocks of the two servers."
        )
    claimed = claims[0].removeprefix("sha256=")
    genuine = [
        hmac.compare_digest(_signature(secret, stamps[0], body), claimed)
        for secret in secrets
        if secret
    ]
    if not any(genuine):
        raise InboundError(
            "The signature does not fit the message; nothing was stored. "
            "Both sides need the same DEPLOYBOT_EMAIL_SECRET."
        )


def _signature(secret: str, timestamp: str, body: bytes) -> str:
    return hmac.digest(secret.encode(), timestamp.encode() + b"." + body, "sha256").hex()
