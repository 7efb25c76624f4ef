"""Builds what mail needs from the settings: the bot's place in it, the way in and the way out."""

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from deploy.secret import SecretKey
from deploybot.config import Configuration, Settings
from deploybot.inbound.email_intake import MailDesk
from deploybot.inbound.email_returns import Returns
from deploybot.inbound.email_room import MailRoom
from deploybot.inbox import Inbox
from deploybot.mail import MailSettings
from deploybot.mail_keys import look_up
from deploybot.mail_notes import RedisMailNotes
from deploybot.outbound.email import EmailChannel
from deploybot.outbound.smtp import SmtpSettings
from deploybot.ports import People
from deploybot.store import RedisStore


def mail_settings(
    settings: Settings, configuration: Configuration, key: bytes
) -> MailSettings | None:
    """Return the bot's place in the world of mail, or None when it has no address."""
    if not settings.email_address:
        return None
    return MailSettings(
        address=settings.email_address,
        authserv_id=settings.email_authserv_id,
        secret=SecretKey(hmac.digest(key, b"mail", hashlib.sha256)),
        environments=frozenset(
            name
            for name, table in configuration.catalog.environments.items()
            if table.approve_by_mail
        ),
        dkim=settings.email_dkim,
    )


@dataclass(frozen=True)
class MailParts:
    """What both ways share."""

    settings: MailSettings
    inbox: Inbox
    store: RedisStore
    people: People
    now: Callable[[], datetime]

    @cached_property
    def notes(self) -> RedisMailNotes:
        """What is remembered of mail."""
        return RedisMailNotes(self.store.queues.connection)

    @cached_property
    def returns(self) -> Returns:
        """What takes bounces."""
        return Returns(self.inbox, self.store, self.people, self.notes)

    @property
    def room(self) -> MailRoom:
        """Where mails come in."""
        desk = MailDesk(self.inbox, self.store, self.people, self.settings)
        return MailRoom(desk, self.returns, self.settings, look_up)

    def channel(self, smtp: str, url_of: Callable[[str], str]) -> EmailChannel:
        """Return the way out, over this mail server."""
        return EmailChannel(
            SmtpSettings.from_url(smtp),
            self.settings,
            people=self.people,
            url_of=url_of,
            alias=self.store.name,
            now=self.now,
            notes=self.notes,
            came_back=lambda thread, address, mail: self.returns.refused(
                thread, address, mail, self.now()
            ),
        )
