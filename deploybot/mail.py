"""What mail in and mail out agree on: the bot's own address, reply codes and message names.

Only data and rules. Reading a mail is `inbound.email`'s task, writing one `outbound.email`'s.
"""

import base64
import hashlib
import hmac
import json
import re
from dataclasses import dataclass

from deploy.secret import SecretKey
from deploybot.approvals import ApprovalRequest

CODE_BYTES = 16
"""How much of the MAC a reply code carries: 128 bits, 26 letters and digits."""
UNVERIFIED = " (unverified)"
"""Ends the name of a sender whose domain did not vouch for the mail; nobody known has such a name."""
INVISIBLE = re.compile(
    "[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u2069\\ufeff]"
)
"""Control, zero-width and text-direction characters: they make a text look like another one."""

REACH = "reach"
"""The note that everybody who must act is told by mail, since Slack does not take it."""


@dataclass(frozen=True)
class MailSettings:
    """The bot's place in the world of mail.

    `address` is where people write to, `authserv_id` the name under which its own mail server
    reports whether a mail is genuine. `secret` keys reply codes and message names and is never
    sent. Only requests for `environments` may be answered by mail; None stands for all.
    """

    address: str
    authserv_id: str
    secret: SecretKey
    environments: frozenset[str] | None
    dkim: bool = False
    """Whether signatures of senders' domains are checked, where our own server said nothing."""
    max_bytes: int = 5_000_000
    max_parts: int = 100

    def __post_init__(self) -> None:
        """Keep the secret as such, however it was given."""
        object.__setattr__(self, "secret", SecretKey(self.secret))

    @property
    def domain(self) -> str:
        """The part of the address behind the @."""
        return self.address.rpartition("@")[2].casefold()

    @property
    def list_id(self) -> str:
        """What the bot's own mails carry, so that they are never taken for a person's."""
        local = re.sub(r"[^A-Za-z0-9-]", "-", self.address.rpartition("@")[0])
        return f"threads.{local}.{self.domain}".casefold()

    def answers_by_mail(self, environment: str) -> bool:
        """Tell whether requests for this environment may be answered by mail."""
        return self.environments is None or environment in self.environments

    def reply_address(self, code: str) -> str:
        """Return the address that carries this code."""
        return f"{self.address.rpartition('@')[0]}+{code}@{self.domain}"

    def codes_in(self, header: str) -> tuple[str, ...]:
        """Return the codes of all the bot's reply addresses in a recipient header."""
        local = re.escape(self.address.rpartition("@")[0])
        wanted = rf"(?<![\w.+-]){local}\+([a-z2-7]{{26}})@{re.escape(self.domain)}(?![\w.-])"
        return tuple(code.lower() for code in re.findall(wanted, header, re.IGNORECASE))


def reply_code(secret: bytes, request: ApprovalRequest, person: str) -> str:
    """Return the code with which this person, and nobody else, may answer this one request."""
    bound = ["reply", request.thread, request.id, request.digest, person]
    code = _mac(secret, [*bound, request.expires_at.isoformat()])[:CODE_BYTES]
    return base64.b32encode(code).decode().rstrip("=").lower()


def code_alias(code: str) -> str:
    """Return the name under which the store finds a code's thread."""
    return f"mailcode:{code}"


def message_id(settings: MailSettings, *parts: str) -> str:
    """Return the Message-ID of one of the bot's mails: always the same, and not to be guessed."""
    name = _mac(settings.secret, ["message", *parts]).hex()[:32]
    return f"<{name}@{settings.domain}>"


def question_key(question_id: str, reader: str) -> str:
    """Return what names the mail in which a question was put to one person."""
    return f"question:{question_id}@{reader}"


def message_ids_in(settings: MailSettings, raw: bytes) -> tuple[str, ...]:
    """Return the Message-IDs of the bot's own mails that a text names, each once."""
    wanted = rf"<[0-9a-f]{{32}}@{re.escape(settings.domain)}>".encode()
    return tuple(dict.fromkeys(found.decode() for found in re.findall(wanted, raw)))


def message_alias(message: str, sender: str = "") -> str:
    """Return the name under which the store finds a message's thread.

    Without `sender` it is one of the bot's own. Others choose their Message-IDs themselves, so
    theirs count for what they send, and for nobody else.
    """
    return f"mail:{sender.casefold()}:{hashlib.sha256(message.encode()).hexdigest()[:32]}"


def visible(text: str) -> str:
    """Return the text without what cannot be stored or seen; lines end with a plain line feed."""
    whole = text.encode("utf-8", "replace").decode()
    return INVISIBLE.sub("", whole.replace("\r\n", "\n").replace("\r", "\n"))


def unverified(address: str) -> str:
    """Return who wrote a mail that may come from anybody."""
    return f"email:{address}{UNVERIFIED}"


def is_unverified(by: str) -> bool:
    """Tell whether this sender's mail may have come from anybody."""
    return by.endswith(UNVERIFIED)


def _mac(secret: bytes, parts: list[str]) -> bytes:
    return hmac.digest(secret, json.dumps(parts).encode(), hashlib.sha256)
