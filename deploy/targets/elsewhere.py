"""Work that runs elsewhere: what a remote target asks of its place, and how the place may answer."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from deploy.plan import Action, PlannedStep
from deploy.records import Record
from deploy.target import Live, Order


@dataclass(frozen=True)
class Work:
    """One order on its way elsewhere, as the journal knows it.

    `facts` are what the place said of it before and after it was launched (ids, links, what was
    there before); `stopping` says that it was asked to stop.
    """

    approval_id: str
    fence: int
    action: Action
    sha: str
    asked_at: datetime
    facts: Mapping[str, str] = field(default_factory=dict)
    stopping: bool = False


@dataclass(frozen=True)
class Unseen:
    """The place shows nothing of the work: it has not appeared yet, or never will."""


@dataclass(frozen=True)
class Going:
    """The work goes on: at which step, where to watch it.

    `mark` is the same as long as nothing has changed.
    """

    step: str
    link: str
    mark: str


@dataclass(frozen=True)
class Over:
    """The work has ended, well or not.

    `undo` says that what was live before has to be put back: the place is then asked to stop the
    work, and looked at again until that is done.
    """

    ok: bool
    link: str = ""
    step: str | None = None
    error: str | None = None
    tail: tuple[str, ...] = ()
    undo: bool = False


Sight = Unseen | Going | Over
"""What one look at the place shows of some work."""


class Elsewhere(Protocol):
    """A place that runs what it is asked to, and can be asked how it goes.

    Every method may raise NoAnswerError (whether it was done cannot be told), BusyError (it was
    not; ask again later) or DeniedError (it was not, and will not be).
    """

    @property
    def launches_at(self) -> str:
        """The name of the step that launches the work; those behind it run elsewhere."""

    def planned_steps(self, action: Action, sha: str) -> tuple[PlannedStep, ...]:
        """Return the steps that would make `sha` live."""

    def current(self, records: Iterable[Record]) -> Live | None:
        """Return what is live, by the place's word, or by the journal's where it has none."""

    def witness(self, order: Order) -> None:
        """Raise SeenApprovalError or OldFenceError if the place knows that the order may not begin."""

    def prepare(self, step: str, order: Order, facts: Mapping[str, str]) -> dict[str, str]:
        """Take a step before the launch; return what is to be remembered of it."""

    def before(self, order: Order) -> dict[str, str]:
        """Return what must be known before the launch; reads only."""

    def launch(self, order: Order, facts: Mapping[str, str]) -> dict[str, str]:
        """Ask for the work, once; return what the place says of it."""

    def announce(self, facts: Mapping[str, str]) -> None:
        """Tell the place that the work was launched, where people look at it; need not succeed."""

    def look(self, work: Work) -> Sight:
        """Tell how the work goes; changes nothing."""

    def stop(self, work: Work) -> None:
        """Ask that the work stops, and that what was live before is live again; safe to repeat."""

    def finish(self, work: Work, over: Over) -> None:
        """Tell the place how the work ended, if it keeps account of that; safe to repeat."""
