"""Which mailbox is read, as whom, and where its mails go then; reading it is `mailboxes`'s."""

from dataclasses import dataclass, field
from typing import Literal, Self
from urllib.parse import parse_qs, unquote, urlsplit

from deploy.secret import Secret

LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class MailboxAddress:
    """One folder of one account. A password is only sent over TLS, or to this very machine."""

    host: str
    port: int
    tls: Literal["implicit", "starttls", "none"]
    user: str
    password: Secret = field(repr=False)
    folder: str = "INBOX"
    processed: str = "Processed"
    """The folder that mails go to once what they say is stored."""
    quarantine: str = "Quarantine"
    """The folder of those that could not be read, for a person to look at."""

    @property
    def name(self) -> str:
        """What it is called in logs and for people: no secret."""
        return f"{self.user}@{self.host}:{self.port}/{self.folder}"

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Read `imaps://user:password@host:port/FOLDER?processed=…&quarantine=…`; raises ValueError."""
        parts = urlsplit(url)
        try:
            port = parts.port
        except ValueError:
            port = 0
        if parts.scheme not in ("imap", "imaps") or not parts.hostname or port == 0:
            raise ValueError("one is not like imaps://user:password@host/INBOX")
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        if not user or not password:
            raise ValueError("one has no user and password before its host")
        also = parse_qs(parts.query)
        if unknown := also.keys() - {"processed", "quarantine"}:
            raise ValueError(f"one ends with {min(unknown)}=, which is not known")
        near = parts.hostname in LOOPBACK
        secure = parts.scheme == "imaps"
        return cls(
            host=parts.hostname,
            port=port or (993 if secure else 143),
            tls="implicit" if secure else "none" if near else "starttls",
            user=user,
            password=Secret(password),
            folder=unquote(parts.path.strip("/")) or "INBOX",
            **{key: values[0] for key, values in also.items()},
        )
