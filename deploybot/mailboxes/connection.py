"""One connection to one mailbox over IMAP: what is in it, a mail's bytes, and where it goes then.

Raises `Away` for whatever goes wrong on the way: the connection is then worth nothing any more.
"""

import hashlib
import imaplib
import re
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Self

from imapclient import IMAPClient, SocketTimeout  # type: ignore[import-untyped]
from imapclient.exceptions import IMAPClientError, LoginError  # type: ignore[import-untyped]

from deploy import failpoints
from deploybot.inbound.email import Quarantined, about
from deploybot.mailbox_address import MailboxAddress

LARGEST = 30_000_000
"""Bytes of a mail that are fetched at all."""
TRIES = 5
"""How often is looked again because something came at that very moment."""
DONE = b"$DeploybotDone"
"""The flag of what was taken, where it cannot be moved away."""


class AwayError(Exception):
    """The mailbox cannot be used now; a sentence for whoever runs it."""


class NotLetInError(AwayError):
    """The server does not take the name and password, or has no such folder: a person must act."""


class MailboxConnection:
    """An open mailbox; `validity` changes when its server has numbered all mails anew."""

    def __init__(self, address: MailboxAddress, *, timeout: float = 30.0) -> None:
        self.address = address
        with _in_our_words(address):
            self._client = IMAPClient(
                address.host,
                port=address.port,
                ssl=address.tls == "implicit",
                ssl_context=ssl.create_default_context() if address.tls == "implicit" else None,
                timeout=SocketTimeout(connect=timeout, read=timeout),
            )
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open(self) -> None:
        address, client = self.address, self._client
        with _in_our_words(address):
            if address.tls == "starttls":
                client.starttls(ssl_context=ssl.create_default_context())
            try:
                client.login(address.user, address.password.get_secret_value())
            except LoginError:
                raise NotLetInError(
                    f"The mailbox {address.name} does not let the bot in: name or password is wrong."
                ) from None
            self.idles = bool(client.has_capability("IDLE"))
            self._moves = bool(client.has_capability("MOVE"))
            self._expunges = bool(client.has_capability("UIDPLUS"))
            self.folders = {
                folder: self._has_folder(folder)
                for folder in (address.processed, address.quarantine)
            }
            try:
                selected = client.select_folder(address.folder)
            except IMAPClientError:
                raise NotLetInError(
                    f"The mailbox {address.name} has no folder {address.folder} for the bot."
                ) from None
        self.validity = int(selected[b"UIDVALIDITY"])
        flags = selected.get(b"PERMANENTFLAGS", ())
        self._flag = DONE if b"\\*" in flags or DONE in flags else b"\\Seen"

    def close(self) -> None:
        """Hang up."""
        with suppress(Exception):
            self._client.shutdown()

    def uids(self) -> list[int]:
        """Return what is to be taken, oldest first."""
        wanted = ["UNSEEN"] if self._flag == b"\\Seen" else ["UNKEYWORD", DONE]
        with _in_our_words(self.address):
            for _ in range(TRIES):
                self._something_came()
                found = sorted(int(uid) for uid in self._client.search(wanted))
                if found or not self._something_came():
                    break
        return found

    def _something_came(self) -> bool:
        """Tell whether the server has said so beside its answers since the last time: it says it once."""
        said = self._client._imap.response("EXISTS")  # noqa: SLF001 - the library keeps it to itself
        return bool(said[1] != [None])

    def fetch(self, uid: int) -> bytes | Quarantined | None:
        """Return a mail as it came, or that it is too large to be fetched; None when it is gone.

        It is not marked as read by this.
        """
        failpoints.at("imap.fetch.before")
        with _in_our_words(self.address):
            size = self._client.fetch([uid], [b"RFC822.SIZE"]).get(uid, {}).get(b"RFC822.SIZE")
            if size is None:
                return None
            if size > LARGEST:
                key = b"BODY[HEADER]"
                top = self._client.fetch([uid], [b"BODY.PEEK[HEADER]<0.65536>"]).get(uid, {})
                head = next((v for k, v in top.items() if k.startswith(key)), b"") or b""
                digest = hashlib.sha256(head).hexdigest()
                reason = f"larger than {LARGEST} bytes; the hash is that of its headers"
                return Quarantined(reason, digest, size, about(head))
            found = self._client.fetch([uid], [b"BODY.PEEK[]"]).get(uid, {}).get(b"BODY[]")
        failpoints.at("imap.fetch.after")
        return bytes(found) if found is not None else None

    def settle(self, uid: int, *, put_aside: bool) -> bool:
        """Move a mail to the folder of what was taken or could not be read; else flag it.

        Returns False when the server allows neither.
        """
        folder = self.address.quarantine if put_aside else self.address.processed
        failpoints.at("imap.mark.before")
        with _in_our_words(self.address):
            moved = self.folders[folder] and self._is_taken(lambda: self._move(uid, folder))
            return moved or self._is_taken(
                lambda: self._client.add_flags([uid], [self._flag], silent=True)
            )

    def _move(self, uid: int, folder: str) -> None:
        if self._moves:
            self._client.move([uid], folder)
            return
        self._client.copy([uid], folder)
        if self._expunges:
            self._client.add_flags([uid], [b"\\Deleted"], silent=True)
            self._client.uid_expunge([uid])
        else:
            self._client.add_flags([uid], [self._flag], silent=True)

    @staticmethod
    def _is_taken(command: Callable[[], object]) -> bool:
        """Tell whether the server did what it was told; raises when the connection is gone."""
        try:
            command()
        except imaplib.IMAP4.abort:
            raise
        except imaplib.IMAP4.error:  # it said no: no such folder, no room, no right
            return False
        return True

    @contextmanager
    def listening(self) -> Iterator["Listening"]:
        """Have the server say when something comes, while the block lasts."""
        with _in_our_words(self.address):
            self._client.idle()
        yield Listening(self._client, self.address)
        with _in_our_words(self.address):
            self._client.idle_done()

    def look(self) -> None:
        """Ask whether the server is there."""
        with _in_our_words(self.address):
            self._client.noop()

    def _has_folder(self, folder: str) -> bool:
        """Tell whether there is such a folder, made now if need be."""
        exists = bool(self._client.folder_exists(folder))
        return exists or self._is_taken(lambda: self._client.create_folder(folder))


class Listening:
    """A connection whose server speaks up by itself."""

    def __init__(self, client: IMAPClient, address: MailboxAddress) -> None:
        self._client = client
        self._address = address

    def hears(self, seconds: float) -> bool:
        """Wait for at most so long; tell whether the server said that something came."""
        with _in_our_words(self._address):
            said = self._client.idle_check(timeout=seconds)
        return any(len(line) > 1 and line[1] in (b"EXISTS", b"RECENT") for line in said)


@contextmanager
def _in_our_words(address: MailboxAddress) -> Iterator[None]:
    try:
        yield
    except AwayError:
        raise
    except (OSError, EOFError, imaplib.IMAP4.error, IMAPClientError, ValueError) as error:
        kind = re.sub(r"\W", "", type(error).__name__)
        raise AwayError(f"The mailbox {address.name} cannot be read now ({kind}).") from error
