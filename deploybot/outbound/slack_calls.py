"""One call to Slack at a time: its pace, its time-out, and what a failure means for the next try."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.client import HTTPException
from typing import Any, Never, Protocol
from urllib.parse import urlsplit
from urllib.request import (
    HTTPRedirectHandler,
    HTTPSHandler,
    ProxyHandler,
    Request,
    build_opener,
)

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web import SlackResponse

from deploy import failpoints
from deploybot.errors import DeliveryError

UNREACHED = (SlackClientError, HTTPException, OSError)
"""Everything that a call may raise."""

_TRY_AGAIN = 2.0
_UNSURE = {
    "fatal_error",
    "internal_error",
    "request_timeout",
    "service_unavailable",
    "team_added_to_org",
}
_FOR_GOOD = {
    "account_inactive": "Slack has deactivated the bot; install the app again",
    "channel_not_found": "Slack does not know the channel; invite the bot or correct its id",
    "invalid_auth": "Slack refuses the bot's token; check SLACK_BOT_TOKEN",
    "is_archived": "the channel is archived; name another one in deploybot.toml",
    "missing_scope": "the app lacks a permission; install it again from `deploybot manifest`",
    "msg_too_long": "Slack finds the message too long; read it on the thread's page",
    "not_authed": "there is no bot token; set SLACK_BOT_TOKEN",
    "not_in_channel": "the bot is not in the channel; invite it there",
    "restricted_action": "the workspace does not let the bot post there; ask its admins",
    "token_expired": "the bot's token has expired; set a new SLACK_BOT_TOKEN",
    "token_revoked": "the bot's token was revoked; install the app again",
}


NO_PLACE = {
    "channel_not_found": "I am not in it",
    "is_archived": "it is archived",
    "not_in_channel": "I am not in it",
    "restricted_action": "the workspace does not let me",
}
"""What Slack has against writing in one channel, as it is told in another."""
OF_THE_BOT = {
    "account_inactive",
    "invalid_auth",
    "missing_scope",
    "not_authed",
    "token_expired",
    "token_revoked",
}
"""What Slack has against the bot itself, wherever it writes."""
TOO_LONG = {"msg_too_long", "msg_blocks_too_long"}


class RefusedCallError(DeliveryError):
    """Slack said no to this very call, and did nothing; `code` is its own word for it."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message, retry_after=None)
        self.code = code


class UnsureCallError(DeliveryError):
    """Nobody can tell whether Slack did it; look before doing it again."""


class _NoRedirects(HTTPRedirectHandler):
    """The bot's token goes where it was meant to go, and nowhere else."""

    def redirect_request(self, *_: object, **__: object) -> None:
        return None


class _Client(WebClient):
    """Slack's own client, which would follow a redirect with the token and take what is there for Slack."""

    def __reduce_ex__(self, protocol: object) -> Never:
        """Refuse to be pickled: the token would be in it."""
        raise TypeError("a client of Slack is not pickled: make one where it is needed")

    def _perform_urllib_http_request_internal(self, url: str, req: Request) -> dict[str, Any]:
        proxies = {"http": self.proxy, "https": self.proxy} if self.proxy else {}
        opener = build_opener(_NoRedirects, ProxyHandler(proxies), HTTPSHandler(context=self.ssl))
        with opener.open(req, timeout=self.timeout) as answer:
            charset = answer.headers.get_content_charset() or "utf-8"
            body = answer.read().decode(charset)
            return {"status": answer.status, "headers": answer.headers, "body": body}


def slack_client(
    token: str, api_url: str = "https://slack.com/api/", timeout: int = 10
) -> WebClient:
    """Return a client that never repeats a call by itself: a repeated post is a second message."""
    client = _Client(token=token, base_url=api_url, timeout=timeout, retry_handlers=[])
    if is_here(api_url):
        client.proxy = None
    return client


def is_here(api_url: str) -> bool:
    """Tell whether Slack is this machine itself, as in tests and the demo: no proxy leads there."""
    return urlsplit(api_url).hostname in {"127.0.0.1", "localhost", "::1"}


def call(method: Callable[..., SlackResponse], **arguments: Any) -> SlackResponse:
    """Make one call.

    Raises RefusedCallError, UnsureCallError, or DeliveryError with the seconds to wait when Slack
    asks for fewer calls.
    """
    try:
        failpoints.at("slack.call.before")
        answer = method(**arguments)
        failpoints.at("slack.call.after", lost=TimeoutError)
    except SlackApiError as error:
        raise _meaning(error) from None
    except UNREACHED as error:
        raise UnsureCallError(
            f"Slack did not answer ({type(error).__name__}); the message may be missing there.",
            retry_after=_TRY_AGAIN,
        ) from None
    return answer


def _meaning(error: SlackApiError) -> DeliveryError:
    response = error.response
    status = getattr(response, "status_code", 200)
    data = response.data if isinstance(response, SlackResponse) else response
    code = str(data.get("error", "")) if isinstance(data, dict) else ""
    if status == 429 or code in {"ratelimited", "rate_limited"}:
        seconds = _seconds(getattr(response, "headers", {}))
        return DeliveryError(f"Slack asks to wait {seconds:g} s.", retry_after=seconds)
    if status >= 500 or not code or code in _UNSURE:
        return UnsureCallError(
            f"Slack failed ({code or status}); the message may be missing there.",
            retry_after=_TRY_AGAIN,
        )
    why = _FOR_GOOD.get(code, "see Slack's documentation of this error")
    return RefusedCallError(f"Slack refused the message ({code}), so it was not told: {why}.", code)


def _seconds(headers: Any) -> float:
    given = next((v for k, v in dict(headers).items() if k.casefold() == "retry-after"), "")
    try:
        seconds = float(given[0] if isinstance(given, list) else given)
    except (IndexError, TypeError, ValueError):
        return 30.0
    return min(max(seconds, 0.1), 3600.0) if math.isfinite(seconds) else 30.0


class Pace(Protocol):
    """How fast a channel may be written to."""

    def take(self, channel: str, now: datetime) -> None:
        """Count one message; raises DeliveryError with the seconds until the next one may go."""


@dataclass
class Pacing:
    """One message a second for each channel once a small burst is spent; for one process."""

    burst: float = 5.0
    per_second: float = 1.0
    _left: dict[str, tuple[float, datetime]] = field(default_factory=dict, init=False)

    def take(self, channel: str, now: datetime) -> None:
        """Count one message; raises DeliveryError with the seconds until the next one may go."""
        left, since = self._left.get(channel, (self.burst, now))
        gained = max((now - since) / timedelta(seconds=1), 0.0) * self.per_second
        left = min(self.burst, left + gained)
        if left < 1:
            wait = (1 - left) / self.per_second
            self._left[channel] = (left, now)
            raise DeliveryError(f"Slack is told more in {wait:.1f} s.", retry_after=wait)
        self._left[channel] = (left - 1, now)
