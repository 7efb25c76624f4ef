"""Who may approve what an environment takes, as configured: the rule that a request carries."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

Skip = Literal["approvals", "freezes"]
Members = Mapping[str, frozenset[str]]
"""Group → the people in it."""


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Group(_Value):
    """A group of people, and who was in it when people were asked; that is looked up anew."""

    name: str
    people: tuple[str, ...] = ()


class Circle(_Value):
    """People who may do something, by their names or as members of groups."""

    named: tuple[str, ...] = ()
    groups: tuple[Group, ...] = ()

    @property
    def people(self) -> tuple[str, ...]:
        """Return all of them, as far as it was known when people were asked."""
        members = (person for group in self.groups for person in group.people)
        return tuple(dict.fromkeys((*self.named, *members)))

    def holds(self, person: str, members: Members) -> bool:
        """Tell whether the person is one of them while these are the groups' members."""
        groups = (members.get(group.name, ()) for group in self.groups)
        return person in self.named or any(person in people for people in groups)


class BreakGlass(Circle):
    """Who may approve alone in an emergency, and what that leaves out."""

    skips: tuple[Skip, ...] = ()


class Escalation(Circle):
    """Who may approve, too, once nobody has for so long."""

    after_seconds: int


class StandIn(_Value):
    """Somebody who answers for somebody away."""

    person: str
    instead_of: str


class Rule(_Value):
    """Who may approve for one environment, and how many must."""

    approvers: tuple[str, ...] = ()
    """Everybody who may, in groups or not, as far as it was known when they were asked."""
    quorum: int = 1
    requester_may_approve: bool = False
    automatic: bool = False
    expires_seconds: int = 1800
    anyone_may_stop: bool = False
    """Whether everybody who is known may stop it before it starts: a countdown by policy."""
    named: tuple[str, ...] = ()
    """Who of the approvers may by their own name, where members of groups may, too."""
    groups: tuple[Group, ...] = ()
    """Whose members may approve."""
    one_from_each: tuple[str, ...] = ()
    """Groups of each of which a different person must approve."""
    author_may_approve: bool = True
    stand_ins: tuple[StandIn, ...] = ()
    """Who answered for which approver that was away when people were asked."""
    break_glass: BreakGlass | None = None
    escalation: Escalation | None = None
    remind_after_seconds: int | None = None
    quiet: tuple[str, ...] = ()
    """Who may approve, and is not called for it."""

    def decides(self) -> dict[str, Any]:
        """Return the rule as JSON values; what was added later only where it is set."""
        values = self.model_dump(mode="json")
        return {
            k: v
            for k, v in values.items()
            if k in _FIRST_KEYS or (v != _NO_RULE[k] and k not in _CALLING)
        }

    @property
    def by_name(self) -> tuple[str, ...]:
        """Return those who may approve whatever groups they are in."""
        return self.named if self.groups else self.approvers

    @property
    def asks_nobody(self) -> bool:
        """Return whether there is nobody who has to say yes."""
        return not self.approvers and not self.groups

    @property
    def every_group(self) -> tuple[Group, ...]:
        """Return all groups that it speaks of."""
        circles = (one for one in (self.break_glass, self.escalation) if one)
        groups = (*self.groups, *(group for circle in circles for group in circle.groups))
        return tuple({group.name: group for group in groups}.values())

    @property
    def everybody(self) -> tuple[str, ...]:
        """Return everybody who may approve, at once or later, as far as known when asked."""
        later = self.escalation.people if self.escalation else ()
        standing_in = (one.person for one in self.stand_ins)
        return tuple(dict.fromkeys((*self.approvers, *standing_in, *later)))

    def groups_of(self, person: str, members: Members) -> tuple[str, ...]:
        """Return the groups of this rule that the person is in while these are their members."""
        return tuple(g.name for g in self.groups if person in members.get(g.name, ()))


_NO_RULE = Rule().model_dump(mode="json")
_CALLING = {"quiet", "remind_after_seconds"}
"""Fields that say who is called and when, and decide nothing."""
_FIRST_KEYS = {"approvers", "quorum", "requester_may_approve", "automatic", "expires_seconds"}
