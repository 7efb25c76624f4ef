"""A real mail server on the loopback that keeps what it is sent, and refuses when told to."""

import asyncio
import ssl
import threading
from dataclasses import dataclass, field
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from typing import Self

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


@dataclass
class SmtpSink:
    """`mails` are those that were taken; `answers` says what to answer to whom instead.

    With `tls` it speaks TLS, from the first byte if `implicit`; with `logins`, to nobody else.
    """

    mails: list[EmailMessage] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)
    port: int = 0
    tls: ssl.SSLContext | None = None
    implicit: bool = False
    logins: dict[str, str] = field(default_factory=dict)
    tried: list[str] = field(default_factory=list)
    """Names that somebody tried to log in with."""
    over_tls: list[bool] = field(default_factory=list)
    """Of each mail, whether it came over TLS."""

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._server = self._loop.run_until_complete(
            self._loop.create_server(
                self._spoken, "127.0.0.1", 0, ssl=self.tls if self.implicit else None
            )
        )
        self.port = self._server.sockets[0].getsockname()[1]
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    def _spoken(self) -> SMTP:
        return SMTP(
            self,
            hostname="localhost",
            loop=self._loop,
            tls_context=None if self.implicit else self.tls,
            require_starttls=self.tls is not None and not self.implicit,
            auth_required=bool(self.logins) and not self.implicit,
            auth_require_tls=not self.implicit,
            authenticator=self._login,
        )

    def _login(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        name, password = data.login.decode(), data.password.decode()
        self.tried.append(name)
        return AuthResult(success=self.logins.get(name) == password, handled=False)

    async def handle_MAIL(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if "mail" in self.answers:
            return self.answers["mail"]
        if self.logins and not session.authenticated:
            return "530 log in first"
        envelope.mail_from = address
        return "250 ok"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.answers:
            return self.answers[address]
        envelope.rcpt_tos.append(address)
        return "250 ok"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if "data" in self.answers:
            return self.answers["data"]
        raw = envelope.content
        assert isinstance(raw, bytes)
        self.mails.append(BytesParser(EmailMessage, policy=policy.default).parsebytes(raw))
        self.recipients.extend(envelope.rcpt_tos)
        self.over_tls.append(session.ssl is not None or self.implicit)
        return "250 taken"

    async def _end(self) -> None:
        self._server.close()
        running = asyncio.all_tasks() - {asyncio.current_task()}
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
