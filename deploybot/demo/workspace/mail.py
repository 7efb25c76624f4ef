"""The mail shown beside the channel: what others put there, newest last; sending it is not ours."""

import threading

from pydantic import BaseModel, ConfigDict, Field


class Mail(BaseModel):
    """One message of mail; `to` and `sender` are addresses, `html` is shown without scripts."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    id: str
    sender: str = Field(alias="from")
    to: str
    reply_to: str = ""
    subject: str = ""
    text: str = ""
    html: str = ""
    headers: dict[str, str] = {}
    at: float | None = None


class Mailbox:
    """All mail of the demo, by id."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._mails: dict[str, Mail] = {}

    def keep(self, mail: Mail) -> None:
        """Add a message; one with a known id replaces it."""
        with self._lock:
            self._mails[mail.id] = mail

    def get(self, mail_id: str) -> Mail:
        """Return a message; raise KeyError for an unknown id."""
        return self._mails[mail_id]

    def all(self) -> list[Mail]:
        """Return every message, oldest first."""
        with self._lock:
            return list(self._mails.values())
