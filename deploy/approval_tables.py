"""By whose leave an environment changes: the keys of its rule, and whether it can be met at all."""

from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from deploy.quorum import Seat, is_enough, unheard
from deploy.values import Name, Person

SlackGroup = Annotated[str, StringConstraints(pattern=r"^(S[A-Z0-9]{2,30})?$")]
MOST_GROUPS = 8
Skip = Literal["approvals", "freezes"]
CircleKey = Literal["approvers", "escalate_to", "break_glass"]
CIRCLES: tuple[CircleKey, ...] = get_args(CircleKey)
"""The keys that name people, or groups with an @."""


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class GroupTable(_Table):
    """People under one name: those that are named, and the members of a Slack user group."""

    people: tuple[Person, ...] = ()
    slack: SlackGroup = ""
    """The id of a Slack user group; who is in it is looked up whenever it counts."""

    @model_validator(mode="after")
    def _is_somebody(self) -> Self:
        if not self.people and not self.slack:
            raise ValueError("nobody is in it: name people, or a Slack user group")
        if len(set(self.people)) != len(self.people):
            raise ValueError("people: a person is named twice")
        return self


Groups = Mapping[str, GroupTable]


class ApprovalTable(_Table):
    """Who may approve, and how many must. `@leads` stands for the group `leads`."""

    approvers: tuple[Person, ...] = ()
    quorum: int = Field(default=1, ge=1)
    one_from_each: tuple[Name, ...] = Field(default=(), max_length=MOST_GROUPS)
    """Groups of each of which somebody must approve, a different person for each of them."""
    author_may_approve: bool = True
    """Whether who wrote what goes live may approve it."""
    escalate_to: tuple[Person, ...] = ()
    """Who may approve, too, once nobody has for `escalate_after_seconds`."""
    escalate_after_seconds: int | None = Field(default=None, ge=1)
    break_glass: tuple[Person, ...] = ()
    """Who may approve alone in an emergency, with a reason that all approvers are told."""
    break_glass_skips: tuple[Skip, ...] = ("approvals", "freezes")
    remind_after_seconds: int | None = Field(default=None, ge=1)
    """After how long, then twice as long each time, those who have not answered are called again."""
    quiet: tuple[Person, ...] = ()
    """Who may approve, and is not called for it."""
    automatic: bool = False
    approve_by_mail: bool = False
    requester_may_approve: bool = False
    fresh_sign_in: bool = True
    """Whether approving on the pages takes somebody who signed in within the last minutes."""
    expires_seconds: int = Field(default=1800, ge=10, le=2_592_000)
    confirm: bool = False
    """Whether whoever approves must say so twice."""

    def circle(self, key: CircleKey) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the people and the groups that a key names."""
        listed: tuple[str, ...] = getattr(self, key)
        people = tuple(name for name in listed if not name.startswith("@"))
        return people, tuple(name[1:] for name in listed if name.startswith("@"))

    @property
    def named(self) -> tuple[str, ...]:
        """The people who may approve by their own name."""
        return self.circle("approvers")[0]

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups whose members may approve, each once."""
        return tuple(dict.fromkeys((*self.circle("approvers")[1], *self.one_from_each)))

    @property
    def wanted(self) -> str:
        """In words, how many must approve, and of which groups."""
        groups = (
            f", one from each of {', '.join(self.one_from_each)}," if self.one_from_each else ""
        )
        return f"{self.quorum}{groups}"

    def decides(self) -> dict[str, object]:
        """Return what decides by whose leave; what was added later only where it is set."""
        values = self.model_dump(mode="json", include=set(ApprovalTable.model_fields) - _TELLING)
        return {
            name: value
            for name, value in values.items()
            if name not in _ADDED or value != _BARE[name]
        }

    @model_validator(mode="after")
    def _names_are_names(self) -> Self:
        for key in CIRCLES:
            listed: tuple[str, ...] = getattr(self, key)
            if len(set(listed)) != len(listed):
                raise ValueError(f"{key}: a person is named twice")
        if len(set(self.one_from_each)) != len(self.one_from_each):
            raise ValueError("one_from_each: a group is named twice")
        if bool(self.escalate_to) != (self.escalate_after_seconds is not None):
            raise ValueError("escalate_to and escalate_after_seconds go together: set both")
        for name in ("escalate_after_seconds", "remind_after_seconds"):
            seconds = getattr(self, name)
            if seconds is not None and seconds >= self.expires_seconds:
                raise ValueError(f"{name} is not less than expires_seconds, so it would never come")
        if self.break_glass and not self.break_glass_skips:
            raise ValueError("break_glass_skips: name what it skips, or take break_glass out")
        return self


