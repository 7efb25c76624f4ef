"""What people can be told, as values: messages, cards, questions; and what a channel promises.

What is told of a thread is folded in `outbox`; how it looks in Slack or in a mail is `outbound`'s.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from deploy.plan import Plan
from deploybot.approvals import ApprovalRequest, Grant
from deploybot.events import QuestionAsked
from deploybot.nudges import Nudges
from deploybot.thread import Thread
from deploybot.votes import is_met

CODE_MISUSED = "code_misused"
"""Reason code of a reply code that came from somebody else; it ends the code."""
QUARANTINED = "quarantined"
"""Reason code of a mail that could not be read; nobody can be told privately."""


class CardState(StrEnum):
    """Where one approval request stands, as people see it."""

    OPEN = "open"
    APPROVED = "approved"
    SCHEDULED = "scheduled"
    """Approved, and starts when its time has come unless somebody stops it."""
    IN_LINE = "in_line"
    """Approved, and came to nothing yet: the place was not free, so it waits and is shown anew."""
    DENIED = "denied"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"
    CLOSED = "closed"
    """Somebody's words or a cancel closed it."""
    DEPLOYING = "deploying"
    LIVE = "live"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Telling:
    """Something people are to be told; `key` names it for good."""

    key: str


@dataclass(frozen=True)
class Opening(Telling):
    """The first message of a thread that did not begin where it is told."""

    text: str
    """What began it: a first line that says it, and in the next ones the words of others."""
    lines: tuple[str, ...] = ()
    """What happened since, newest last; the message is updated."""
    by: str = ""
    """Who the first line is about; their name goes before it."""


@dataclass(frozen=True)
class Said(Telling):
    """A few sentences in the thread."""

    text: str
    tone: str = "plain"
    """plain, good, warning, bad or loud."""
    mention: tuple[str, ...] = ()
    """People who should notice, by id; `email:<address>` for authors of commits."""
    detail: tuple[str, ...] = ()
    """Lines of output to show as they are."""
    by: str = ""
    """Whose id the text begins with, if it does."""
    calls_to: str = ""
    """Key of the card that it calls people to, if it does nothing else."""

    def worded(self, name: Callable[[str], str]) -> str:
        """Return the text with that person's name in place of the id."""
        return name(self.by) + self.text.removeprefix(self.by) if self.by else self.text


@dataclass(frozen=True)
class Card(Telling):
    """One approval request through its life; everything on it comes from these fields."""

    request: ApprovalRequest
    state: CardState = CardState.OPEN
    grants: tuple[Grant, ...] = ()
    asked_at: datetime | None = None
    reminders: int = 0
    """How many times those who can still approve were called again."""
    escalated: bool = False
    """Whether the next people may approve, too."""
    by: str = ""
    """Who closed, denied or resolved it."""
    at: datetime | None = None
    note: str = ""
    """The denial's words, what changed, or what failed."""
    part: int = 0
    """Which of its changes it has come to; those before are live."""
    stopping: str = ""
    """Who wants the running deploy to stop."""
    editing: str = ""
    """Who wants something else instead, while that is planned, or has got it."""
    link: str = ""
    """Where the target shows the run, if it does."""
    operation: str = ""
    """Key of the progress stream of the part that runs or ended; "" while none does."""
    seconds: float = 0.0
    live: str | None = None
    detail: tuple[str, ...] = ()

    @property
    def done(self) -> tuple[Plan, ...]:
        """Return those of its changes that are live."""
        return self.request.plans[: self.part + (self.state is CardState.LIVE)]

    @property
    def left(self) -> tuple[Plan, ...]:
        """Return those of its changes that were not begun."""
        return self.request.plans[self.part + bool(self.operation) :]

    @property
    def nudges(self) -> Nudges | None:
        """Return what was done to have it answered; None where nothing is known of it."""
        if self.asked_at is None:
            return None
        return Nudges(self.request, self.asked_at, self.reminders, self.escalated)

    @property
    def glass(self) -> Grant | None:
        """Return the approval that somebody gave alone, in an emergency, if one did."""
        return next((grant for grant in self.grants if grant.break_glass), None)

    @property
    def was_met(self) -> bool:
        """Whether enough people, or the standing rule, said yes before it came to its end."""
        return is_met(self.request, self.grants)


@dataclass(frozen=True)
class Asked(Telling):
    """A question through its life."""

    question: QuestionAsked
    to: tuple[str, ...] = ()
    """Who is to answer it, the nearest first: whoever spoke last, then those it is done for."""
    answer: str | None = None
    by: str = ""
    closed: bool = False

    @property
    def is_open(self) -> bool:
        """Whether an answer is still waited for."""
        return self.answer is None and not self.closed


@dataclass(frozen=True)
class Shown(Telling):
    """What would run, for whoever asked for a dry run; nobody is asked to approve it."""

    plans: tuple[Plan, ...]
    start_at: datetime | None = None


@dataclass(frozen=True)
class Yours(Telling):
    """What became of commits, for those of their authors who want to hear it, and nobody else."""

    plan: Plan


@dataclass(frozen=True)
class Private(Telling):
    """A sentence for one person's eyes, where they tried to answer."""

    channel: str
    """slack, email or api."""
    address: str
    person: str
    text: str


class Channel(Protocol):
    """One way to reach people."""

    @property
    def name(self) -> str:
        """What the channel is called; its notes are kept apart by it."""

    def deliver(
        self,
        thread: Thread,
        tellings: tuple[Telling, ...],
        sent: Mapping[str, str],
        note: Callable[[str, str], None],
    ) -> float | None:
        """Send or update what is not yet as it should be.

        `sent` is what this channel noted before under its own keys; `note` keeps a value at once.
        Returns the seconds after which to do so once more though all is told, or None. Raises DeliveryError when the channel does not take something now.
        """
