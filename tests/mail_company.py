"""A small company whose bot reads a mailbox on a real IMAP server and mails over a real SMTP server."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

from dovecot import Dovecot
from failing import Failing
from letters import ANN, BEN, BOT, raw_mail
from redis_server import running_server, wait_until
from shop import now
from small_company import Company
from smtp_sink import SmtpSink

from deploybot.events import Event
from deploybot.redis_safety import client
from deploybot.store import RedisStore


@dataclass
class MailCompany:
    """People at their mail; the bot is the pool, as it is started on a host."""

    company: Company
    dovecot: Dovecot
    sink: SmtpSink
    account: str
    store: RedisStore

    def writes(self, sender: str, text: str, number: int, **more: str) -> float:
        """Let somebody's mail arrive; return when it was in the mailbox."""
        raw = raw_mail(text, sender=sender, message_id=f"<{number}@shop.example>", **more)
        return self.dovecot.deliver(raw, self.account)

    def mail_to(self, address: str, *, carrying: str = "") -> EmailMessage:
        """Wait for the first mail to this address that has such a header, and return it."""

        def found() -> list[EmailMessage]:
            return [
                m
                for m in list(self.sink.mails)
                if m["To"] == address and (m[carrying] or not carrying)
            ]

        wait_until(found, seconds=90)
        return found()[0]

    def events(self) -> list[Event]:
        """Return what happened in the one thread that there is."""
        return [e for thread in self.store.list().threads for e in self.store.load(thread).events]

    def waits_for(self, kind: str) -> Event:
        """Wait until something of this kind has happened, and return it."""

        def found() -> list[Event]:
            return [event for event in self.events() if event.kind == kind]

        wait_until(found, seconds=90)
        return found()[0]

    def approved_by_reply(self) -> float:
        """Ask for a deploy by mail, approve it by replying; return the seconds that the reply took."""
        self.writes(ANN, "deploy backend main to production", 1, subject="Backend, please")
        card = self.mail_to(BEN, carrying="Reply-To")
        quoted = "\r\n".join(f"> {line}" for line in _plain(card).splitlines())
        arrived = self.writes(
            BEN,
            f"approve\r\n\r\nOn Mon, Mar 2, 2026 at 12:03 PM {BOT} wrote:\r\n\r\n{quoted}",
            2,
            to=str(card["Reply-To"]),
            subject=f"Re: {card['Subject']}",
            headers=(("In-Reply-To", str(card["Message-ID"])),),  # type: ignore[arg-type]
        )
        self.waits_for("approval_granted")
        return time.monotonic() - arrived


@contextmanager
def open_mail_company(
    folder: Path, binary: str, failing: Failing | None = None
) -> Iterator[MailCompany]:
    """Run everything for as long as the block lasts; `failing` says what goes wrong in the bot."""
    with (
        tempfile.TemporaryDirectory(prefix="dbt-", ignore_cleanup_errors=True) as mail,
        Dovecot(Path(mail), binary) as dovecot,
        SmtpSink() as sink,
        running_server() as redis_url,
    ):
        company, account = Company(folder, redis_url), dovecot.account()
        file = folder / "deploybot.toml"
        table = file.read_text()
        for name in ("Ann", "Ben"):
            address = f'email = "{name.lower()}@shop.example"'
            table = table.replace(f'name = "{name}"', f'name = "{name}"\n{address}')
        file.write_text(table.replace("order = 3", "order = 3\napprove_by_mail = true"))
        company.settings |= {
            "DEPLOYBOT_EMAIL_ADDRESS": BOT,
            "DEPLOYBOT_EMAIL_AUTHSERV_ID": "mx.bot.example",
            "DEPLOYBOT_SMTP_URL": sink.url,
            "DEPLOYBOT_IMAP_URLS": dovecot.url(account),
            "DEPLOYBOT_FAILPOINT": failing.setting if failing else "",
        }
        connection = client(redis_url)
        store = RedisStore(connection, key=b"k" * 32, now=now)
        try:
            company.start("workers")
            yield MailCompany(company, dovecot, sink, account, store)
        finally:
            company.stop()
            connection.close()


def _plain(mail: EmailMessage) -> str:
    part = mail.get_body(("plain",))
    assert isinstance(part, EmailMessage)
    return str(part.get_content())
