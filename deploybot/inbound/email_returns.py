"""What follows when a mail of the bot came back: its reader is asked by other ways for a while.

No I/O of its own: the store, the inbox and the notes are given.
"""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from deploybot.events import MailBounced
from deploybot.inbound.email_bounces import Bounced
from deploybot.inbound.email_intake import Taken
from deploybot.inbox import Inbox
from deploybot.mail import message_alias
from deploybot.ports import MailNotes, People, Store

BAD_FOR = timedelta(days=1)
"""How long no mail goes to an address that one came back from."""


@dataclass(frozen=True)
class Returns:
    """Takes bounces, and what a mail server refused at once."""

    inbox: Inbox
    store: Store
    people: People
    notes: MailNotes

    def take(self, bounce: Bounced, now: datetime) -> Taken:
        """Believe a bounce that names one of our mails and the very address that it went to."""
        for mail in bounce.mails:
            thread_id = self.store.find(message_alias(mail))
            address = self._went_to(thread_id, mail) if thread_id else ""
            if thread_id and address.casefold() in bounce.failed:
                self.refused(thread_id, address, mail, now)
                return Taken(thread_id, "bounced")
        kind = "a delay" if bounce.delayed and not bounce.failed else "a bounce of no mail of ours"
        return Taken("", f"ignored: {kind}")

    def refused(self, thread_id: str, address: str, mail: str, now: datetime) -> None:
        """Send no mail to this address for a while, and say so where the mail belongs."""
        until = now + BAD_FOR
        event = MailBounced(
            at=now,
            by="email",
            delivery=f"email:bounce:{mail}",
            person=self.people.by_email(address),
            address=address,
            until=until,
        )
        self.notes.mark_bad(address, BAD_FOR.total_seconds())
        self.inbox.hear(thread_id, event, dedupe=(event.delivery,))

    def _went_to(self, thread_id: str, mail: str) -> str:
        """Return the address that this mail of the bot was sent to, as was noted when it went out."""
        noted = (
            json.loads(value)
            for key, value in self.store.sent(thread_id).items()
            if key.startswith("email:")
        )
        return next((str(one.get("to", "")) for one in noted if one.get("id") == mail), "")
