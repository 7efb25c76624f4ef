"""When people are away and who answers for them, and whether enough are left to approve meanwhile."""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Self

from pydantic import BaseModel, ConfigDict, model_validator

from deploy.approval_tables import ApprovalTable, Groups, has_strangers, seats
from deploy.catalog import Catalog
from deploy.quorum import is_enough


class AwayTable(BaseModel):
    """The first and last day of an absence, and who answers meanwhile."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    begins: date
    ends: date
    to: str

    @model_validator(mode="after")
    def _has_an_order(self) -> Self:
        if self.ends < self.begins:
            raise ValueError("it ends before it begins")
        return self


Absences = Mapping[str, tuple[AwayTable, ...]]
"""Person → when that person is away."""


def problem(absences: Absences, known: Mapping[str, object], catalog: Catalog) -> str:
    """Return what is wrong with who answers for whom, with the key that says so; "" for nothing."""
    for person, away in absences.items():
        for one in away:
            if one.to == person or one.to not in known:
                who = "themselves" if one.to == person else f"{one.to!r}, who is not in [people]"
                return f"people.{person}.away names {who}: name somebody else who answers meanwhile"
    for name, table in catalog.environments.items():
        for day in _turning_points(absences):
            if not _enough_on(day, absences, table, catalog.groups):
                gone = " and ".join(_away_on(day, absences))
                return (
                    f"environments.{name} could not be approved from {day:%Y-%m-%d} on, while "
                    f"{gone} are away: let somebody answer for them who counts on their own, or "
                    "name more approvers"
                )
    return ""


def _turning_points(absences: Absences) -> list[date]:
    return sorted({one.begins for away in absences.values() for one in away})


def _away_on(day: date, absences: Absences) -> dict[str, tuple[str, ...]]:
    """Return who is away on that day, and who answers for them."""
    found: dict[str, tuple[str, ...]] = {}
    for person, away in absences.items():
        to = tuple(one.to for one in away if one.begins <= day <= one.ends)
        if to:
            found[person] = to
    return found


def _enough_on(day: date, absences: Absences, table: ApprovalTable, groups: Groups) -> bool:
    """Tell whether those who are there on that day could approve what somebody else asked for."""
    if table.automatic or has_strangers(table, groups):
        return True
    all_seats, away = seats(table, groups), _away_on(day, absences)
    there: Iterator[str] = (
        person
        for person in {*all_seats, *(to for several in away.values() for to in several)}
        if person not in away
    )
    votes = [
        [seat for owner, seat in all_seats.items() if owner == one or one in away.get(owner, ())]
        for one in there
    ]
    return is_enough(votes, table.quorum, table.one_from_each)
