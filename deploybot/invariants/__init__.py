"""What must hold whatever happens, I1 to I13, and one checker that believes only what others wrote down.

Pure. It is given threads as they are kept, one after the other, and the world beside them: the
journals of targets, what is live, what channels noted, and in tests also what clients were answered
and what stands in Slack. Each invariant comes out as sentences about what is wrong, or as none.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from deploybot.invariants import decisions, intake, people, places
from deploybot.invariants.evidence import Known, Ledger, Place, Read, Site, World

__all__ = [
    "INVARIANTS",
    "Checker",
    "Ledger",
    "Place",
    "Read",
    "Site",
    "Verdict",
    "World",
    "check",
]

INVARIANTS: Final[Mapping[str, str]] = {
    "I1": "what was taken in is there exactly once",
    "I2": "no log was changed, cut or lost",
    "I3": "no deploy began without a valid approval",
    "I4": "no approval ran twice",
    "I5": "one change at a time in each place",
    "I6": "every start has one honest end",
    "I7": "people were told, and told only what is so",
    "I8": "no model and no machine decided",
    "I9": "what a model reads is what happened",
    "I10": "no secret is kept or shown",
    "I11": "models are asked within bounds",
    "I12": "silence approved nothing",
    "I13": "a no, an expiry, a cancel is final",
}
"""Name → what it says."""

_OF_A_THREAD = {
    "I1": intake.heard_once,
    "I2": intake.unbroken,
    "I3": decisions.founded,
    "I4": places.started_once,
    "I6": places.ended_once,
    "I7": people.told,
    "I8": decisions.by_people,
    "I9": people.read_back,
    "I10": people.without_secrets,
    "I11": people.bounded,
    "I12": decisions.by_a_word,
    "I13": decisions.final,
}
_OF_ALL = {
    "I1": intake.all_heard,
    "I2": intake.anchored,
    "I4": places.began_once,
    "I5": places.one_at_a_time,
    "I6": places.as_the_target_says,
    "I7": people.shown_truly,
    "I10": people.no_sink_holds_one,
    "I11": people.within_budgets,
}


@dataclass(frozen=True)
class Verdict:
    """One invariant, and in sentences what goes against it; nothing if it holds."""

    name: str
    says: str
    violations: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether nothing goes against it."""
        return not self.violations


class Checker:
    """Looks at threads one after the other, and keeps of each only what all are compared by."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._known = Known()
        self._found: dict[str, list[str]] = {name: [] for name in INVARIANTS}

    def look(self, read: Read) -> None:
        """Look at one thread."""
        for name, holds in _OF_A_THREAD.items():
            self._found[name] += holds(read, self._known, self._world)
        self._known.remember(read, self._world)

    def verdicts(self) -> tuple[Verdict, ...]:
        """Compare what was seen with the world, and say of each invariant whether it holds."""
        found = {name: list(sentences) for name, sentences in self._found.items()}
        for name, holds in _OF_ALL.items():
            found[name] += holds(self._known, self._world)
        return tuple(
            Verdict(name, says, tuple(dict.fromkeys(found[name])))
            for name, says in INVARIANTS.items()
        )


def check(threads: Iterable[Read], world: World) -> tuple[Verdict, ...]:
    """Return the verdict on each invariant."""
    checker = Checker(world)
    for read in threads:
        checker.look(read)
    return checker.verdicts()


def violations(verdicts: Iterable[Verdict]) -> Iterator[str]:
    """Yield everything that goes against an invariant, each with the invariant's name."""
    for verdict in verdicts:
        yield from (f"{verdict.name}: {sentence}" for sentence in verdict.violations)
