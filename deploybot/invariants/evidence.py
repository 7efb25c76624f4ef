"""What the invariants are judged by: threads as they are kept, and what others wrote down about them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from deploy.records import BeganRecord, Record
from deploybot.events import (
    ApprovalRequested,
    DeployFailed,
    DeployOutcomeUnknown,
    DeployResolved,
    DeployStarted,
    DeploySucceeded,
    Event,
)
from deploybot.outbox import own_events, tellings
from deploybot.ports import Operation, People
from deploybot.thread import Thread

Place = tuple[str, str]
"""A service and an environment."""

BY_HAND = "by-hand:"
"""What the name of an order begins with that a person gave at a shell."""


@dataclass(frozen=True)
class Read:
    """One thread as it is kept, as far as it is as it was sealed."""

    thread: Thread
    heads: tuple[str, ...] = ()
    """The MAC of each of its events."""
    bad: str = ""
    """What is wrong with the first entry that is not as it was sealed."""
    notes: Mapping[str, str] = field(default_factory=dict)
    """What channels noted of its messages: channel and key, such as `slack:card:…` → their JSON."""
    untold: bool = False
    """Whether it still stands among those of which people are to be told something."""
    reads: tuple[str, tuple[tuple[str, Any], ...]] | None = None
    """What a model would read of it now: the text, and what is to be shown in it."""


@dataclass(frozen=True)
class Site:
    """One place, by its own word."""

    records: tuple[Record, ...] = ()
    """Its journal, oldest first."""
    live: str | None = None
    operation: Operation | None = None
    """What the store says runs there."""
    remote: bool = False
    """Whether what is begun there goes on without a worker."""
    problem: str = ""
    """Why it could not be asked."""

    def began(self) -> tuple[BeganRecord, ...]:
        """Return what began there, oldest first, as far as it came from threads."""
        began = (record for record in self.records if isinstance(record, BeganRecord))
        return tuple(record for record in began if not record.approval_id.startswith(BY_HAND))


@dataclass(frozen=True)
class Ledger:
    """What clients wrote down: the deliveries that were acknowledged, and what they read meanwhile."""

    accepted: frozenset[str] = frozenset()
    read: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    """Thread → how many events somebody has read of it, and the MAC of the last of them."""


@dataclass(frozen=True)
class World:
    """Everything beside the threads."""

    now: datetime
    places: Mapping[Place, Site] = field(default_factory=dict)
    people: People = field(default_factory=People)
    channels: tuple[str, ...] = ()
    """The ways by which people are told."""
    told_within: timedelta = timedelta(seconds=60)
    ledger: Ledger = field(default_factory=Ledger)
    shown: Mapping[str, Mapping[str, tuple[str, ...]]] | None = None
    """Thread → key → the texts of the messages that stand in Slack under it; None if nobody looked."""
    shown_heads: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Thread → the heads of it that messages in Slack say they were drawn at."""
    bots: frozenset[str] = frozenset()
    """Addresses of the bot itself: its Slack user, its mail address."""
    mail_decides: frozenset[str] | None = None
    """Environments in which a mail may approve; None if that is not known."""
    secrets: tuple[str, ...] = ()
    sinks: Mapping[str, str] = field(default_factory=dict)
    """Whatever else leaves the bot, such as logs: name → text."""
    calls_of_a_thread: int = 0
    """How often models may choose for one thread; 0 for no bound."""
    spent: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Budget → how much was used, and how much may be; 0 for no bound."""


@dataclass(frozen=True)
class Start:
    """One start, and how it ended."""

    thread: str
    event: DeployStarted
    sha: str
    end: DeploySucceeded | DeployFailed | DeployOutcomeUnknown | None
    resolved: DeployResolved | None


@dataclass
class Known:
    """What is kept of threads that were looked at, to compare others and the world with."""

    deliveries: dict[str, str] = field(default_factory=dict)
    """Delivery → the thread that holds it."""
    starts: dict[str, list[Start]] = field(default_factory=dict)
    """Operation → its starts."""
    heads: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Thread → the MACs of its events, of threads that something else knows the head of."""
    keys: dict[str, frozenset[str]] = field(default_factory=dict)
    """Thread → the keys of everything that people are to be told of it, if somebody looked in Slack."""

    def remember(self, read: Read, world: World) -> None:
        """Keep what others are compared with."""
        thread = read.thread
        for event in own(thread):
            if delivery := getattr(event, "delivery", ""):
                self.deliveries.setdefault(delivery, thread.id)
        for start in starts(thread):
            self.starts.setdefault(start.event.operation, []).append(start)
        self.heads[thread.id] = read.heads
        if world.shown is not None:
            self.keys[thread.id] = frozenset(telling.key for telling in tellings(thread))


def own(thread: Thread) -> tuple[Event, ...]:
    """Return what happened on this thread itself: of a fork, nothing that was copied."""
    return tuple(event for _, event in own_events(thread))


def starts(thread: Thread) -> tuple[Start, ...]:
    """Return the thread's starts, each with its first end and how that was settled."""
    found: list[Start] = []
    shas: dict[str, tuple[str, ...]] = {}
    for event in own(thread):
        match event:
            case ApprovalRequested(request=request):
                shas[request.id] = tuple(plan.sha for plan in request.plans)
            case DeployStarted(request_id=about, part=part):
                sha = (shas.get(about, ()) + ("",) * (part + 1))[part]
                found.append(Start(thread.id, event, sha, None, None))
            case DeploySucceeded() | DeployFailed() | DeployOutcomeUnknown() if found:
                if found[-1].end is None and found[-1].event.request_id == event.request_id:
                    found[-1] = replace(found[-1], end=event)
            case DeployResolved() if found:
                found[-1] = replace(found[-1], resolved=event)
            case _:
                pass
    return tuple(found)
