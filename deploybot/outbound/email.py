"""Mail as a channel: sends what people are to be told and were not, each mail once."""

import json
import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from deploybot.errors import DeliveryError
from deploybot.mail import MailSettings, code_alias, message_alias
from deploybot.outbound.email_content import Letter
from deploybot.outbound.email_letters import letters
from deploybot.outbound.email_patience import late_key, put_off
from deploybot.outbound.email_rendering import message
from deploybot.outbound.smtp import Connection, SmtpSettings, connection
from deploybot.ports import People
from deploybot.telling import Private, Telling
from deploybot.thread import Thread

logger = logging.getLogger(__name__)

HELP_AGAIN = timedelta(hours=1)
"""How long one address hears in one thread of no second refusal."""


class EmailChannel:
    """Sends mails over SMTP.

    `alias` lets a name find a thread (`Store.name`); `url_of` gives the address of a thread's page.
    """

    name = "email"

    def __init__(
        self,
        smtp: SmtpSettings,
        settings: MailSettings,
        *,
        people: People,
        url_of: Callable[[str], str],
        alias: Callable[[str, str], None],
        now: Callable[[], datetime],
    ) -> None:
        self._smtp = smtp
        self._settings = settings
        self._people = people
        self._url_of = url_of
        self._alias = alias
        self._now = now

    def deliver(
        self,
        thread: Thread,
        tellings: tuple[Telling, ...],
        sent: Mapping[str, str],
        note: Callable[[str, str], None],
    ) -> None:
        """Send the mails that are still to be sent.

        Raises DeliveryError when one was not taken: with `retry_after` in seconds when it waits for
        another try; with None when recipients are refused for good. All others got theirs, but
        where the server itself does not answer.
        """
        wanted = letters(thread, tellings, sent, self._people, self._settings)
        private = {telling.key for telling in tellings if isinstance(telling, Private)}
        told, now = _told_lately(sent, self._now()), self._now()
        refused: DeliveryError | None = None
        waiting: dict[str, DeliveryError] = {}
        with connection(self._smtp, self._settings.domain) as server:
            for letter in wanted:
                address = letter.reader.address
                if address in waiting:
                    continue  # what comes later must not come first
                if letter.key in private and address in told:
                    note(letter.key, self._noted(letter, "told lately"))
                    continue
                state = "sent"
                try:
                    self._send(server, thread, letter)
                except DeliveryError as error:
                    if error.retry_after is not None and not server.is_open:
                        raise
                    late = put_off(sent.get(late_key(letter)), error, now)
                    if late is not None:
                        waiting[address] = late.error
                        note(late_key(letter), late.noted)
                        continue
                    refused, state = error, "refused"
                    logger.warning("mail refused", extra={"action": "mail", "thread_id": thread.id})
                if letter.key in private:
                    told.add(address)
                note(letter.key, self._noted(letter, state, private=letter.key in private))
        if waiting:
            raise min(waiting.values(), key=lambda one: one.retry_after or 0)
        if refused:
            raise refused

    def _send(self, server: Connection, thread: Thread, letter: Letter) -> None:
        """Send one mail; whoever replies to it, however fast, is understood."""
        self._alias(message_alias(letter.message_id), thread.id)
        if letter.code:
            self._alias(code_alias(letter.code), thread.id)
        mail = message(
            letter,
            settings=self._settings,
            people=self._people,
            url=self._url_of(thread.id),
            now=self._now(),
        )
        server.send(mail, self._settings.address, letter.reader.address)

    def _noted(self, letter: Letter, state: str, *, private: bool = False) -> str:
        noted = {"id": letter.message_id, "at": self._now().isoformat(), "state": state}
        return json.dumps(noted | ({"private": letter.reader.address} if private else {}))


def _told_lately(sent: Mapping[str, str], now: datetime) -> set[str]:
    """Return the addresses that were sent a refusal a short while ago."""
    noted = [json.loads(value) for value in sent.values()]
    return {
        entry["private"]
        for entry in noted
        if "private" in entry and now - datetime.fromisoformat(entry["at"]) < HELP_AGAIN
    }
