"""Checks that others ran on a commit, and which of them are still wanted; who asks for them is `github`."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

State = Literal["success", "failure", "pending", "missing"]

ALL = "all"
"""Every check that a commit has is required, and it has to have one."""


class Check(BaseModel):
    """One check of a commit: its name, how it stands, and a page about it ("" for none)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    state: State
    link: str = ""


def wanted(
    required: tuple[str, ...] | Literal["all"], checks: tuple[Check, ...]
) -> tuple[Check, ...]:
    """Return how each required check stands, those that do not hold first.

    A name that several checks bear stands as its worst. One that the commit does not have is
    `missing`, and so is the one called `any` when all are required and there is none.
    """
    known: dict[str, Check] = {}
    for check in checks:
        if check.name not in known or _weight(check) < _weight(known[check.name]):
            known[check.name] = check
    names = (tuple(known) or ("any",)) if required == ALL else required
    found = (known.get(name, Check(name=name, state="missing")) for name in names)
    return tuple(sorted(found, key=_weight))


def _weight(check: Check) -> int:
    return ("failure", "missing", "pending", "success").index(check.state)
