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
from deploybot.edited import Edited
from deploybot.rule import Circle, Members, Rule

POLICY = "policy"
"""Who grants a request that needs no person: the standing rule of the environment."""


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True)
class Rights:
    """Who is in which group, and whose account may not answer, as somebody has looked it up."""

    members: Members = field(default_factory=dict)
    refused: "Mapping[str, Refusal]" = field(default_factory=dict)
    """Person → why that person may not answer at all, whatever the rule says."""
    stand_ins: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Person → for whom that person answers now, who is away."""

    @classmethod
    def when_asked(cls, rule: Rule) -> Self:
        """Return who was in which group, and stood in for whom, when people were asked."""
        stand_ins: dict[str, tuple[str, ...]] = {}
        for one in rule.stand_ins:
            stand_ins[one.person] = (*stand_ins.get(one.person, ()), one.instead_of)
        return cls({g.name: frozenset(g.people) for g in rule.every_group}, {}, stand_ins)


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
    authors: tuple[str, ...] = ()
    """Who wrote what goes live, where authors may not approve it."""
    edited: Edited | None = None
    """Set when a person changed what an earlier card showed."""

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


class StoodFor(_Value):
    """Somebody away for whom an approval may count, with the groups of the rule they are in."""

    person: str
    groups: tuple[str, ...] = ()


class Standing(_Value):
    """As whom somebody approves: looked up for one answer, and kept with it."""

    groups: tuple[str, ...] = ()
    """Groups of the request's rule that the person is in."""
    stands_for: tuple[StoodFor, ...] = ()
    """For whom they may answer, who is away."""
    escalated: bool = False
    """Whether they may because nobody else had for so long."""
    break_glass: str = ""
    """Their reason to approve alone, in an emergency."""


class Grant(Standing):
    """One person's approval of one request."""

    by: str
    at: AwareDatetime
    channel: str = ""

    @classmethod
    def of(cls, granted: Any) -> Self:
        """Return what an ApprovalGranted says."""
        return cls(**{name: getattr(granted, name) for name in cls.model_fields})


class Refusal(_Value):
    """Why somebody may not answer: a stable code and a sentence for that person."""

    reason_code: Literal[
        "unknown_person",
        "not_an_approver",
        "own_request",
        "own_commits",
        "break_glass_refused",
        "already_approved",
        "closed",
        "expired",
        "digest_mismatch",
        "not_live",
        "rights_unknown",
        "account_refused",
        "account_bot",
        "account_closed",
        "account_foreign",
        "account_guest",
        "account_unverified",
        "superseded",
        "being_edited",
        "unchanged",
        "not_in_request",
        "ref_malformed",
        "time_refused",
        "order_unclear",
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
        **({"authors": list(request.authors)} if request.authors else {}),
    }


def digest_of(request: ApprovalRequest) -> str:
    """Return SHA-256, in hex, over the canonical JSON of what decides what runs."""
    canonical = json.dumps(
        deciding(request), sort_keys=True, separators=(",", ":"), ensure_ascii=True
    )
    return hashlib.sha256(canonical.encode()).hexdigest()


def barred(request: ApprovalRequest, person: str) -> bool:
    """Tell whether nobody counts the word of that person here: they asked for it, or wrote it."""
    rule = request.rule
    asked = person in request.requesters and not rule.requester_may_approve
    return asked or (person in request.authors and not rule.author_may_approve)


def standing_of(
    request: ApprovalRequest, person: str, rights: Rights, *, escalated: bool = False
) -> Standing | None:
    """Return as whom the person may approve by these rights; None when in no way."""
    rule = request.rule
    groups = rule.groups_of(person, rights.members)
    stands_for = tuple(
        StoodFor(person=one, groups=rule.groups_of(one, rights.members))
        for one in rights.stand_ins.get(person, ())
        if not barred(request, one) and one not in rights.refused
        if one in rule.by_name or rule.groups_of(one, rights.members)
    )
    later = (
        escalated and rule.escalation is not None and rule.escalation.holds(person, rights.members)
    )
    if person in rule.by_name or groups or stands_for or later:
        return Standing(groups=groups, stands_for=stands_for, escalated=later)
    return None


def may_answer(
    request: ApprovalRequest,
    person: str,
    rights: Rights | None = None,
    *,
    escalated: bool = False,
) -> Refusal | None:
    """Return why `person` may not approve or deny the request, or None when they may.

    Without `rights`, groups hold who was in them when people were asked: for showing, not deciding.
    """
    rights = rights or Rights.when_asked(request.rule)
    if (refusal := rights.refused.get(person)) is not None:
        return refusal
    if standing_of(request, person, rights, escalated=escalated) is None:
        return Refusal(
            reason_code="not_an_approver",
            text=f"You may not answer for {request.plan.environment}, so nothing changed. "
            f"These may: {_whoever(request.rule)}.",
        )
    if not barred(request, person):
        return None
    others = ", ".join(one for one in request.rule.approvers if not barred(request, one))
    asked = person in request.requesters and not request.rule.requester_may_approve
    what = "You asked for this deploy" if asked else "You wrote some of what would go live"
    return Refusal(
        reason_code="own_request" if asked else "own_commits",
        text=f"{what}, so someone else must approve; nothing was deployed. "
        f"Approvers: {others or 'nobody else'}.",
    )


def may_break_glass(
    request: ApprovalRequest, person: str, rights: Rights | None = None
) -> Refusal | None:
    """Return why `person` may not approve it alone in an emergency, or None when they may."""
    rights = rights or Rights.when_asked(request.rule)
    if (refusal := rights.refused.get(person)) is not None:
        return refusal
    circle = request.rule.break_glass
    if circle is not None and circle.holds(person, rights.members):
        return None
    these = f"These may: {', '.join(_called(circle))}." if circle else "Nobody may there."
    return Refusal(
        reason_code="break_glass_refused",
        text=f"You may not break the glass for {request.plan.environment}, so nothing was "
        f"approved. {these}",
    )


def may_settle(
    request: ApprovalRequest, person: str, rights: Rights | None = None
) -> Refusal | None:
    """Return why `person` may not say how the change ended, or None when they may.

    Whoever may approve there may, if they asked for it, too: it is a fact and not a leave. Where
    the standing rule approves, anybody in the company may.
    """
    rule = request.rule
    rights = rights or Rights.when_asked(rule)
    if (refusal := rights.refused.get(person)) is not None:
        return refusal
    anybody = rule.automatic and rule.asks_nobody
    if anybody or person in rule.by_name or rule.groups_of(person, rights.members):
        return None
    return Refusal(
        reason_code="not_an_approver",
        text=f"You may not settle what happened on {request.plan.environment}, so nothing changed. "
        f"Approvers: {_whoever(rule)}.",
    )


def _whoever(rule: Rule) -> str:
    """Return in words who may approve."""
    return ", ".join(_called(Circle(named=rule.by_name, groups=rule.groups))) or "nobody"


def _called(circle: Circle) -> tuple[str, ...]:
    groups = (f"@{group.name} ({', '.join(group.people) or 'nobody'})" for group in circle.groups)
    return (*circle.named, *groups)
