"""What the core needs from the world, as protocols; adapters and fakes keep the same promises.

The core is given these by `bootstrap`; it imports no adapter and no I/O library.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal, Protocol

from deploy.catalog import Catalog
from deploy.locks import Hold
from deploy.plan import Commit, Plan
from deploy.target import Guard, Live, Order, Outcome, Probe, Report, Running, TestReport
from deploybot.approvals import Refusal
from deploybot.events import Event
from deploybot.next_step import NextStep
from deploybot.thread import Thread

_GITHUB_ADDRESS = re.compile(r"(?:\d+\+)?([a-z0-9-]+)@users\.noreply\.github\.com")
Job = Literal["advance", "operate", "deliver", "survey"]
"""What a wake-up asks for: take the next step; deploy, test or recover; tell people; look around."""


@dataclass(frozen=True)
class Head:
    """The newest commit of a repository's default branch."""

    repository: str
    branch: str
    commit: Commit


@dataclass(frozen=True)
class Operation:
    """One running change of one service in one environment: who holds it, under which fence."""

    id: str
    service: str
    environment: str
    thread: str
    request_id: str
    fence: int


@dataclass(frozen=True)
class Page:
    """Some threads, newest first, and where the next page begins; "" at the end."""

    threads: tuple[str, ...]
    cursor: str = ""


class Store(Protocol):
    """Where threads are kept. Every append is one atomic step, or nothing."""

    def load(self, thread_id: str) -> Thread:
        """Return the whole thread, verified; an empty one when nobody has written to it.

        Raises TamperedError when an event does not verify.
        """

    def sealed(self, thread_id: str, head: str) -> bool:
        """Tell whether an event of the thread carries this seal, so that the thread once ended there."""

    def append(
        self,
        thread: Thread,
        *events: Event,
        dedupe: Sequence[str] = (),
        aliases: Sequence[str] = (),
        claim: Operation | None = None,
        release: Operation | None = None,
        hold: Hold | None = None,
        free: Hold | None = None,
        wake: bool = True,
    ) -> Thread:
        """Store the events behind the thread's last one, with the wake-ups they ask for.

        Illegal events are refused before anything is written (IllegalEventError). In ONE atomic
        step: the events, the dedupe keys, the aliases (each then finds this thread), the due time,
        the mark for delivery, the wake-up jobs, the thread's place in a line, a wish to stop, and
        the claim or release of a service in an environment, or the placing (`hold`) or removal
        (`free`) of a hold there. Whoever is next in a line is woken by what frees the place.
        `wake=False` leaves out the `advance` wake-up only: the caller goes on with the thread
        itself, and the due time covers its death.

        A person's `hold` takes the place of exactly the hold in `free`, or of none that lasts when
        that is left out; `free` alone removes exactly that one. A roll back's stands beside it.

        Raises ConflictError when the thread is longer than `thread`, DuplicateError when a dedupe
        key is known, ClaimRefusedError when `claim` is not free, HoldChangedError when what holds
        the place is not what it should be.
        """

    def find(self, alias: str) -> str | None:
        """Return the thread that this alias names (a Slack message, a mail), if any."""

    def name(self, alias: str, thread_id: str) -> None:
        """Let this alias find the thread."""

    def list(self, *, status: str = "", limit: int = 50, cursor: str = "") -> Page:
        """Return threads by last activity, newest first."""

    def next_fence(self, service: str, environment: str) -> int:
        """Return the fence that the next claim must carry."""

    def saw_fence(self, service: str, environment: str, fence: int) -> None:
        """Let the next fence be greater than this one, which a target has seen."""

    def operation(self, service: str, environment: str) -> Operation | None:
        """Return what runs there now, or died there and is not yet settled."""

    def heartbeat(self, operation: Operation) -> None:
        """Renew the lease.

        Raises LeaseLostError when it is no longer this operation's, CancelledError when a person
        wants it to stop.
        """

    def lease_is_alive(self, operation: Operation) -> bool:
        """Tell whether a worker still renews this operation's lease."""

    def let_go(self, operation: Operation) -> None:
        """End the lease and keep the place: what runs elsewhere goes on without a worker."""

    def later(self, job: Job, thread_id: str, seconds: float) -> None:
        """Have the clock make this wake-up once so many seconds have passed."""

    def line(self, service: str, environment: str) -> tuple[str, ...]:
        """Return the threads that wait for the place, the next one first."""

    def leave_line(self, thread_id: str, service: str, environment: str) -> None:
        """Take out of a line a thread that can no longer move by itself."""

    def attend(self, thread: Thread, worker: str) -> bool:
        """Say that a worker is at what this thread stands at; False when another one is.

        To be said again every second: nobody else is woken for it for the next seconds. Two may be
        at it when one was silent for too long, so it must be safe to repeat.
        """

    def holds(self) -> tuple[Hold, ...]:
        """Return what people or rollbacks hold now."""

    def release_hold(self, service: str, environment: str) -> Hold | None:
        """Remove a hold, and return it."""

    def report(self, operation_id: str, entry: dict[str, Any]) -> None:
        """Add to the operation's progress: not an event, gone after a day; wakes its delivery."""

    def progress(self, operation_id: str) -> tuple[dict[str, Any], ...]:
        """Return the operation's progress so far, oldest first."""

    def sent(self, thread_id: str) -> dict[str, str]:
        """Return what the outbox has noted of this thread: message key → its own JSON."""

    def note_sent(self, thread_id: str, key: str, value: str) -> None:
        """Note that a message went out, and where."""

    def delivered(self, thread_id: str, length: int) -> None:
        """Note that everything up to this length was told."""


