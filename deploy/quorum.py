"""Whether the people who said yes are enough: so many, and one of each group that must be heard.

Pure. A vote is the seats that one person may take, of which they take one: their own, or that of
somebody they answer for. A seat counts once, and for one group only; which groups, the last vote
that names the seat knows best. Counted as a maximum flow, so that many stand-ins cost no more than
their number.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Seat:
    """One person's right to approve: whose it is, and the groups it may count for."""

    person: str
    groups: frozenset[str] = frozenset()


Vote = Sequence[Seat]
"""The seats that one person may take, in no order."""


def is_enough(votes: Iterable[Vote], quorum: int, one_from_each: Sequence[str]) -> bool:
    """Tell whether the votes can be counted so that the rule is met.

    Whoever is heard for the groups can be among as many as can be counted at all: one who can be
    seated never takes the place of another for good.
    """
    votes = tuple(votes)
    return counted(votes) >= quorum and not unheard(votes, one_from_each)


def unheard(votes: Iterable[Vote], one_from_each: Sequence[str]) -> tuple[str, ...]:
    """Return the groups of which nobody counts yet, the votes counted so that these are fewest."""
    votes = tuple(votes)
    seats = {seat.person: seat for vote in votes for seat in vote}
    flow = _Flow.of(votes)
    for seat in seats.values():
        for group in seat.groups:
            flow.leads((_COUNTED, seat.person), ("group", group))
    missing = []
    for group in one_from_each:
        flow.leads(("group", group), _END)
        if not flow.grows():
            flow.ways[("group", group)].discard(_END)
            missing.append(group)
    return tuple(missing)


def counted(votes: Iterable[Vote]) -> int:
    """Return for how many the votes count at most."""
    votes = tuple(votes)
    flow = _Flow.of(votes)
    for person in {seat.person for vote in votes for seat in vote}:
        flow.leads((_COUNTED, person), _END)
    many = 0
    while flow.grows():
        many += 1
    return many


_START, _END, _COUNTED = "start", "end", "counted"


@dataclass
class _Flow:
    """What flows from votes to seats and on, one along each way; a way that is used leads back."""

    ways: dict[Hashable, set[Hashable]] = field(default_factory=lambda: defaultdict(set))

    @classmethod
    def of(cls, votes: Sequence[Vote]) -> "_Flow":
        """Lead from each vote to its seats, and through each seat once."""
        flow = cls()
        for number, vote in enumerate(votes):
            flow.leads(_START, ("vote", number))
            for seat in vote:
                flow.leads(("vote", number), ("seat", seat.person))
                flow.leads(("seat", seat.person), (_COUNTED, seat.person))
        return flow

    def leads(self, one: Hashable, other: Hashable) -> None:
        self.ways[one].add(other)

    def grows(self) -> bool:
        """Let one more flow from the start to the end, if there is a way left (Ford, Fulkerson 1956)."""
        came_from: dict[Hashable, Hashable] = {_START: None}
        left: list[Hashable] = [_START]
        while left:
            here = left.pop()
            for there in self.ways[here] - came_from.keys():
                came_from[there] = here
                left.append(there)
        if _END not in came_from:
            return False
        ends: Hashable = _END
        while (begins := came_from[ends]) is not None:
            self.ways[begins].discard(ends)
            self.ways[ends].add(begins)
            ends = begins
        return True
