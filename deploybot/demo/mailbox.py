"""The demo's mail server: takes the bot's mails for the workspace's page, and its replies for the bot.

It stands where a company's mail server would: it vouches for its senders in Authentication-Results
and hands what they write, signed, to the bot. What is in a mail is none of its business.
"""

import asyncio
import http.client
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.parser import BytesParser
from email.utils import format_datetime, make_msgid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import urlsplit

from aiosmtpd.smtp import SMTP, Envelope, Session
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from deploybot.inbound.email_delivery import sign

LOCALHOST = "127.0.0.1"
LIMIT = 1_000_000
TIMEOUT = 10.0
"""Seconds for one call of the workspace or the bot."""


class Reply(BaseModel):
    """What a person wrote on the page: addresses, words, and the mail it answers if any."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    sender: str = Field(alias="from")
    to: str
    subject: str = ""
    text: str
    in_reply_to: str | None = None


@dataclass(frozen=True)
class MailboxSettings:
    """Whom the mailbox serves; the two addresses are asked for at each use, as they may come later.

    `authserv_id` is the name under which it vouches for senders, `secret` what it signs with.
    """

    workspace_url: Callable[[], str]
    bot_url: Callable[[], str]
    authserv_id: str
    secret: str = field(repr=False)
    now: Callable[[], datetime]


class Mailbox:
    """A mail server on the loopback, while the `with` block lasts.

    The bot sends to `smtp_url`; the page posts replies to `reply_url`.
    """

    def __init__(self, settings: MailboxSettings) -> None:
        self._settings = settings
        self._loop = asyncio.new_event_loop()
        self._smtp_port = 0
        self._web = _Web((LOCALHOST, 0), settings)
        self._threads: list[threading.Thread] = []

    @property
    def smtp_url(self) -> str:
        """Where the bot sends its mails to."""
        return f"smtp://{LOCALHOST}:{self._smtp_port}"

    @property
    def reply_url(self) -> str:
        """Where the page posts what people write."""
        return f"http://{LOCALHOST}:{self._web.server_port}/reply"

    def __enter__(self) -> Self:
        server = self._loop.run_until_complete(
            self._loop.create_server(
                lambda: SMTP(_Smtp(self._settings), hostname="localhost", loop=self._loop),
                LOCALHOST,
                0,
            )
        )
        self._smtp_port = server.sockets[0].getsockname()[1]
        self._threads = [
            threading.Thread(target=self._loop.run_forever, name="mailbox-smtp", daemon=True),
            threading.Thread(target=self._web.serve_forever, name="mailbox-web", daemon=True),
        ]
        for thread in self._threads:
            thread.start()
        self._server = server
        return self

    def __exit__(self, *_: object) -> None:
        self._web.shutdown()
        self._web.server_close()
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(TIMEOUT)
        self._loop.call_soon_threadsafe(self._loop.stop)
        for thread in self._threads:
            thread.join(TIMEOUT)
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()

    async def _end(self) -> None:
        self._server.close()
        running = asyncio.all_tasks() - {asyncio.current_task()}
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def compose(reply: Reply, *, authserv_id: str, now: datetime) -> bytes:
    """Return the message that a person's mail program and their mail server would make of it."""
    message = EmailMessage(policy.SMTP)
    domain = reply.sender.rpartition("@")[2]
    message["Authentication-Results"] = f"{authserv_id}; dmarc=pass header.from={domain}"
    message["From"] = Address(addr_spec=reply.sender)
    message["To"] = reply.to
    message["Subject"] = " ".join(reply.subject.split())
    message["Date"] = format_datetime(now)
    message["Message-ID"] = make_msgid(domain=domain)
    if reply.in_reply_to and reply.in_reply_to.startswith("<"):
        message["In-Reply-To"] = reply.in_reply_to
        message["References"] = reply.in_reply_to
    message.set_content(reply.text)
    return message.as_bytes()


def as_json(raw: bytes) -> dict[str, Any]:
    """Return a mail of the bot as the workspace's page shows it."""
    message = BytesParser(EmailMessage, policy=policy.default).parsebytes(raw)
    parts = {kind: message.get_body((kind,)) for kind in ("plain", "html")}
    shown = {
        kind: str(part.get_content()).replace("\r\n", "\n") if part else ""
        for kind, part in parts.items()
    }
    return {
        "id": str(message["Message-ID"]),
        "from": str(message["From"]),
        "to": str(message["To"]),
        "reply_to": str(message["Reply-To"] or ""),
        "subject": str(message["Subject"] or ""),
        "text": shown["plain"],
        "html": shown["html"],
        "headers": {name: str(value) for name, value in message.items()},
    }


@dataclass(frozen=True)
class _Smtp:
    """What aiosmtpd calls for each message."""

    settings: MailboxSettings

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        """Take a message once the workspace has it; the bot tries again otherwise."""
        raw = envelope.content or b""
        if isinstance(raw, str):
            raw = raw.encode()
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(None, self._hand_over, raw)

    def _hand_over(self, raw: bytes) -> str:
        body = json.dumps(as_json(raw)).encode()
        url = f"{self.settings.workspace_url()}/_control/mail"
        try:
            status = _post(url, body, {"Content-Type": "application/json"})
        except OSError:
            return "451 the workspace cannot be reached"
        return "250 taken" if status < 300 else f"451 the workspace answered {status}"


class _Web(ThreadingHTTPServer):
    """Takes what people write on the page."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], settings: MailboxSettings) -> None:
        super().__init__(address, _Handler)
        self.settings = settings


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        """Send a person's mail to the bot, and answer as the bot did."""
        server = self.server
        assert isinstance(server, _Web)  # noqa: S101 - it is started there and nowhere else
        settings = server.settings
        length = self.headers.get("Content-Length", "")
        if self.path != "/reply" or not length.isdecimal() or int(length) > LIMIT:
            self._say(400, "Post a reply of at most 1 MB to /reply; nothing was sent.")
            return
        try:
            reply = Reply.model_validate_json(self.rfile.read(int(length)))
            now = settings.now()
            raw = compose(reply, authserv_id=settings.authserv_id, now=now)
        except (ValidationError, ValueError, IndexError):
            self._say(422, "This cannot be made into a mail; nothing was sent.")
            return
        headers = sign(settings.secret, int(now.timestamp()), raw)
        url = f"{settings.bot_url()}/email/inbound"
        try:
            status = _post(url, raw, {**headers, "Content-Type": "message/rfc822"})
        except OSError:
            self._say(502, "The bot cannot be reached; the mail was not sent.")
            return
        self._say(status, "The bot has the mail." if status < 300 else "The bot did not take it.")

    def _say(self, status: int, text: str) -> None:
        body = json.dumps({"text": text}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Keep quiet: the bot and the workspace tell what happened."""


def _post(url: str, body: bytes, headers: dict[str, str]) -> int:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=TIMEOUT)
    try:
        connection.request("POST", parts.path, body, headers)
        response = connection.getresponse()
        response.read()
    except http.client.HTTPException as error:
        raise OSError(str(error)) from error
    finally:
        connection.close()
    return response.status
