"""Mail as a channel: sends what people are to be told and were not, each mail once."""

import json
import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from deploybot.errors import DeliveryError
from deploybot.mail import MailSettings, code_alias, message_alias
from deploybot.outbound.email_letters import Letter, letters
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

        Raises DeliveryError when one was not taken: with `retry_after` in seconds when the rest
        waits for another try; with None when one recipient is refused for good and all others got
        theirs.
        """
        wanted = letters(thread, tellings, sent, self._people, self._settings)
        private = {telling.key for telling in tellings if isinstance(telling, Private)}
        refused: DeliveryError | None = None
        told = _told_lately(sent, self._now())
        with connection(self._smtp, self._settings.domain) as server:
            for letter in wanted:
                if letter.key in private:
                    if letter.reader.address in told:
                        note(letter.key, self._noted(letter, "told lately"))
                        continue
                    told.add(letter.reader.address)
                state = "sent"
                try:
                    self._send(server, thread, letter)
                except DeliveryError as error:
                    if error.retry_after is not None:
                        raise
                    refused, state = error, "refused"
                    logger.warning("mail refused", extra={"action": "mail", "thread_id": thread.id})
                note(letter.key, self._noted(letter, state, private=letter.key in private))
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
