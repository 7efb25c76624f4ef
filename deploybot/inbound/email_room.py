"""Where every mail comes in, whichever way it came: read, then taken, put aside or left alone.

No I/O of its own. The keys that signatures are checked with are looked up by what it is given.
"""

from dataclasses import dataclass
from datetime import datetime

from deploybot.inbound.email import Quarantined, Unwanted, read
from deploybot.inbound.email_bounces import Bounced
from deploybot.inbound.email_dkim import LookUp
from deploybot.inbound.email_intake import MailDesk, Taken
from deploybot.inbound.email_returns import Returns
from deploybot.inbound.email_vouching import Checking
from deploybot.mail import MailSettings


@dataclass(frozen=True)
class MailRoom:
    """Takes mails as bytes, one by one; each counts once, however often and by whichever way it comes."""

    desk: MailDesk
    returns: Returns
    settings: MailSettings
    look_up: LookUp

    def take(self, raw: bytes, now: datetime) -> Taken:
        """Return what became of a mail, once that is stored."""
        mail = read(raw, self.settings, Checking(self.look_up, now))
        match mail:
            case Unwanted(reason=reason):
                return Taken("", f"ignored: {reason}")
            case Bounced():
                return self.returns.take(mail, now)
            case Quarantined():
                return self.desk.quarantine(mail, now)
            case _:
                return self.desk.take(mail, now)
