"""Votes are counted as well as by trying every way to seat everybody, and in a time that people wait for."""

from itertools import permutations, product

from hypothesis import given
from hypothesis import strategies as st

from deploy.quorum import Seat, counted, is_enough, unheard

GROUPS = ("a", "b", "c")
PEOPLE = ("ann", "ben", "cem", "dan", "eve")


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[list[Seat]], tuple[str, ...], int]:
    """Draw who may sit where, the groups to be heard, and how many must say yes."""
    groups = {person: draw(st.frozensets(st.sampled_from(GROUPS))) for person in PEOPLE}
    votes = draw(st.lists(st.lists(st.sampled_from(PEOPLE), max_size=3, unique=True), max_size=5))
    wanted = draw(st.lists(st.sampled_from(GROUPS), unique=True))
    seats = [[Seat(person, groups[person]) for person in vote] for vote in votes]
    return seats, tuple(wanted), draw(st.integers(1, 5))


def ways(votes: list[list[Seat]]) -> list[dict[str, Seat]]:
    return [
        {seat.person: seat for seat in chosen}
        for chosen in product(*(vote for vote in votes if vote))
    ]


def heard(seats: dict[str, Seat], wanted: tuple[str, ...]) -> int:
    """Return how many of the groups these can be heard for, each person for one."""
    spoken = list(seats.values()) + [Seat("")] * len(wanted)
    return max(
        sum(group in seat.groups for group, seat in zip(wanted, line, strict=False))
        for line in permutations(spoken, len(wanted))
    )


@given(case=cases())
def test_votes_are_counted_as_by_trying_every_way(case):
    votes, wanted, quorum = case

    every = [(len(seats), heard(seats, wanted)) for seats in ways(votes)]

    assert counted(votes) == max(many for many, _ in every)
    assert len(unheard(votes, wanted)) == len(wanted) - max(groups for _, groups in every)
    assert is_enough(votes, quorum, wanted) == any(
        many >= quorum and groups == len(wanted) for many, groups in every
    )


def test_forty_who_each_stand_in_for_another_are_counted_while_somebody_waits():
    votes = [[Seat(f"p{n}"), Seat(f"p{n + 1}")] for n in range(40)]

    assert counted(votes) == 40
    assert not is_enough(votes, 41, ())
    assert unheard(votes, ("security",)) == ("security",)
