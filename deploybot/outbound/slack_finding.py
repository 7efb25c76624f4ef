"""Looks in Slack for a message that may be there although Slack never said so."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

from slack_sdk import WebClient

from deploybot.outbound.slack_calls import RefusedCallError, call
from deploybot.outbound.slack_posting import Posting

NO_THREAD = {"thread_not_found", "cannot_reply_to_message", "invalid_thread_ts"}
_PAGES = 5


def found(client: WebClient, posting: Posting, thread: str, tried_at: str) -> Iterator[str]:
    """Yield the ts of each message that is this posting, tried since then (ISO); raises DeliveryError."""
    # Slack's clock stamps the message, ours the try.
    oldest = datetime.fromisoformat(tried_at) - timedelta(minutes=10)
    arguments: dict[str, Any] = {
        "channel": posting.place.channel,
        "include_all_metadata": True,
        "limit": 200,
        "oldest": f"{oldest.timestamp():.6f}",
    }
    method: Callable[..., Any] = client.conversations_history
    if posting.place.root:
        method = client.conversations_replies
        arguments["ts"] = posting.place.root
    for _ in range(_PAGES):
        try:
            answer = call(method, **arguments)
        except RefusedCallError as error:
            if error.code not in NO_THREAD:
                raise
            return
        for message in answer.get("messages") or ():
            if posting.is_marked(message, thread):
                yield str(message["ts"])
        arguments["cursor"] = (answer.get("response_metadata") or {}).get("next_cursor")
        if not arguments["cursor"]:
            return
