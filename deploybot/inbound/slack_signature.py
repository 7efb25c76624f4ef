"""Whether a request comes from Slack: its signature and its age; what it says is read in `slack`."""

import hashlib
import hmac
import re
from collections.abc import Sequence
from datetime import datetime

from deploybot.errors import InboundError

WINDOW = 300
"""Seconds by which a request may differ from our clock, either way."""

_TIMESTAMP = re.compile(r"[0-9]{1,15}", re.ASCII)
_SIGNATURE = re.compile(r"v0=[0-9a-f]{64}", re.ASCII)


def verify(
    secrets: Sequence[str],
    body: bytes,
    timestamps: Sequence[str],
    signatures: Sequence[str],
    now: datetime,
) -> None:
    """Return when the raw body was signed by one of `secrets` within the window.

    `timestamps` and `signatures` are all the values of `X-Slack-Request-Timestamp` and
    `X-Slack-Signature`: a header that is missing or comes twice is refused, not chosen from.
    Raises InboundError (401) and nothing else, whatever it is given.
    """
    timestamp = _only(timestamps, _TIMESTAMP, "X-Slack-Request-Timestamp")
    signature = _only(signatures, _SIGNATURE, "X-Slack-Signature")
    signed = b"v0:" + timestamp.encode() + b":" + body
    # Every secret is tried, so that the time taken does not tell which one matched.
    matches = [
        hmac.compare_digest(_signature(secret, signed), signature) for secret in secrets if secret
    ]
    if not any(matches):
        raise InboundError(
            "Bad signature: this request was not signed with the app's signing secret; nothing "
            "was stored. Compare SLACK_SIGNING_SECRET with the app's Basic Information page."
        )
    age = int(now.timestamp()) - int(timestamp)
    if abs(age) > WINDOW:
        raise InboundError(
            f"Too {'old' if age > 0 else 'new'} ({abs(age)} s > {WINDOW} s); nothing was stored. "
            "If every request is refused like this, set this host's clock."
        )


def _only(values: Sequence[str], shape: re.Pattern[str], header: str) -> str:
    if len(values) != 1 or not shape.fullmatch(values[0]):
        raise InboundError(
            f"The request must carry exactly one well-formed {header}; nothing was stored."
        )
    return values[0]


def _signature(secret: str, signed: bytes) -> str:
    return "v0=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
