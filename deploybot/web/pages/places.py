"""What is live where, as the page of environments shows it: an environment, and a row a service."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from deploy.catalog import Catalog
from deploy.freezes import FreezeTable, Window, active, closing
from deploybot.ports import EnvironmentRow, People


@dataclass(frozen=True)
class Place:
    """One environment: whose leave it takes to change it, and what is there."""

    name: str
    rule: str
    rows: tuple[EnvironmentRow, ...]
    frozen: tuple[Window, ...] = ()
    """The freezes that are on now, the one that lasts longest first."""
    freezes_next: Window | None = None


def places(
    found: Sequence[EnvironmentRow], catalog: Catalog, people: People, now: datetime
) -> tuple[Place, ...]:
    """Return the environments in their order, each with its services."""
    names = dict.fromkeys(row.environment for row in found)
    return tuple(
        Place(
            name,
            rule(catalog, people, name),
            tuple(row for row in found if row.environment == name),
            active(_freezes(catalog, name), now),
            closing(_freezes(catalog, name), now),
        )
        for name in names
    )


def _freezes(catalog: Catalog, environment: str) -> tuple[FreezeTable, ...]:
    table = catalog.environments.get(environment)
    return table.freezes if table else ()


def rule(catalog: Catalog, people: People, environment: str) -> str:
    """Return in a sentence whose leave a change takes."""
    table = catalog.environments.get(environment)
    if table is None:
        return "Not configured any more."
    if table.automatic:
        return "Changes need nobody's approval."
    named = [people.name(person) for person in table.named]
    for group in table.groups:
        members = ", ".join(people.name(one) for one in catalog.groups[group].people)
        if catalog.groups[group].slack:
            members = f"{members}, " * bool(members) + "whoever is in it in Slack"
        named.append(f"{group} ({members})")
    names = ", ".join(named)
    if table.one_from_each:
        each, most = ", ".join(table.one_from_each), max(table.quorum, len(table.one_from_each))
        return f"A change takes {most} of these, one from each of {each}: {names}."
    if table.quorum > 1:
        return f"A change takes {table.quorum} of these: {names}."
    return f"May approve changes: {names}."