class MailNotes(Protocol):
    """What all processes remember of mail for a while, apart from any thread."""

    def mark_bad(self, address: str, seconds: float) -> None:
        """Remember that mail does not reach this address."""

    def is_bad(self, address: str) -> bool:
        """Tell whether mail did not reach this address a while ago."""

    def note_helped(self, address: str, seconds: float) -> None:
        """Remember that this address was told what to do."""

    def was_helped(self, address: str) -> bool:
        """Tell whether this address was told what to do a while ago."""

    def note_taken(self, mail: str) -> None:
        """Remember for as long as deliveries are told apart that this mail of a mailbox was taken."""

    def was_taken(self, mail: str) -> bool:
        """Tell whether this mail of a mailbox was taken."""


@dataclass(frozen=True)
class Prompt:
    """What one model call is made of."""

    agent: str
    system: str
    text: str
    """The thread as the model reads it."""
    schema: dict[str, Any]
    """Strict JSON Schema of the answer."""
    digest: str
    """12 hex digits over the templates and the schema."""
    thread: Thread
    """For planners that are plain code."""
    services: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    messages: tuple[dict[str, Any], ...] = ()
    """The same as `text`, as chat messages, to be sent behind `system`; one of `text` when empty."""


@dataclass(frozen=True)
class Choice:
    """A chosen step, and what choosing it took."""

    step: NextStep
    model: str
    tokens_in: int = 0
    tokens_out: int = 0
    ms: int = 0
    note: str = ""
    """Who was to choose before, and why they did not; "" when the first one asked chose."""


class Model(Protocol):
    """Whatever chooses the next step: a language model, or rules."""

    def next_step(self, prompt: Prompt) -> Choice:
        """Choose; raises ModelUnavailableError when no usable answer comes within its bounds."""


@dataclass(frozen=True)
class EnvironmentRow:
    """One line of "what's live?"."""

    service: str
    environment: str
    live: Live | None
    hold: Hold | None = None
    operation: Operation | None = None
    behind: int | None = None
    """Commits on the default branch that are not live there; None when it cannot be told."""
    missing: tuple[Commit, ...] = ()
    """The newest of them, newest first."""
    waiting_since: datetime | None = None
    """When the oldest of them was committed, as far as a thousand commits back."""
    ours: str | None = None
    """The SHA that a deploy from here put there last; None when none ever did."""
    line: tuple[str, ...] = ()
    """Threads that wait for the place, the next one first."""
    thread: str = ""
    """The thread that what is live came from; "" when it is not known."""
    asked_by: tuple[str, ...] = ()
    approved_by: tuple[str, ...] = ()
    frozen: str = ""
    """Until when, and why, no change begins there; "" while changes may begin."""
    problem: str = ""
    """Why the target could not be asked, in a sentence; "" when it was."""


@dataclass(frozen=True)
class Asking:
    """Who asks for a plan: it decides whose locks and whose turn stand in the way."""

    thread: str = ""
    requesters: tuple[str, ...] = ()
    coming: Mapping[str, str] = field(default_factory=dict)
    """Service → SHA of what goes live before it under the same approval."""
    asked_at: datetime | None = None
    """When people were asked for it; None while they are not."""
    start_at: datetime | None = None
    """When it is to start, if not at once."""
    began_at: datetime | None = None
    """When the first change under the same approval began."""
    breaks_glass: bool = False
    """Whether it is asked for, or approved, by somebody who may pass what the environment says."""


NOBODY = Asking()
"""Asks on nobody's behalf: every lock and every line stands in the way."""


