"""Reads one mailbox for as long as the process lives: takes each mail, then marks it, in this order.

Nothing is marked before what it says is stored, so a cut connection, a killed process or a store
that is away loses nothing; what comes twice by that is told apart by the inbox.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from deploy import failpoints
from deploybot.errors import ConflictError, StoreUnavailableError
from deploybot.inbound.email import Quarantined, quarantined
from deploybot.inbound.email_intake import Taken
from deploybot.inbound.email_room import MailRoom
from deploybot.mailbox_address import MailboxAddress
from deploybot.mailboxes.connection import (
    AwayError,
    Listening,
    MailboxConnection,
    NotLetInError,
)
from deploybot.ports import MailNotes

logger = logging.getLogger(__name__)

FIRST_LISTEN_SECONDS = 1.0
"""How long the first IDLE lasts after something came, each further one twice as long: what the server
says in one breath with the beginning of an IDLE is not heard by the library until more is said."""
LISTEN_SECONDS = 60.0
"""How long one IDLE lasts at most: servers end it after half an hour, and a dead line says nothing."""
POLL_SECONDS = 10.0
"""How often a server is asked that does not speak up by itself."""
HEED_SECONDS = 1.0
"""How soon the process notices that it is to end."""
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 60.0
PAUSE_WHEN_SHUT_OUT = 300.0


@dataclass
class MailboxReader:
    """One mailbox and what its mails are handed to.

    `seen` is called whenever the mailbox was looked at, `count` with what became of each mail.
    """

    address: MailboxAddress
    room: MailRoom
    notes: MailNotes
    now: Callable[[], datetime]
    seen: Callable[[], object] = lambda: None
    count: Callable[[str], object] = lambda _: None
    listen_seconds: float = LISTEN_SECONDS
    poll_seconds: float = POLL_SECONDS
    timeout: float = 30.0
    connect: Callable[..., MailboxConnection] = MailboxConnection
    _pause: float = field(default=FIRST_PAUSE, init=False)
    _listens: float = field(default=FIRST_LISTEN_SECONDS, init=False)
    _stuck: set[tuple[int, int]] = field(default_factory=set, init=False)

    def run(self, stop: threading.Event) -> None:
        """Read until `stop` is set; whatever goes wrong with the server or the store ends nothing."""
        while not stop.is_set():
            pause = 0.0
            try:
                with self.connect(self.address, timeout=self.timeout) as mailbox:
                    self._read(mailbox, stop)
            except NotLetInError as error:
                pause = PAUSE_WHEN_SHUT_OUT
                self._say(logging.ERROR, f"{error} Mend DEPLOYBOT_IMAP_URLS.", pause)
            except (AwayError, StoreUnavailableError, ConflictError) as error:
                pause = self._pause
                self._pause = min(2 * self._pause, LONGEST_PAUSE)
                self._say(logging.WARNING, str(error), pause)
            stop.wait(pause)

    def _say(self, level: int, text: str, pause: float) -> None:
        about_it = {"action": "read_mailbox", "mailbox": self.address.name, "again": pause}
        logger.log(level, text, extra=about_it)

    def _read(self, mailbox: MailboxConnection, stop: threading.Event) -> None:
        logger.info(
            "reads a mailbox",
            extra={
                "action": "read_mailbox",
                "mailbox": self.address.name,
                "validity": mailbox.validity,
                "idle": mailbox.idles,
            },
        )
        while not stop.is_set():
            uids = [uid for uid in mailbox.uids() if (mailbox.validity, uid) not in self._stuck]
            for uid in uids:
                self._take(mailbox, uid)
                if stop.is_set():
                    return
            self.seen()
            self._pause = FIRST_PAUSE
            if uids:  # something may have come meanwhile, unsaid
                self._listens = FIRST_LISTEN_SECONDS
            else:
                self._wait(mailbox, stop)

    def _wait(self, mailbox: MailboxConnection, stop: threading.Event) -> None:
        """Wait until something may have come."""
        if not mailbox.idles:
            stop.wait(self.poll_seconds)
            return
        with mailbox.listening() as line:
            self._listen(line, stop)

    def _listen(self, line: Listening, stop: threading.Event) -> None:
        left = min(self._listens, self.listen_seconds)
        while left > 0 and not stop.is_set():
            part = min(left, HEED_SECONDS)
            if line.hears(part):
                return
            left -= part
        self._listens = min(2 * self._listens, self.listen_seconds)

    def _take(self, mailbox: MailboxConnection, uid: int) -> None:
        """Take one mail, unless it was taken, and mark it; what cannot be handled is put aside."""
        key = f"{self.address.name}\n{mailbox.validity}\n{uid}"
        put_aside = False
        if not self.notes.was_taken(key):
            found = mailbox.fetch(uid)
            if found is None:
                return
            taken = self._handled(found)
            put_aside = taken.put_aside
            self._tell(uid, taken)
            if not put_aside:
                failpoints.at("imap.note.before")
                self.notes.note_taken(key)
        if not mailbox.settle(uid, put_aside=put_aside):
            self._stuck.add((mailbox.validity, uid))
            text = "the server lets the bot neither move nor flag a mail; it was taken, and stays"
            self._say(logging.ERROR, text, 0.0)

    def _handled(self, found: bytes | Quarantined) -> Taken:
        desk, now = self.room.desk, self.now()
        if isinstance(found, Quarantined):
            return desk.quarantine(found, now)
        try:
            return self.room.take(found, now)
        except (StoreUnavailableError, ConflictError):
            raise
        except Exception as error:  # noqa: BLE001 - this mail must neither get lost nor stop the next
            # the error's own words may be the mail's, so they stay out of the log
            self._say(logging.ERROR, f"a mail could not be handled ({type(error).__name__})", 0.0)
            reason = f"the bot could not handle it ({type(error).__name__})"
            return desk.quarantine(quarantined(found, reason), now)

    def _tell(self, uid: int, taken: Taken) -> None:
        outcome = taken.outcome.partition(":")[0]
        about_it = {
            "action": "take_mail",
            "mailbox": self.address.name,
            "uid": uid,
            "thread_id": taken.thread,
            "outcome": outcome,
        }
        logger.info("took a mail", extra=about_it)
        self.count(outcome)
