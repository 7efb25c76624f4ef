"""What the contract of targets needs of each kind: a place to try it in, and ways to look behind it.

A package that brings a target of its own writes one class like those in `local_harnesses` and runs

    pytest tests/contracts/test_targets.py --harness your_package.your_module:YourHarness

against an installed `deploybot.targets` entry point.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from shop import free, unheard

from deploy.look import Look
from deploy.process import pause
from deploy.run import run
from deploy.target import (
    Ended,
    Guard,
    Order,
    Outcome,
    Probe,
    Progress,
    Report,
    Running,
    StepDone,
    StepStarted,
    Target,
)

Mode = Literal["quick", "slow", "silent", "fails"]
"""How a deploy goes: well at once; well once it is let go; the same, saying nothing; not at all."""


@dataclass(frozen=True)
class Moment:
    """An instant of a run, at which its worker may die: a step begins, or has ended."""

    step: str
    when: Literal["begins", "ended"]

    def is_now(self, told: Progress) -> bool:
        if self.when == "begins":
            return told == StepStarted(self.step)
        return isinstance(told, StepDone) and told.name == self.step

    def __str__(self) -> str:
        return f"{self.step}-{self.when}"


class Harness(Protocol):
    """One kind of target, in a folder of its own: service `backend` on `staging` of the sample shop.

    Its repository has the tags v1.0.0, v1.1.0 and v1.2.0, and nothing is live at first.
    """

    kind: str
    moments: tuple[Moment, ...]
    """Where a worker may die, in their order."""
    acts: str
    """The step that changes what is live, or asks for it elsewhere."""

    def __init__(self, folder: Path) -> None:
        """Make the place, with what it needs to run."""

    def look(self, mode: Mode = "quick", **settings: object) -> Look:
        """Return the catalog's facts, its deploys going as `mode` says, with settings of its table."""

    def order(self, look: Look, ref: str, **changes: object) -> Order:
        """Return an order as if people had agreed, with a name and a fence that are new."""

    def runs(self) -> list[str]:
        """Return the commit of every deploy that was really carried out or tried, oldest first."""

    def acting(self) -> bool:
        """Tell whether a deploy is being carried out now, by whatever carries it out."""

    def truth(self) -> str | None:
        """Return the commit that is live, found without the target."""

    def let_go(self) -> None:
        """Let what is slow come to its end."""

    def close(self) -> None:
        """End whatever the place needed to run."""


SECONDS = 30.0
"""How long anything may take before a test gives up."""


def until(holds: Callable[[], bool], what: str) -> None:
    """Wait for a thing that others do."""
    for _ in range(int(SECONDS / 0.02)):
        if holds():
            return
        pause(0.02)
    raise AssertionError(f"{what} did not happen within {SECONDS:g} s")


def followed(target: Target, order: Order) -> Probe:
    """Settle an order as the loop does: again, for as long as it runs elsewhere."""
    found: list[Probe] = []

    def has_ended() -> bool:
        found[:] = [target.settle(order)]
        return not isinstance(found[0], Running)

    until(has_ended, "the end of what runs elsewhere")
    return found[0]


def carried_out(
    target: Target, order: Order, *, guard: Guard = free, progress: Report = unheard
) -> Outcome | Probe:
    """Run an order to its end, wherever it runs."""
    outcome = run(target, order, guard=guard, progress=progress)
    return followed(target, order) if isinstance(outcome, Running) else outcome


def ended(found: Outcome | Probe) -> Outcome | Ended:
    """Return an end, having made sure that it is one."""
    assert isinstance(found, Outcome | Ended), found
    return found