class Deployer(Protocol):
    """The deploy package, as the loop needs it."""

    @property
    def catalog(self) -> Catalog:
        """What may be deployed, where and by whose leave."""

    def plan(
        self,
        action: str,
        service: str,
        ref: str | None,
        environment: str,
        *,
        asking: Asking = NOBODY,
    ) -> Plan:
        """Resolve and check everything; raises deploy.errors.RefusedError with a reason code."""

    def at_once(self) -> "Deployer":
        """Return the same for one request of many parts: it fetches each repository only once."""

    def commits(self, service: str | None, ref: str | None, limit: int) -> list[dict[str, Any]]:
        """Return commits as plain JSON, newest first; raises RefusedError."""

    def tags(self, service: str | None, limit: int) -> list[dict[str, Any]]:
        """Return tags as plain JSON, newest first."""

    def live(self, service: str, environment: str) -> Live | None:
        """Return what is live there, by the target's own word."""

    def environments(self, environment: str | None = None) -> tuple[EnvironmentRow, ...]:
        """Return what is live where, held, and running."""

    def heads(self) -> tuple[Head, ...]:
        """Return where the default branches stand, fetched anew; those that cannot be read are left out."""

    def run(self, order: Order, guard: Guard, report: Report) -> Outcome | Running:
        """Carry the order out, once; the guard is called all along and may stop it by raising.

        What runs elsewhere is begun there, and `settle` is to be asked how it stands.

        Raises deploy.errors.SeenApprovalError, OldFenceError, or what the guard raised.
        """

    def settle(self, order: Order) -> Probe:
        """Ask the target what became of an order whose worker died, and shut it out for good.

        From here on the dead worker, should it wake, can neither begin nor switch anything. What
        runs elsewhere runs on, and is asked again.
        """

    def runs_elsewhere(self, service: str, environment: str) -> bool:
        """Tell whether a deploy there holds no worker while it runs."""

    def cancel(self, order: Order) -> None:
        """Ask what runs elsewhere to stop; `settle` tells what came of it."""

    def test(self, environment: str, guard: Guard) -> TestReport:
        """Run the environment's end-to-end tests, and mark what is live verified if they pass."""


@dataclass(frozen=True)
class Away:
    """When somebody is away, first and last day, and who answers for them."""

    begins: date
    ends: date
    to: str


@dataclass(frozen=True)
class Person:
    """One person across all channels."""

    id: str
    name: str
    slack: str = ""
    email: str = ""
    github: str = ""
    mail_me: bool = False
    quiet: bool = False
    """May approve, and is not called for it."""
    tell_me_live: tuple[str, ...] = ()
    """Environments of which this person wants to hear when their commits go live there."""
    away: tuple[Away, ...] = ()


@dataclass(frozen=True)
class People:
    """Who is who; strangers may talk, and approve nothing."""

    known: tuple[Person, ...] = field(default_factory=tuple)

    def get(self, person_id: str) -> Person | None:
        """Return the person with this id."""
        return next((p for p in self.known if p.id == person_id), None)

    def by_slack(self, user: str) -> str:
        """Return the person behind a Slack user id, or `slack:<id>` for a stranger."""
        return next((p.id for p in self.known if p.slack == user), f"slack:{user}")

    def by_email(self, address: str) -> str:
        """Return the person behind a mail address, or `email:<address>` for a stranger."""
        wanted = address.casefold()
        known = (p.id for p in self.known if p.email and p.email.casefold() == wanted)
        return next(known, f"email:{wanted}")

    def by_github(self, login: str) -> str:
        """Return the person behind a GitHub login, or `github:<login>` for a stranger."""
        wanted = login.casefold()
        known = (p.id for p in self.known if p.github and p.github.casefold() == wanted)
        return next(known, f"github:{login}")

    def stand_ins(self, day: date) -> dict[str, tuple[str, ...]]:
        """Return who answers on that day for whom that is away."""
        found: dict[str, tuple[str, ...]] = {}
        for person in self.known:
            for away in person.away:
                if away.begins <= day <= away.ends:
                    before = found.get(away.to, ())
                    found[away.to] = tuple(dict.fromkeys((*before, person.id)))
        return found

    def by_author(self, address: str) -> str:
        """Return the person behind a commit's mail address, be it one that GitHub made up."""
        if made_up := _GITHUB_ADDRESS.fullmatch(address.casefold()):
            return self.by_github(made_up[1])
        return self.by_email(address)

    def name(self, person_id: str) -> str:
        """Return what people call this person."""
        person = self.get(person_id)
        return person.name if person else person_id.partition(":")[2] or person_id


class Directory(Protocol):
    """Who may answer, looked up anew each time it counts, with an answer of the last minute."""

    def members(self, group: str) -> frozenset[str]:
        """Return the ids of the people in a configured group; strangers are left out.

        Raises LookupFailedError when that cannot be found out.
        """

    def refusal(self, person: str, channel: str) -> Refusal | None:
        """Return why this person's account may not answer over this channel now, or None.

        Such as a guest's, a bot's, one that was closed. Raises LookupFailedError.
        """


@dataclass(frozen=True)
class Clockwork:
    """Time and chance, passed in."""

    now: Callable[[], datetime]
    new_id: Callable[[], str]
