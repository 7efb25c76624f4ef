"""Mails as people and their mail servers make them, and a company that reads and answers them."""

from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any

from fakes import PEOPLE, FakeMailNotes
from story import Story

from deploybot.approvals import ApprovalRequest
from deploybot.events import EmailReceived
from deploybot.inbound.email import Mail, Quarantined, Unwanted, read
from deploybot.inbound.email_bounces import Bounced
from deploybot.inbound.email_dkim import LookUp
from deploybot.inbound.email_intake import MailDesk, Taken
from deploybot.inbound.email_returns import Returns
from deploybot.inbound.email_room import MailRoom
from deploybot.mail import MailSettings, code_alias, reply_code
from deploybot.next_step import Deploy

BOT = "deploybot@bot.example"
MAIL = MailSettings(address=BOT, authserv_id="mx.bot.example", secret=b"s" * 32, environments=None)
ANN, BEN, EVE = "ann@shop.example", "ben@shop.example", "eve@shop.example"


def vouched(sender: str) -> str:
    """Return what the bot's mail server says of a genuine mail."""
    return f"mx.bot.example; spf=pass; dmarc=pass header.from={sender.rpartition('@')[2]}"


def raw_mail(
    text: str,
    *,
    sender: str = BEN,
    to: str = BOT,
    subject: str = "Re: Deploy backend to production",
    results: tuple[str, ...] | None = None,
    headers: tuple[tuple[str, str], ...] = (),
    message_id: str = "<m1@shop.example>",
) -> bytes:
    """Return a mail; without `results` the sender's domain vouches for it."""
    results = (vouched(sender),) if results is None else results
    lines = [f"Authentication-Results: {result}" for result in results]
    lines += [f"From: {sender}", f"To: {to}", f"Subject: {subject}"]
    lines += [f"Message-ID: {message_id}"] if message_id else []
    lines += [f"{name}: {value}" for name, value in headers]
    lines += ["Content-Type: text/plain; charset=utf-8", "", text]
    return "\r\n".join(lines).encode("utf-8", "surrogatepass")


def html_mail(markup: str, **options: Any) -> bytes:
    """Return a mail with nothing but HTML in it."""
    return raw_mail(markup, **options).replace(b"text/plain", b"text/html")


@dataclass
class Correspondence:
    """A story that is told by mail, with a request open on production that Ben may answer."""

    story: Story = field(default_factory=Story)
    settings: MailSettings = MAIL

    def __post_init__(self) -> None:
        self.story.verified_on_staging("main")
        store, inbox = self.story.store, self.story.inbox
        self.desk = MailDesk(inbox, store, PEOPLE, self.settings)

    def opened(self) -> "Correspondence":
        """Let Ann ask for a deploy, and make Ben's and Mia's codes known, as a mail would."""
        step = Deploy(
            service="backend",
            ref="main",
            environment="production",
            reason="Ann asked",
        )
        self.story.model_will(step).person_says("deploy the backend", by="ann")
        for person in ("ann", "ben", "mia"):
            self.story.store.name(code_alias(self.code(person)), self.request.thread)
        return self

    @property
    def request(self) -> ApprovalRequest:
        return self.story.request

    def code(self, person: str) -> str:
        return reply_code(self.settings.secret, self.request, person)

    def address(self, person: str) -> str:
        return self.settings.reply_address(self.code(person))

    def arrives(self, raw: bytes) -> Taken:
        """Hand a mail in; fails when it cannot be read."""
        mail = read(raw, self.settings)
        assert isinstance(mail, Mail), mail
        return self.desk.take(mail, self.story.clock.now())

    def refused(self, raw: bytes) -> Unwanted | Bounced | Quarantined:
        mail = read(raw, self.settings)
        assert not isinstance(mail, Mail), mail
        return mail

    def mails_in(self, thread: str) -> list[EmailReceived]:
        events = self.story.store.load(thread).events
        return [event for event in events if isinstance(event, EmailReceived)]


def no_keys(name: str) -> bytes | None:
    """Look up a key where no domain has one."""
    return None


def room_of(story: Story, settings: MailSettings = MAIL, look_up: LookUp = no_keys) -> MailRoom:
    """Return where the mails of a story come in."""
    desk = MailDesk(story.inbox, story.store, PEOPLE, settings)
    returns = Returns(story.inbox, story.store, PEOPLE, FakeMailNotes())
    return MailRoom(desk, returns, settings, look_up)


def parsed(message: EmailMessage, kind: str) -> str:
    """Return one of the bodies of a message."""
    part = message.get_body((kind,))
    assert isinstance(part, EmailMessage)
    return str(part.get_content()).replace("\r\n", "\n")
