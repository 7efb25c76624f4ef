"""What every deploy target promises, and the words it speaks; the targets are in `targets/`."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from deploy.catalog import Catalog
from deploy.connections import Connections
from deploy.errors import StepFailedError
from deploy.plan import Action, Plan, PlannedStep, Sha
from deploy.records import Record

Guard = Callable[[], None]
"""Returns while the run may go on; raises (LeaseLostError, CancelledError, …) to end it at once."""


@dataclass(frozen=True)
class StepStarted:
    """A step begins."""

    name: str


@dataclass(frozen=True)
class StepDone:
    """A step has ended, well or not, after so many seconds."""

    name: str
    ok: bool
    seconds: float


@dataclass(frozen=True)
class LogLine:
    """One line that a step printed, without colours and cut to a readable length."""

    step: str
    text: str


Progress = StepStarted | StepDone | LogLine
"""What can be told while a plan runs."""

Report = Callable[[Progress], None]
"""Told each piece of progress as it happens; an error it raises ends the run."""


class Live(BaseModel):
    """What is live: the commit, where it stands, since when, by which approval, tested or not."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sha: Sha
    release: str
    since: AwareDatetime
    approval_id: str | None
    verified: bool


class Order(BaseModel):
    """An approved plan on its way to the target, with what proves that it may run.

    `fence` grows with every operation of the bot (by hand it may be 0); `digest` is what people agreed to; `head` is the MAC of the
    thread's last event.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    approval_id: str = Field(pattern=r"^[A-Za-z0-9._:-]{1,200}$")
    fence: int = Field(ge=0)
    digest: str
    head: str
    plan: Plan


@dataclass(frozen=True)
class Site:
    """What a target is made from: the service and environment it serves, and what it may use.

    `clock` gives the time for the journal; `connections` the addresses and keys of other systems.
    """

    catalog: Catalog
    service: str
    environment: str
    clock: Callable[[], datetime]
    connections: Connections = field(default_factory=Connections)


class NeverBegan(BaseModel):
    """The target has never seen this approval: nothing ran."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["never_began"] = "never_began"


class Began(BaseModel):
    """The approval began and it cannot be told how it went: how far it came, and what is live."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["began"] = "began"
    last_step: str | None
    live_sha: Sha | None


class Running(BaseModel):
    """The approval runs elsewhere: at which step, where to watch it, and when to look again."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["running"] = "running"
    step: str | None
    link: str = ""
    look_again_seconds: float = 5


class Ended(BaseModel):
    """The approval ran to an end: how, which commit it was about, and a page that shows it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["ended"] = "ended"
    outcome: Literal["succeeded", "failed"]
    sha: Sha
    live_sha: Sha | None
    step: str | None = None
    error: str | None = None
    tail: tuple[str, ...] = ()
    link: str = ""
    stranded: bool = False
    """Whether the way back to what was live before failed, too."""


Probe = NeverBegan | Began | Running | Ended
"""What became of an approval, by the target's word; only what runs elsewhere is ever Running."""


class Outcome(BaseModel):
    """How an order ended: well, or at which step, why, and the last lines that step printed.

    `link` is a page that shows more, "" when there is none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    outcome: Literal["succeeded", "failed"]
    step: str | None = None
    error: str | None = None
    exit_code: int | None = None
    tail: tuple[str, ...] = ()
    live_sha: Sha | None
    seconds: float
    link: str = ""
    stranded: bool = False
    """Whether the way back to what was live before failed, too."""


class TestReport(BaseModel):
    """How an environment's tests ended: a few words to go on from, and their last lines.

    `verified` names the commit of each service that is marked verified by this run.
    """

    __test__ = False  # its name is not a test's

    model_config = ConfigDict(frozen=True, extra="forbid")

    passed: bool
    seconds: float
    exit_code: int | None
    summary: str
    tail: tuple[str, ...]
    verified: dict[str, Sha] = {}


class Target(Protocol):
    """A place where one service of one environment runs.

    One that is `remote` does its work elsewhere and holds no worker: its steps launch it, at most
    once and written down before it is asked for; `settle` then follows it to its end.
    """

    @property
    def remote(self) -> bool:
        """Whether the steps only launch what runs elsewhere."""

    def current(self) -> Live | None:
        """Return what is live here, or None when nothing ever was."""

    def records(self) -> Iterator[Record]:
        """Yield what happened here, the newest record first."""

    def planned_steps(self, action: Action, sha: str) -> tuple[PlannedStep, ...]:
        """Return the steps that would make `sha` live, each with the command it would run."""

    def begin(self, order: Order) -> None:
        """Record that the order begins; raise SeenApprovalError or OldFenceError if it may not."""

    def steps(self, order: Order, guard: Guard, report: Report) -> Iterator[StepDone]:
        """Run the order's steps, each yielded as it ends; raise StepFailedError where one fails.

        A CancelledError of the guard is such a failure: it ends the step that waits, or the next,
        with what was live before live again, and never comes in the middle of a switch. Any other
        error of the guard comes through at once.
        """

    def end(self, order: Order, failed: StepFailedError | None) -> None:
        """Record how the order ended; raise OldFenceError if a newer one has begun meanwhile."""

    def verify(self, sha: str) -> bool:
        """Record that tests passed on `sha`; False, recording nothing, if it is not live now."""

    def probe(self, approval_id: str) -> Probe:
        """Tell what became of an approval, from what the target recorded; changes nothing."""

    def settle(self, order: Order) -> Probe:
        """Tell what became of an order that no worker holds, and shut its worker out.

        What runs elsewhere is Running, and to be settled again after `look_again_seconds`; when it
        has ended, or its time is up, its end is recorded here, once. What had not been launched
        never will be. Nothing is ever launched again.
        """

    def cancel(self, order: Order) -> None:
        """Ask what runs elsewhere to stop; settling tells later whether it did."""
