"""What every deploy target promises, and the words it speaks; the targets are in `targets/`."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from deploy.journal import Journal
from deploy.plan import Action, Plan, PlannedStep, Sha

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


Progress = Callable[[StepStarted | StepDone | LogLine], None]


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

    `fence` grows with every operation; `digest` is what people agreed to; `head` is the MAC of the
    thread's last event.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    approval_id: str = Field(pattern=r"^[A-Za-z0-9._:-]{1,200}$")
    fence: int = Field(ge=1)
    digest: str
    head: str
    plan: Plan


class NeverBegan(BaseModel):
    """The target has never seen this approval: nothing ran."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["never_began"] = "never_began"


class Began(BaseModel):
    """The approval began and has no end: how far it came, and what is live now."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["began"] = "began"
    last_step: str | None
    live_sha: Sha | None


class Ended(BaseModel):
    """The approval ran to an end: how, and which commit it was about."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["ended"] = "ended"
    outcome: Literal["succeeded", "failed"]
    sha: Sha
    live_sha: Sha | None
    step: str | None = None
    error: str | None = None


Probe = NeverBegan | Began | Ended


class Target(Protocol):
    """A place where one service of one environment runs."""

    @property
    def journal(self) -> Journal:
        """What has happened here."""

    def current(self) -> Live | None:
        """Return what is live here, or None when nothing ever was."""

    def planned_steps(
        self, action: Action, sha: str, previous_sha: str | None
    ) -> tuple[PlannedStep, ...]:
        """Return the steps that would make `sha` live, each with the command it would run."""

    def begin(self, order: Order) -> None:
        """Record that the order begins; raise SeenApprovalError or OldFenceError if it may not."""

    def steps(self, order: Order, guard: Guard, progress: Progress) -> Iterator[StepDone]:
        """Run the order's steps, each yielded as it ends; raise StepFailedError where one fails."""

    def probe(self, approval_id: str) -> Probe:
        """Tell what became of an approval, from what the target itself recorded."""
