"""What people are asked to approve, its digest, and who may answer.

Only data and rules: `agent` makes requests, `inbox` takes answers, `thread` folds them.
"""

import hashlib
import json
from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

from deploy.plan import Plan

POLICY = "policy"
"""Who grants a request that needs no person: the standing rule of the environment."""


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Rule(_Value):
    """Who may approve for one environment, and how many must."""

    approvers: tuple[str, ...] = ()
    quorum: int = 1
    requester_may_approve: bool = False
    automatic: bool = False
    expires_seconds: int = 1800
    anyone_may_stop: bool = False
    """Whether everybody who is known may stop it before it starts: a countdown by policy."""

    def decides(self) -> dict[str, Any]:
        """Return the rule as JSON values; what was added later only where it is set."""
        values = self.model_dump(mode="json")
        if not self.anyone_may_stop:
            del values["anyone_may_stop"]
        return values


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


def may_answer(request: ApprovalRequest, person: str) -> Refusal | None:
    """Return why `person` may not approve or deny the request, or None when they may."""
    if person not in request.rule.approvers:
        names = ", ".join(request.rule.approvers) or "nobody"
        return Refusal(
            reason_code="not_an_approver",
            text=f"You may not answer for {request.plan.environment}, so nothing changed. "
            f"These may: {names}.",
        )
    if person in request.requesters and not request.rule.requester_may_approve:
        others = ", ".join(name for name in request.rule.approvers if name != person)
        return Refusal(
            reason_code="own_request",
            text="You asked for this deploy, so someone else must approve; nothing was deployed. "
            f"Approvers: {others or 'nobody else'}.",
        )
    return None


def may_settle(request: ApprovalRequest, person: str) -> Refusal | None:
    """Return why `person` may not say how the change ended, or None when they may.

    Whoever may approve there may, if they asked for it, too: it is a fact and not a leave. Where
    the standing rule approves, anybody in the company may.
    """
    if person in request.rule.approvers or (request.rule.automatic and not request.rule.approvers):
        return None
    names = ", ".join(request.rule.approvers) or "nobody"
    return Refusal(
        reason_code="not_an_approver",
        text=f"You may not settle what happened on {request.plan.environment}, so nothing changed. "
        f"Approvers: {names}.",
    )


def is_met(request: ApprovalRequest, grants: tuple[Grant, ...]) -> bool:
    """Tell whether these grants are enough: by the rule itself, or by enough different people."""
    if request.rule.automatic:
        return any(grant.by == POLICY for grant in grants)
    people = {grant.by for grant in grants if may_answer(request, grant.by) is None}
    return len(people) >= request.rule.quorum


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    if len(text) == 40 and all(c in "0123456789abcdef" for c in text):
        return text[:7]
    return text if len(text) <= 60 else f"{text[:57]}…"
