"""How people prove who they are by mail: links that work once, kept hashed, and how often one may try.

Slack's way is `signing_in_slack`'s; what being signed in means is `sessions`'.
"""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from typing import cast

import redis

from deploybot.errors import DeliveryError
from deploybot.mail import MailSettings
from deploybot.outbound.smtp import SmtpSettings, connection
from deploybot.ports import People, Person
from deploybot.queue import PREFIX, answering
from deploybot.web.sessions import hashed, new_id

logger = logging.getLogger(__name__)

LINK_LIVES = timedelta(minutes=15)
MAILS = 3
"""Links that one address is sent within `LINK_LIVES`."""
TRIES = 20
"""Times that one place may try to sign in within `LINK_LIVES`."""
MAILBOX_LINE = (
    "Open this address within 15 minutes to sign in to deploybot as {name}:\n\n{url}\n\n"
    "It works once. If you did not ask for it, leave it: nothing happens without you.\n"
)


class Tries:
    """Counts in Redis how often somebody tried something."""

    def __init__(self, connection: redis.Redis) -> None:
        self._redis = connection

    def allows(self, what: str, who: str, most: int) -> bool:
        """Count one try of `who`; tell whether it is within `most` in 15 minutes."""
        key = f"{PREFIX}tries:{what}:{hashed(who)}"
        with answering(), self._redis.pipeline() as pipe:
            pipe.incr(key)
            pipe.expire(key, LINK_LIVES, nx=True)
            count, _ = pipe.execute()
        return int(count) <= most


class Links:
    """Links that stand for one person, once."""

    def __init__(self, connection: redis.Redis) -> None:
        self._redis = connection

    def make(self, person: str) -> str:
        """Return the secret part of a new link."""
        secret = new_id()
        with answering():
            self._redis.set(_key(secret), person, px=LINK_LIVES)
        return secret

    def look(self, secret: str) -> str:
        """Return whose link it is, "" when it is spent, too old or never was; it stays good."""
        with answering():
            found = cast(bytes | None, self._redis.get(_key(secret)))
        return found.decode() if found else ""

    def spend(self, secret: str) -> str:
        """Return whose link it was, to one caller only."""
        with answering():
            found = cast(bytes | None, self._redis.getdel(_key(secret)))
        return found.decode() if found else ""


@dataclass(frozen=True)
class MailedLinks:
    """Sends links to people's own addresses, out of sight of whoever asked for one.

    Whether an address is known is found out after the answer was given, so that neither its words
    nor its time tell.
    """

    links: Links
    tries: Tries
    people: People
    mail: MailSettings
    smtp: SmtpSettings
    url: str
    now: Callable[[], datetime]
    pool: ThreadPoolExecutor

    def ask(self, address: str) -> None:
        """Have a link sent, if the address is a known person's."""
        self.pool.submit(self._send, address)

    def _send(self, address: str) -> None:
        person = self.people.get(self.people.by_email(address))
        if person is None or not self.tries.allows("link", address.casefold(), MAILS):
            return
        try:
            message = self._message(person)
            with connection(self.smtp, self.mail.domain) as server:
                server.send(message, self.mail.address, person.email)
        except (DeliveryError, redis.RedisError) as error:
            logger.warning("a link was not sent: %s", error, extra={"action": "sign_in"})

    def _message(self, person: Person) -> EmailMessage:
        url = f"{self.url}/sign-in/link/{self.links.make(person.id)}"
        mail = EmailMessage(policy.SMTP)
        mail["From"] = Address("deploybot", addr_spec=self.mail.address)
        mail["To"] = Address(addr_spec=person.email)
        mail["Subject"] = "Sign in to deploybot"
        mail["Date"] = format_datetime(self.now())
        mail["Message-ID"] = make_msgid(domain=self.mail.domain)
        mail["List-Id"] = f"deploybot <{self.mail.list_id}>"
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(MAILBOX_LINE.format(name=person.name, url=url))
        return mail


def _key(secret: str) -> str:
    return f"{PREFIX}sign-in:{hashed(secret)}"
