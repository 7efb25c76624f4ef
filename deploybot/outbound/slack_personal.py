"""What is written to one person alone in Slack, in a direct message: what became of their commits."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from slack_sdk import WebClient

from deploybot.errors import DeliveryError
from deploybot.inbound.slack_buttons import message_alias
from deploybot.outbound.slack_blocks import personal
from deploybot.outbound.slack_calls import Pace, RefusedCallError, UnsureCallError, call
from deploybot.outbound.slack_posting import Noted, Place, Posting
from deploybot.yours import Told

_LOG = logging.getLogger(__name__)


class Writer(Protocol):
    """What writing to one person takes of the channel."""

    @property
    def client(self) -> WebClient:
        """The workspace."""

    @property
    def pacing(self) -> Pace:
        """How fast one may write."""

    @property
    def url_of(self) -> Callable[[str], str]:
        """Thread id → address of its page."""

    @property
    def alias(self) -> Callable[[str, str], None]:
        """Keeps that an alias finds a thread."""

    @property
    def now(self) -> Callable[[], datetime]:
        """The clock."""


@dataclass(frozen=True)
class Personal:
    """One message to one person about one telling; its key is noted once it was tried."""

    about: str
    thread: str
    told: Told

    @property
    def key(self) -> str:
        """Return what it is noted under."""
        return f"{self.about}@{self.told.person.id}"


def write_to(writer: Writer, letter: Personal, noted: Noted) -> None:
    """Write it, at most once: nobody waits for it, and twice would be worse than never."""
    user = letter.told.person.slack
    if not user or letter.told.by_mail or noted.get(letter.key):
        return
    writer.pacing.take(user, writer.now())
    noted.put(letter.key, trying=writer.now().isoformat())
    drawing = personal(letter.told, writer.url_of(letter.thread))
    try:
        answer = call(
            writer.client.chat_postMessage,
            channel=user,
            text=drawing.text,
            blocks=list(drawing.blocks),
            unfurl_links=False,
            metadata=Posting(letter.key, Place(user), drawing).mark(letter.thread),
        )
    except (RefusedCallError, UnsureCallError):
        extra = {"action": "tell_author", "thread_id": letter.thread}
        _LOG.warning("not told", extra=extra)
    except DeliveryError:
        noted.put(letter.key)
        raise
    else:
        at = Place(str(answer["channel"]), str(answer["ts"]))
        writer.alias(message_alias(at.channel, at.root), letter.thread)
        noted.put(letter.key, channel=at.channel, ts=at.root)
