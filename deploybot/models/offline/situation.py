"""Where a thread stands for the planner: what is wished, what became of it, what is unanswered.

Only the value. `following` folds a thread's events into it, `hearing` what people say; what to do
about it is decided in `deciding`.
"""

from dataclasses import dataclass, field, replace
from typing import Any

from deploybot.approvals import ApprovalRequest
from deploybot.events import DeployFailed, DeployResolved, QuestionAsked, StepChosen, TestsFailed
from deploybot.models.offline.names import Ref
from deploybot.models.offline.wish import Item, Wish
from deploybot.models.offline.words import Said
from deploybot.next_step import NextStep


@dataclass(frozen=True)
class Failure:
    """A step that could not be taken, how often in a row, and why."""

    step: NextStep
    code: str
    error: str
    times: int = 1


@dataclass(frozen=True)
class Denied:
    """What people said no to last, and the ref that was wished then."""

    item: Item
    ref: Ref | None


@dataclass(frozen=True)
class Situation:
    """Everything that the next decision rests on."""

    services: tuple[str, ...]
    environments: tuple[str, ...]
    agent: str = ""
    said: Said | None = None
    """The last words, until the turn ends."""
    wish: Wish | None = None
    before: Wish | None = None
    """The wish before this one: what "it" may speak of."""
    stopped: bool = False
    puzzled: bool = False
    """The last words changed nothing that rules can see, though something is open."""
    done: dict[Item, str] = field(default_factory=dict)
    """What went live for this wish: full SHA."""
    already: dict[Item, str] = field(default_factory=dict)
    """What needed no change: short SHA or ref."""
    denied: Denied | None = None
    failure: Failure | None = None
    failed: tuple[ApprovalRequest, DeployFailed | DeployResolved] | None = None
    tests: TestsFailed | None = None
    reads: tuple[tuple[NextStep, Any], ...] = ()
    """What was read since the last words, newest last."""
    requests: dict[str, ApprovalRequest] = field(default_factory=dict)
    question: QuestionAsked | None = None
    chosen: StepChosen | None = None
    waited: bool = False

    def left(self) -> tuple[Item, ...]:
        """Return what is wished and neither live nor needless."""
        items = self.wish.items() if self.wish else ()
        return tuple(item for item in items if item not in self.done and item not in self.already)

    def read(self, step: NextStep) -> Any:
        """Return what this read returned since the last words, or None."""
        return next((result for taken, result in reversed(self.reads) if taken == step), None)

    def fresh(self, said: Said) -> "Situation":
        """Return the situation right after new words: what the last ones led to is past."""
        return replace(
            self,
            said=said,
            stopped=False,
            puzzled=False,
            failure=None,
            failed=None,
            question=None,
            reads=(),
            denied=None,
        )

    def wishing(self, wish: Wish) -> "Situation":
        """Return the situation with another wish, of which nothing is done yet."""
        return replace(self, wish=wish, done={}, already={}, waited=False)

    def stop(self) -> "Situation":
        """Return the situation with nothing wished any more."""
        return replace(self, stopped=True, wish=None, before=self.wish or self.before)
