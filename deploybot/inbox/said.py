"""What people say to a thread, as their channel delivered it, and what they are told of it."""

from dataclasses import dataclass
from typing import Literal

from deploybot.events import Event
from deploybot.ports import Operation


@dataclass(frozen=True)
class Answer:
    """One person's yes or no to one request."""

    thread: str
    request_id: str
    digest: str
    approved: bool
    comment: str
    by: str
    channel: str
    address: str
    delivery: str
    confirmed: bool = False
    """Whether what must be confirmed on its own was."""
    break_glass: str = ""
    """Why it is to be approved alone, in an emergency; "" for an ordinary answer."""


@dataclass(frozen=True)
class Settling:
    """One person's word on how a change ended that a worker died with."""

    thread: str
    request_id: str
    outcome: Literal["succeeded", "failed"]
    by: str
    delivery: str
    comment: str = ""
    live: str | None = None
    """What the target says is live now, if somebody has asked it."""
    channel: str = "api"
    address: str = ""


@dataclass(frozen=True)
class Reply:
    """One person's answer to one question."""

    thread: str
    question_id: str
    answer: str
    by: str
    delivery: str
    channel: str = "api"
    address: str = ""


@dataclass(frozen=True)
class Receipt:
    """What became of an answer, in words for the person who gave it."""

    accepted: bool
    text: str
    reason_code: str = ""


@dataclass(frozen=True)
class Word:
    """What somebody's word amounts to: an event, what they are told, and what becomes free by it."""

    event: Event
    text: str = ""
    release: Operation | None = None