_TELLING = {"fresh_sign_in", "remind_after_seconds", "quiet"}
"""What says how people are asked, and not who decides."""
_ADDED = {
    "one_from_each",
    "author_may_approve",
    "escalate_to",
    "escalate_after_seconds",
    "break_glass",
    "break_glass_skips",
}
_BARE = ApprovalTable().model_dump(mode="json")


def approvers(table: ApprovalTable, groups: Groups) -> tuple[str, ...]:
    """Return everybody whom the configuration lets approve, each once; Slack may know more."""
    members = (groups[name].people for name in table.groups if name in groups)
    return tuple(dict.fromkeys((*table.named, *(one for people in members for one in people))))


def unknown_groups(table: ApprovalTable, groups: Groups) -> Iterator[tuple[str, str]]:
    """Yield key and name of each group that is used and not configured."""
    for key in CIRCLES:
        for name in table.circle(key)[1]:
            if name not in groups:
                yield key, name
    for name in table.one_from_each:
        if name not in groups:
            yield "one_from_each", name


def can_be_met(table: ApprovalTable, groups: Groups, *, without: Collection[str] = ()) -> bool:
    """Tell whether enough people are left once those are taken out; Slack's groups may hold anybody."""
    if has_strangers(table, groups):
        return True
    votes = [(seat,) for person, seat in seats(table, groups).items() if person not in without]
    return is_enough(votes, table.quorum, table.one_from_each)


def problem(table: ApprovalTable, groups: Groups) -> str | None:
    """Return why nobody could ever meet the rule, or None; Slack's groups may hold anybody."""
    if table.automatic:
        return None
    if not table.approvers and not table.one_from_each:
        return "nobody may approve: name approvers, or set automatic = true"
    if has_strangers(table, groups):
        return None
    everybody = seats(table, groups)
    return _too_few(table, everybody) or _nobody_left(table, everybody)


def has_strangers(table: ApprovalTable, groups: Groups) -> bool:
    """Tell whether people may approve, at once or later, whom only Slack knows."""
    named = (*table.groups, *table.circle("escalate_to")[1])
    return any(groups[name].slack for name in named if name in groups)


def seats(table: ApprovalTable, groups: Groups) -> dict[str, Seat]:
    """Return everybody who may approve, at once or later, and for which groups they count."""
    people, later = table.circle("escalate_to")
    escalated = (*people, *(one for name in later for one in groups[name].people))
    seats = {
        person: Seat(person, frozenset(g for g in table.groups if person in groups[g].people))
        for person in approvers(table, groups)
    }
    return seats | {one: Seat(one, frozenset(table.one_from_each)) for one in escalated}


def _too_few(table: ApprovalTable, everybody: Mapping[str, Seat]) -> str | None:
    if table.quorum > len(everybody):
        return (
            f"quorum is {table.quorum} and only {len(everybody)} may approve: name more approvers, "
            "or lower the quorum"
        )
    missing = unheard([(seat,) for seat in everybody.values()], table.one_from_each)
    if missing:
        return (
            f"one_from_each takes a different person for each group, and nobody is left for "
            f"{' and '.join(missing)}: put more people into the groups, or ask for fewer"
        )
    return None


def _nobody_left(table: ApprovalTable, everybody: Mapping[str, Seat]) -> str | None:
    """Return what is wrong when one of those who may approve asks, and so may not."""
    if table.requester_may_approve:
        return None
    for asker in everybody:
        others = [(seat,) for person, seat in everybody.items() if person != asker]
        if is_enough(others, table.quorum, table.one_from_each):
            continue
        missing = unheard(others, table.one_from_each)
        if len(others) >= table.quorum and missing:
            return (
                f"what {asker} asks for, nobody could approve for {' and '.join(missing)}: put "
                "more people into the groups, or set requester_may_approve = true"
            )
        return (
            f"what one of the {len(everybody)} approvers asks for, nobody could approve: name more "
            "approvers, lower the quorum, or set requester_may_approve = true"
        )
    return None
