"""Mail as a channel: sends what people are to be told and were not, each mail once."""

import json
import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from deploybot.errors import DeliveryError, NoSuchReaderError
from deploybot.events import AnswerRefused
from deploybot.mail import MailSettings, code_alias, message_alias
from deploybot.outbound.email_content import Letter
from deploybot.outbound.email_letters import letters
from deploybot.outbound.email_patience import late_key, put_off
from deploybot.outbound.email_rendering import message
from deploybot.outbound.smtp import Connection, SmtpSettings, connection
from deploybot.ports import MailNotes, People
from deploybot.telling import CODE_MISUSED, Private, Telling
from deploybot.thread import Thread

logger = logging.getLogger(__name__)

HELP_AGAIN = timedelta(hours=1)
"""How long one address hears in one thread of no second refusal."""


class EmailChannel:
    """Sends mails over SMTP.

    `alias` lets a name find a thread (`Store.name`); `url_of` gives the address of a thread's page.
    `came_back` is told thread, address and Message-ID of a mail that was refused for good.
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
        notes: MailNotes | None = None,
        came_back: Callable[[str, str, str], None] = lambda *_: None,
    ) -> None:
        self._smtp = smtp
        self._settings = settings
        self._people = people
        self._url_of = url_of
        self._alias = alias
        self._now = now
        self._notes = notes
        self._came_back = came_back

    def deliver(
        self,
        thread: Thread,
        tellings: tuple[Telling, ...],
        sent: Mapping[str, str],
        note: Callable[[str, str], None],
    ) -> None:
        """Send the mails that are still to be sent; what was sent needs no second look.

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
                is_private = letter.key in private
                if why_not := self._why_not(thread, letter, told, is_private=is_private):
                    note(letter.key, self._noted(letter, why_not))
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
                    self._refused(thread, letter, error)
                told |= {address} if is_private else set()
                if self._notes and _is_help(thread, letter):
                    self._notes.note_helped(address, HELP_AGAIN.total_seconds())
                note(letter.key, self._noted(letter, state, private=is_private))
        if waiting:
            raise min(waiting.values(), key=lambda one: one.retry_after or 0)
        if refused:
            raise refused

    def _why_not(self, thread: Thread, letter: Letter, told: set[str], *, is_private: bool) -> str:
        """Return why this letter is not sent at all, or nothing."""
        address = letter.reader.address
        if self._notes and self._notes.is_bad(address):
            return "bad address"
        if not is_private or _refusal(thread, letter) == CODE_MISUSED:
            return ""
        helped = self._notes and _is_help(thread, letter) and self._notes.was_helped(address)
        if address in told or helped:
            return "told lately"
        return ""

    def _refused(self, thread: Thread, letter: Letter, error: DeliveryError) -> None:
        """Say whom no mail reaches; a server that refuses the mail itself says nothing of its reader."""
        logger.warning("mail refused", extra={"action": "mail", "thread_id": thread.id})
        if isinstance(error, NoSuchReaderError):
            self._came_back(thread.id, letter.reader.address, letter.message_id)

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
        noted["to"] = letter.reader.address
        return json.dumps(noted | ({"private": letter.reader.address} if private else {}))


def _refusal(thread: Thread, letter: Letter) -> str:
    """Return the reason code of the refusal that a letter tells, "" for other letters."""
    kind, _, seq = letter.key.partition(":")
    event = thread.events[int(seq) - 1] if kind == "refused" and seq.isdigit() else None
    return event.reason_code if isinstance(event, AnswerRefused) else ""


def _is_help(thread: Thread, letter: Letter) -> bool:
    """Tell whether a letter says what to do to somebody who answered nothing that they were asked."""
    return _refusal(thread, letter) == "no_code"


def _told_lately(sent: Mapping[str, str], now: datetime) -> set[str]:
    """Return the addresses that were sent a refusal a short while ago."""
    noted = [json.loads(value) for value in sent.values()]
    return {
        entry["private"]
        for entry in noted
        if "private" in entry and now - datetime.fromisoformat(entry["at"]) < HELP_AGAIN
    }
