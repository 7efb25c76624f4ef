"""Whether the people who said yes are enough: so many, and one of each group that must be heard.

Pure. A vote is the seats that one person may take, of which they take one: their own, or that of
somebody they answer for. A seat counts once, and for one group only.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product


@dataclass(frozen=True)
class Seat:
    """One person's right to approve: whose it is, and the groups it may count for."""

    person: str
    groups: frozenset[str] = frozenset()


Vote = Sequence[Seat]
"""The seats that one person may take, in no order."""


def is_enough(votes: Iterable[Vote], quorum: int, one_from_each: Sequence[str]) -> bool:
    """Tell whether the votes can be counted so that the rule is met."""
    return any(
        len(seats) >= quorum and len(_heard(seats, one_from_each)) == len(one_from_each)
        for seats in _ways(votes)
    )


def unheard(votes: Iterable[Vote], one_from_each: Sequence[str]) -> tuple[str, ...]:
    """Return the groups of which nobody counts yet, the votes counted so that these are fewest."""
    heard = max((_heard(seats, one_from_each) for seats in _ways(votes)), key=len, default={})
    return tuple(group for group in one_from_each if group not in heard)


def counted(votes: Iterable[Vote]) -> int:
    """Return for how many the votes count at most."""
    return max((len(seats) for seats in _ways(votes)), default=0)


def _ways(votes: Iterable[Vote]) -> Iterable[Sequence[Seat]]:
    """Yield each way to seat everybody who may sit somewhere, a seat that two take once."""
    for chosen in product(*(tuple(vote) for vote in votes if vote)):
        yield tuple({seat.person: seat for seat in chosen}.values())


def _heard(seats: Sequence[Seat], groups: Sequence[str]) -> Mapping[str, str]:
    """Return group → person, as many groups as possible and nobody twice (augmenting paths)."""
    taken: dict[str, str] = {}
    standing = {seat.person: seat.groups for seat in seats}

    def seat_for(group: str, tried: set[str]) -> bool:
        for person, mine in standing.items():
            if group not in mine or person in tried:
                continue
            tried.add(person)
            before = next((other for other, who in taken.items() if who == person), None)
            if before is None or seat_for(before, tried):
                taken[group] = person
                return True
        return False

    for group in groups:
        seat_for(group, set())
    return taken
