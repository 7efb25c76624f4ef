"""What people are asked to approve, its digest, and who may answer.

Only data and rules: `agent` makes requests, `inbox` takes answers, `thread` folds them.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict

from deploy.plan import Plan

POLICY = "policy"
"""Who grants a request that needs no person: the standing rule of the environment."""


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Group(_Value):
    """A group of people, and who was in it when people were asked; that is looked up anew."""

    name: str
    people: tuple[str, ...] = ()


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

    def decides(self) -> dict[str, Any]:
        """Return the rule as JSON values; what was added later only where it is set."""
        values = self.model_dump(mode="json")
        return {k: v for k, v in values.items() if k in _FIRST_KEYS or v != _NO_RULE[k]}

    @property
    def by_name(self) -> tuple[str, ...]:
        """Return those who may approve whatever groups they are in."""
        return self.named if self.groups else self.approvers

    @property
    def asks_nobody(self) -> bool:
        """Return whether there is nobody who has to say yes."""
        return not self.approvers and not self.groups

    @property
    def as_asked(self) -> "Rights":
        """Return who was in which group when people were asked."""
        return Rights({group.name: frozenset(group.people) for group in self.groups})

    def groups_of(self, person: str, rights: "Rights") -> tuple[str, ...]:
        """Return the groups of this rule that the person is in."""
        return tuple(g.name for g in self.groups if person in rights.members.get(g.name, ()))


_NO_RULE = Rule().model_dump(mode="json")
_FIRST_KEYS = {"approvers", "quorum", "requester_may_approve", "automatic", "expires_seconds"}


@dataclass(frozen=True)
class Rights:
    """Who is in which group, and whose account may not answer, as somebody has looked it up."""

    members: Mapping[str, frozenset[str]] = field(default_factory=dict)
    refused: "Mapping[str, Refusal]" = field(default_factory=dict)
    """Person → why that person may not answer at all, whatever the rule says."""


START_GRACE = timedelta(hours=1)
"""How long after its time a change that was approved for later may still start."""


class ApprovalRequest(_Value):
    """One exact change, or several in order, shown to people; the card is drawn from this alone."""

    id: str
    thread: str
    head: str
    """MAC of the thread's last event before the request, hex; "" for none."""
    plan: Plan
    rule: Rule
    requesters: tuple[str, ...]
    asked: str = ""
    """What was asked, in the requester's words."""
    reason: str = ""
    """Why the agent proposes it: its words, not a fact."""
    expires_at: AwareDatetime
    digest: str = ""
    more: tuple[Plan, ...] = ()
    """What goes live after `plan`, in order, under the same approval."""
    start_at: AwareDatetime | None = None
    """When it starts; None for as soon as it is approved."""

    @property
    def plans(self) -> tuple[Plan, ...]:
        """Return all its changes, in the order in which they go live."""
        return (self.plan, *self.more)

    @property
    def start_by(self) -> datetime:
        """Return until when the first change must have started."""
        return self.expires_at if self.start_at is None else self.start_at + START_GRACE

    def operation(self, part: int) -> str:
        """Return the id under which this part runs, once."""
        return self.id if part == 0 else f"{self.id}.{part}"

    def sealed(self) -> "ApprovalRequest":
        """Return the same request with its digest filled in."""
        return self.model_copy(update={"digest": digest_of(self)})


class Grant(_Value):
    """One person's approval of one request."""

    by: str
    at: AwareDatetime
    groups: tuple[str, ...] = ()
    """Groups of the rule that the person was in at the click."""
    channel: str = ""

    @classmethod
    def of(cls, granted: Any) -> Self:
        """Return what an ApprovalGranted says."""
        return cls(by=granted.by, at=granted.at, groups=granted.groups, channel=granted.channel)


class Refusal(_Value):
    """Why somebody may not answer: a stable code and a sentence for that person."""

    reason_code: Literal[
        "unknown_person",
        "not_an_approver",
        "own_request",
        "already_approved",
        "closed",
        "expired",
        "digest_mismatch",
        "not_live",
        "rights_unknown",
        "account_refused",
    ]
    text: str


def deciding(request: ApprovalRequest) -> dict[str, Any]:
    """Return everything that decides what runs and by whose leave, as plain JSON values."""
    return {
        "v": 1,
        "request": request.id,
        "thread": request.thread,
        "head": request.head,
        "requesters": list(request.requesters),
        "rule": request.rule.decides(),
        "expires_at": request.expires_at.isoformat(),
        **request.plan.decides(),
        **({"more": [plan.decides() for plan in request.more]} if request.more else {}),
        **({"start_at": request.start_at.isoformat()} if request.start_at else {}),
    }


def digest_of(request: ApprovalRequest) -> str:
    """Return SHA-256, in hex, over the canonical JSON of what decides what runs."""
    canonical = json.dumps(
        deciding(request), sort_keys=True, separators=(",", ":"), ensure_ascii=True
    )
    return hashlib.sha256(canonical.encode()).hexdigest()


def differences(shown: Plan, now: Plan) -> tuple[str, ...]:
    """Return in words which deciding fields of a plan differ from what was shown."""
    before, after = shown.decides(), now.decides()
    return tuple(
        f"{field.replace('_', ' ')} {_short(before.get(field))} → {_short(after.get(field))}"
        for field in sorted(before.keys() | after.keys())
        if before.get(field) != after.get(field)
    )


def may_answer(
    request: ApprovalRequest, person: str, rights: Rights | None = None
) -> Refusal | None:
    """Return why `person` may not approve or deny the request, or None when they may.

    Without `rights`, groups hold who was in them when people were asked: for showing, not deciding.
    """
    rule = request.rule
    rights = rights or rule.as_asked
    if (refusal := rights.refused.get(person)) is not None:
        return refusal
    if person not in rule.by_name and not rule.groups_of(person, rights):
        return Refusal(
            reason_code="not_an_approver",
            text=f"You may not answer for {request.plan.environment}, so nothing changed. "
            f"These may: {_whoever(rule)}.",
        )
    if person in request.requesters and not rule.requester_may_approve:
        others = ", ".join(name for name in rule.approvers if name != person)
        return Refusal(
            reason_code="own_request",
            text="You asked for this deploy, so someone else must approve; nothing was deployed. "
            f"Approvers: {others or 'nobody else'}.",
        )
    return None


def may_settle(
    request: ApprovalRequest, person: str, rights: Rights | None = None
) -> Refusal | None:
    """Return why `person` may not say how the change ended, or None when they may.

    Whoever may approve there may, if they asked for it, too: it is a fact and not a leave. Where
    the standing rule approves, anybody in the company may.
    """
    rule = request.rule
    rights = rights or rule.as_asked
    if (refusal := rights.refused.get(person)) is not None:
        return refusal
    anybody = rule.automatic and rule.asks_nobody
    if anybody or person in rule.by_name or rule.groups_of(person, rights):
        return None
    return Refusal(
        reason_code="not_an_approver",
        text=f"You may not settle what happened on {request.plan.environment}, so nothing changed. "
        f"Approvers: {_whoever(rule)}.",
    )


def _whoever(rule: Rule) -> str:
    """Return in words who may approve."""
    groups = (f"@{group.name} ({', '.join(group.people) or 'nobody'})" for group in rule.groups)
    return ", ".join((*rule.by_name, *groups)) or "nobody"


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    if len(text) == 40 and all(c in "0123456789abcdef" for c in text):
        return text[:7]
    return text if len(text) <= 60 else f"{text[:57]}…"
