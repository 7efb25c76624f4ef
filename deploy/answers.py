"""What a refused or lost request to another system's API means for whoever asked."""

from collections.abc import Mapping
from datetime import UTC, datetime

import requests
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NewConnectionError

from deploy.errors import BusyError, DeniedError, NoAnswerError

REQUEST_SECONDS = 10
"""How long one request may take; shorter than the lease of a worker, which waits for it."""
WAIT_SECONDS = 60.0
"""How long to wait for a system that asks to wait and does not say how long."""

_NEVER_STOOD = (NewConnectionError, ConnectTimeoutError, requests.ConnectTimeout)


def one_line(text: str) -> str:
    """Return what others wrote as one line of at most 300 printable characters."""
    words = " ".join(text.split())
    return "".join(letter for letter in words if letter.isprintable())[:300]


def refused(
    who: str, doing: str, status: int, headers: Mapping[str, str], said: object
) -> BusyError | DeniedError | NoAnswerError:
    """Return the error for an answer that is no success; `said` is the reason given, if any.

    Header names are in lower case.
    """
    if status == 429 or (status == 403 and "retry-after" in headers):
        return busy(who, doing, headers)
    if status >= 500 or status < 400:
        return NoAnswerError(f"{who} could not say whether it did {doing} ({status}).")
    reason = one_line(str(said or "no reason")).rstrip(".")
    return DeniedError(f"{who} refused to {doing} ({status}): {reason}.", status)


def busy(who: str, doing: str, headers: Mapping[str, str]) -> BusyError:
    """Return the error for a system that asks to wait, and for how long by its own clock."""
    seconds = WAIT_SECONDS
    if headers.get("retry-after", "").isdigit():
        seconds = float(headers["retry-after"])
    elif headers.get("x-ratelimit-reset", "").isdigit() and "date" in headers:
        reset = datetime.fromtimestamp(int(headers["x-ratelimit-reset"]), UTC)
        now = datetime.strptime(headers["date"], "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC)
        seconds = max(1.0, (reset - now).total_seconds())
    text = f"{who} asks to wait {seconds:g} s before it is asked to {doing} (its rate limit)."
    return BusyError(text, seconds)


def unheard(who: str, doing: str, error: Exception) -> DeniedError | NoAnswerError:
    """Tell a connection that never stood, so that nothing was asked, from a lost answer."""
    cause = error.args[0] if isinstance(error, requests.ConnectionError) and error.args else error
    reason = cause.reason if isinstance(cause, MaxRetryError) else cause
    if isinstance(error, _NEVER_STOOD) or isinstance(reason, _NEVER_STOOD):
        return DeniedError(f"{who} cannot be reached, so it was not asked to {doing}.", 0)
    return NoAnswerError(f"{who} gave no answer when it was asked to {doing}.")
