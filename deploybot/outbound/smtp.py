"""Hands messages to a mail server over SMTP; what they say and who gets them is decided elsewhere."""

import re
import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Literal, Self
from urllib.parse import unquote, urlsplit

from deploy import failpoints
from deploy.secret import NO_SECRET, Secret
from deploybot.errors import ConfigError, DeliveryError, NoSuchReaderError

RETRY = 30.0
"""Seconds until another try when the server does not take a message now."""
RETRY_LOGIN = 300.0
"""Seconds until another try when the server does not let us in: a person must act first."""


@dataclass(frozen=True)
class SmtpSettings:
    """The mail server. `tls`: from the first byte, by STARTTLS, or by STARTTLS if it is offered."""

    host: str
    port: int
    tls: Literal["implicit", "starttls", "offered"]
    user: str = ""
    password: Secret = NO_SECRET
    timeout: float = 10.0
    """Seconds for each answer of the server."""

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Read `smtp://user:password@host:port` or `smtps://…`; raises ConfigError.

        A password is only ever sent over TLS.
        """
        parts = urlsplit(url)
        try:
            port = parts.port
        except ValueError:
            port = 0
        if parts.scheme not in ("smtp", "smtps") or not parts.hostname or port == 0:
            raise ConfigError(
                "DEPLOYBOT_SMTP_URL is wrong. It should look like smtp://user:password@host:587, "
                "or smtps://user:password@host:465."
            )
        user, password = unquote(parts.username or ""), Secret(unquote(parts.password or ""))
        if parts.scheme == "smtps":
            return cls(parts.hostname, port or 465, "implicit", user, password)
        return cls(parts.hostname, port or 587, "starttls" if user else "offered", user, password)


class Connection:
    """One connection, opened with the first message."""

    def __init__(self, settings: SmtpSettings, hostname: str) -> None:
        self._settings = settings
        self._hostname = hostname
        self._server: smtplib.SMTP | None = None

    def send(self, message: EmailMessage, sender: str, recipient: str) -> None:
        """Hand over one message.

        Raises DeliveryError: `retry_after` None when this recipient or message is refused for good.
        """
        with self._in_our_words():
            failpoints.at("mail.send.before")
            server = self._open()
            try:
                server.send_message(message, sender, [recipient])
            except smtplib.SMTPNotSupportedError:  # letters in the address that it does not know
                raise _refused(553) from None
            failpoints.at("mail.send.after", lost=smtplib.SMTPServerDisconnected)

    @property
    def is_open(self) -> bool:
        """Whether the server still speaks to us."""
        return self._server is not None and self._server.sock is not None

    def open(self) -> None:
        """Connect and log in, and send nothing; raises DeliveryError."""
        with self._in_our_words():
            self._open()

    @contextmanager
    def _in_our_words(self) -> Iterator[None]:
        try:
            yield
        except smtplib.SMTPAuthenticationError:
            raise _later("does not accept the name and password", RETRY_LOGIN) from None
        except smtplib.SMTPRecipientsRefused as error:
            code, text = next(iter(error.recipients.values()), (450, b""))
            raise _not_to(code, text) from None
        except (
            smtplib.SMTPSenderRefused
        ) as error:  # nobody's mail would be taken: a person must act
            raise _later(f"takes no mail from the bot ({error.smtp_code})", RETRY_LOGIN) from None
        except smtplib.SMTPResponseException as error:
            raise _refused(error.smtp_code) from None
        except (OSError, smtplib.SMTPException) as error:
            self.close()
            raise _later(f"cannot be reached ({type(error).__name__})", RETRY) from error

    def _open(self) -> smtplib.SMTP:
        self._server = self._server or self._opened()
        return self._server

    def close(self) -> None:
        """Say goodbye, if a connection is open."""
        if self._server is not None:
            with suppress(OSError, smtplib.SMTPException):
                self._server.quit()
            self._server = None

    def _opened(self) -> smtplib.SMTP:
        settings, context = self._settings, ssl.create_default_context()
        host, port, name, timeout = settings.host, settings.port, self._hostname, settings.timeout
        if settings.tls == "implicit":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                host, port, name, timeout=timeout, context=context
            )
        else:
            server = smtplib.SMTP(host, port, name, timeout)
        try:
            server.ehlo()
            if settings.tls == "starttls" or (
                settings.tls == "offered" and server.has_extn("starttls")
            ):
                server.starttls(context=context)
            if settings.user:
                server.login(settings.user, settings.password.get_secret_value())
        except BaseException:
            server.close()
            raise
        return server


@contextmanager
def connection(settings: SmtpSettings, hostname: str) -> Iterator[Connection]:
    """Yield a connection that ends with the block; `hostname` is how we introduce ourselves."""
    opened = Connection(settings, hostname)
    try:
        yield opened
    finally:
        opened.close()


def _later(why: str, seconds: float) -> DeliveryError:
    return DeliveryError(
        f"The mail server {why}; the mail was not sent and will be tried again. "
        "Check DEPLOYBOT_SMTP_URL.",
        retry_after=seconds,
    )


def _not_to(code: int, text: bytes) -> DeliveryError:
    """Return why a mail is not taken for its recipient; what is a matter of policy is not theirs."""
    refused = _refused(code)
    if refused.retry_after is None and not re.search(rb"\b5\.7\.", text):
        return NoSuchReaderError(str(refused), retry_after=None)
    return refused


def _refused(code: int) -> DeliveryError:
    if 500 <= code < 600:
        return DeliveryError(
            f"The mail server refused a mail for good ({code}); it was not sent. "
            "Check the person's address and the bot's own.",
            retry_after=None,
        )
    return DeliveryError(
        f"The mail server did not take a mail now ({code}); it will be tried again.",
        retry_after=RETRY,
    )
