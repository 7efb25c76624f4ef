"""What Slack may still do late: a call that nobody answered can come to pass after a newer one.

It would leave an older state on show, or a second message. So whatever was tried without an answer
is brought once more when nothing of it can be on its way any longer.
"""

import logging
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from slack_sdk import WebClient

from deploybot.outbound.slack_calls import RefusedCallError, call
from deploybot.outbound.slack_finding import found
from deploybot.outbound.slack_posting import LATE, Noted, Posting

_LOG = logging.getLogger(__name__)

LATEST = timedelta(seconds=30)
"""How long after its beginning a call may still come to pass: three times as long as we wait for it."""


def seconds_left(noted: Mapping[str, Any], now: datetime) -> float | None:
    """Return how long such a call may still come to pass, 0.0 once it cannot; None when there is none."""
    if not noted.get(LATE):
        return None
    left = datetime.fromisoformat(str(noted[LATE])) + LATEST - now
    return min(max(left, timedelta(0)), LATEST).total_seconds()


def is_due(noted: Mapping[str, Any], now: datetime) -> bool:
    """Tell whether the message is to be brought once more now, whatever was noted of its look."""
    return seconds_left(noted, now) == 0.0


def trying(noted: Noted, key: str, now: datetime) -> dict[str, Any]:
    """Note that a message is about to be changed; return what was noted of it before."""
    before = noted.get(key)
    noted.put(key, **{**before, LATE: now.isoformat()})
    return before


def take_away(client: WebClient, posting: Posting, thread: str, since: str, kept: str) -> None:
    """Delete what came late of the same message, so that the one that is kept up to date is alone."""
    for ts in found(client, posting, thread, since):
        if ts == kept:
            continue
        with suppress(RefusedCallError):  # an admin's rule, or it is gone: it can stay
            call(client.chat_delete, channel=posting.place.channel, ts=ts)
            extra = {"action": "take_away", "thread_id": thread}
            _LOG.info("a message that Slack posted late was taken away", extra=extra)
