"""What people are told of locks, and why nothing comes of a word about one; who may what is `hold_rules`'."""

from dataclasses import dataclass
from typing import Literal

from deploy.catalog import Catalog
from deploy.locks import Hold

Code = Literal[
    "unknown_person",
    "unknown_environment",
    "unknown_service",
    "not_allowed",
    "not_an_approver",
    "locked",
    "held",
    "not_locked",
    "yours_already",
    "no_end",
    "time_refused",
]


@dataclass(frozen=True)
class HoldRefusal:
    """Why nothing comes of it: a stable code, and a sentence for whoever said it."""

    reason_code: Code
    text: str


def place(service: str | None, environment: str) -> str:
    """Name what a lock is about, as people write it."""
    return f"{service} on {environment}" if service else f"everything on {environment}"


def written(service: str | None, environment: str) -> str:
    """Name the place as the commands take it: `backend on production`, or `production`."""
    return f"{service} on {environment}" if service else environment


def told(holds: tuple[Hold, ...]) -> str:
    """Say what is locked, a line each."""
    if not holds:
        return "Nothing is locked."
    return "\n".join(_line(hold) for hold in holds)


def _line(hold: Hold) -> str:
    kind = "asks for care with" if hold.warn_only else "holds"
    since = f"since {hold.at:%Y-%m-%d %H:%M} UTC"
    until = f", until {hold.expires:%Y-%m-%d %H:%M} UTC" if hold.expires else ""
    return f"{hold.owner} {kind} {place(hold.service, hold.environment)} {since}{until}: {hold.reason}."


def until(hold: Hold) -> str:
    """Say until when a lock lasts, after a verb; "" for one without an end."""
    return f" until {hold.expires:%Y-%m-%d %H:%M} UTC" if hold.expires else ""


def misnamed(service: str | None, environment: str, catalog: Catalog) -> HoldRefusal | None:
    """Say which name is not known, if one is not."""
    table = catalog.environments.get(environment)
    if table is None:
        known = ", ".join(catalog.environments) or "none"
        text = f"No environment {environment[:60]!r}. Nothing was changed. Known: {known}."
        return HoldRefusal("unknown_environment", text)
    if service is not None and service not in table.services:
        known = ", ".join(table.services) or "none"
        text = (
            f"No service {service[:60]!r} on {environment}. Nothing was changed. "
            f"Known there: {known}."
        )
        return HoldRefusal("unknown_service", text)
    return None


def not_locked(service: str | None, environment: str, everything: Hold | None) -> HoldRefusal:
    """Say that a place has no lock, or none of its own while `everything` there is locked."""
    where = place(service, environment)
    text = f"{where} is not locked; nothing has changed."
    if everything is not None and service is not None:
        text = (
            f"{where} has no lock of its own; nothing has changed. {everything.owner} has locked "
            f"everything on {environment}: `unlock {environment}` would free it."
        )
    return HoldRefusal("not_locked", text)


def anothers(held: Hold) -> HoldRefusal:
    """Say whose lock stands in the way, and what can be done."""
    where = written(held.service, held.environment)
    text = (
        f"{held.owner} has locked {place(held.service, held.environment)}{until(held)}: "
        f"{held.reason}. Nothing was changed; ask {held.owner}, or, if you may approve there, "
        f"write `take over {where}`."
    )
    return HoldRefusal("locked", text)


def held_by_a_roll_back(held: Hold) -> HoldRefusal:
    """Say why it is held, and who frees it."""
    where = place(held.service, held.environment)
    text = (
        f"{where} is held{until(held)}: {held.reason}. Nothing was changed; an approver frees "
        f"it with `unlock {written(held.service, held.environment)}`."
    )
    return HoldRefusal("held", text)


def not_yours(held: Hold, approvers: tuple[str, ...], verb: str, so: str) -> HoldRefusal:
    """Say who may, instead of whoever said it."""
    names = ", ".join(approvers)
    whom = f"one of its approvers: {names}" if approvers else "somebody who is known here"
    if held.made_by == "person":
        whom = f"{held.owner}, or {whom}"
    code: Code = "not_an_approver" if approvers else "unknown_person"
    where = place(held.service, held.environment)
    return HoldRefusal(code, f"You may not {verb} {where}, {so}. Ask {whom}.")
