"""What those who run the bot must know at once, said directly: by Slack, or else by mail, and without the store."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.message import EmailMessage

from slack_sdk import WebClient

from deploybot.errors import DeliveryError
from deploybot.outbound.slack_calls import call
from deploybot.outbound.slack_text import escape
from deploybot.outbound.smtp import SmtpSettings, connection

EVERY = timedelta(hours=1)
"""The same is said again only after so long."""

logger = logging.getLogger(__name__)


@dataclass
class Alarms:
    """Says each alarm once an hour, by the first way that takes it; it never raises.

    `first` tells whether an alarm of this name is due: of processes that live long, their own
    memory does; those that fork for every job ask the store.
    """

    now: Callable[[], datetime]
    client: WebClient | None = None
    channel: str = ""
    smtp: SmtpSettings | None = None
    sender: str = ""
    readers: tuple[str, ...] = ()
    """Mail addresses of those who may approve."""
    first: Callable[[str], bool] | None = None
    _said: dict[str, datetime] = field(default_factory=dict, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def say(self, name: str, text: str) -> bool:
        """Say it unless it was said within the hour; tell whether somebody took it now."""
        logger.error(text, extra={"action": "alarm", "alarm": name})
        try:
            if not self._is_due(name):
                return False
            return self._by_slack(text) or self._by_mail(text)
        except Exception:  # an alarm may fail; what it is about must go on
            logger.exception("an alarm was not said", extra={"action": "alarm", "alarm": name})
            return False

    def over(self, name: str, text: str) -> None:
        """Say that it is over, if it was said that it began; it may then be said anew."""
        with self._lock:
            began = self._said.pop(name, None)
        if began is not None:
            logger.warning(text, extra={"action": "alarm_over", "alarm": name})
            _ = self._by_slack(text) or self._by_mail(text)

    def _is_due(self, name: str) -> bool:
        with self._lock:
            said, now = self._said.get(name), self.now()
            if said is not None and now - said < EVERY:
                return False
            self._said[name] = now
        return self.first is None or self.first(name)

    def _by_slack(self, text: str) -> bool:
        if self.client is None or not self.channel:
            return False
        try:
            call(
                self.client.chat_postMessage,
                channel=self.channel,
                text=f":rotating_light: {escape(text)}",
            )
        except DeliveryError as error:
            logger.warning(
                "slack did not take an alarm", extra={"action": "alarm", "why": str(error)}
            )
            return False
        return True

    def _by_mail(self, text: str) -> bool:
        if self.smtp is None or not self.readers:
            return False
        taken = False
        with connection(self.smtp, self.sender.rpartition("@")[2]) as server:
            for reader in self.readers:
                mail = EmailMessage()
                mail["From"], mail["To"] = self.sender, reader
                mail["Subject"] = f"deploybot: {text.partition('. ')[0].rstrip('.')}"[:120]
                mail["Auto-Submitted"] = "auto-generated"
                mail["Date"] = self.now()
                mail.set_content(f"{text}\n\nSlack did not take this, so it comes by mail.\n")
                try:
                    server.send(mail, self.sender, reader)
                    taken = True
                except DeliveryError as error:
                    logger.warning(
                        "mail did not take an alarm", extra={"action": "alarm", "why": str(error)}
                    )
        return taken
