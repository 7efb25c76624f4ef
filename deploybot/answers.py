"""Whether an answer counts, and what to say to the person when it does not.

Pure: the thread, the people and the time are given; `inbox` stores what comes of it.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from deploy.catalog import Catalog
from deploy.errors import Refusal as Against
from deploy.locks import Hold
from deploy.plan import SHORT, Plan
from deploy.policy import Behalf, Facts, check_standing
from deploybot.approvals import (
    ApprovalRequest,
    Refusal,
    Rights,
    may_answer,
    may_break_glass,
    may_settle,
)
from deploybot.closed import being_edited, closed_as
from deploybot.events import (
    ApprovalRequested,
    DeployOutcomeUnknown,
    DeployResolved,
)
from deploybot.ports import People
from deploybot.thread import Status, Thread

UNKNOWN_PERSON = (
    "I do not know you here, so nothing changed. Ask an operator to add you to deploybot's people."
)


def is_about_the_person(reason_code: str) -> bool:
    """Tell whether an answer was refused for who gave it; else it was for the time or the matter."""
    return reason_code in _ABOUT_PEOPLE or reason_code.startswith("account_")


_ABOUT_PEOPLE = {
    "unknown_person",
    "not_an_approver",
    "own_request",
    "own_commits",
    "break_glass_refused",
}


@dataclass(frozen=True)
class Said:
    """A yes or no as it is judged: by whom, to which request, and what they saw of it."""

    request_id: str
    digest: str
    by: str
    approved: bool
    breaks_glass: bool = False
    """Whether it is to approve alone, in an emergency."""


def judge(
    thread: Thread, said: Said, *, people: People, now: datetime, rights: Rights | Refusal
) -> Refusal | None:
    """Return why this answer does not count, or None when it does.

    `rights` are what was looked up for it, or why nothing could be.
    """
    if people.get(said.by) is None:
        return _unknown(said.by, rights)
    request = thread.standing.request
    standing = thread.standing.status
    deniable = standing in (Status.APPROVED, Status.EDITING) and not said.approved
    is_open = standing is Status.AWAITING_APPROVAL or deniable
    if request is None or request.id != said.request_id:
        return closed_as(thread, said.request_id, people)
    if thread.standing.edit is not None and said.approved:
        return being_edited(thread.standing.edit, people, then="so nothing was approved")
    if not is_open:
        return closed_as(thread, said.request_id, people)
    other = _is_another(thread, request, said.digest, now)
    return other or _not_by_this_person(thread, request, said, rights)


def _unknown(by: str, rights: Rights | Refusal) -> Refusal:
    """Return why a stranger's answer does not count: what is wrong with the account, if something is."""
    if isinstance(rights, Refusal):
        return rights
    unknown = Refusal(reason_code="unknown_person", text=UNKNOWN_PERSON)
    return rights.refused.get(by, unknown)


def _not_by_this_person(
    thread: Thread, request: ApprovalRequest, said: Said, rights: Rights | Refusal
) -> Refusal | None:
    anyone = request.rule.anyone_may_stop or request.rule.asks_nobody
    before_the_start = thread.standing.status is Status.APPROVED and not said.approved
    if before_the_start and (anyone or said.by in request.requesters):
        return None
    if isinstance(rights, Refusal):
        return rights
    if said.approved and said.breaks_glass:
        return may_break_glass(request, said.by, rights)
    if said.approved and any(grant.by == said.by for grant in thread.standing.grants):
        return Refusal(
            reason_code="already_approved",
            text="You have approved this already; someone else must approve it, too.",
        )
    return may_answer(request, said.by, rights, escalated=thread.standing.escalated)


def _is_another(
    thread: Thread, request: ApprovalRequest, digest: str, now: datetime
) -> Refusal | None:
    """Return what is wrong when what was answered is not what is open, or was for too long."""
    if request.digest != digest or request.sealed().digest != digest:
        return Refusal(
            reason_code="digest_mismatch",
            text="What you saw is not what is open now, so nothing was approved. "
            "Look at the newest card in this thread.",
        )
    if now >= request.expires_at and thread.standing.status is Status.AWAITING_APPROVAL:
        return Refusal(
            reason_code="expired",
            text=f"This request expired at {request.expires_at:%H:%M} UTC; nothing was deployed. "
            "Ask again to get a new one.",
        )
    return None


def standing_against(
    thread: Thread,
    catalog: Catalog,
    holds: tuple[Hold, ...],
    now: datetime,
    *,
    breaks_glass: bool = False,
) -> tuple[str, str] | tuple[()]:
    """Return why what is asked for may not be approved now, as code and words; () when it may.

    Of all rules, these need no network: names, freezes, the hold after a roll back, and that people
    are left to approve. A person's lock keeps nobody from approving: what was approved waits for it.
    """
    request = thread.standing.request
    if request is None:
        return ()
    behalf = Behalf(
        requesters=request.requesters,
        asked_at=asked_at(thread, request),
        start_at=request.start_at,
        breaks_glass=breaks_glass,
    )
    refusal = refused_now(request.plans, behalf, catalog, holds, now)
    if refusal is None:
        return ()
    return refusal.reason_code, f"{refusal.message} The request stays open until it expires."


def refused_now(
    plans: tuple[Plan, ...],
    behalf: Behalf,
    catalog: Catalog,
    holds: tuple[Hold, ...],
    now: datetime,
) -> Against | None:
    """Return the first reason against these plans that needs no network to be found."""
    holds = tuple(hold for hold in holds if hold.made_by == "rollback")
    facts = Facts(now=now, holds=holds, behalf=behalf)
    refusals = (check_standing(plan, facts, catalog) for plan in plans)
    return next((refusal for refusal in refusals if refusal is not None), None)


def unconfirmed(thread: Thread) -> str:
    """Return in words what an approval must confirm on its own; "" for an ordinary change."""
    request = thread.standing.request
    said = dict.fromkeys(one for plan in request.plans for one in plan.confirm) if request else {}
    if not said:
        return ""
    return f"{' '.join(said)} Nothing was approved; confirm that, too, and approve once more."


def asked_at(thread: Thread, request: ApprovalRequest) -> datetime | None:
    """Return when people were asked."""
    events = (e for e in thread.events if isinstance(e, ApprovalRequested))
    return next((event.at for event in events if event.request.id == request.id), None)


def judge_settling(
    thread: Thread,
    request_id: str,
    outcome: Literal["succeeded", "failed"],
    *,
    by: str,
    live: str | None,
    people: People,
    rights: Rights | Refusal,
) -> Refusal | None:
    """Return why this person's word on an unknown outcome does not count, or None when it does.

    `live` is what the target says is live, None when it cannot tell.
    """
    if people.get(by) is None:
        return Refusal(reason_code="unknown_person", text=UNKNOWN_PERSON)
    request = thread.standing.request
    unknown = thread.standing.status is Status.OUTCOME_UNKNOWN
    if request is None or request.id != request_id or not unknown:
        return Refusal(reason_code="closed", text=_nothing_to_settle(thread, request_id, people))
    if isinstance(rights, Refusal):
        return rights
    if refusal := may_settle(request, by, rights):
        return refusal
    sha = request.plans[thread.standing.part].sha
    if outcome == "succeeded" and live not in (None, sha):
        return Refusal(
            reason_code="not_live",
            text=f"The target says that {str(live)[:SHORT]} is live and not "
            f"{sha[:SHORT]}, so nothing changed. Say that it failed, and deploy again.",
        )
    return None


def last_seen_live(thread: Thread) -> str | None:
    """Return what the target said was live when the outcome could not be told."""
    unknown = (e for e in reversed(thread.events) if isinstance(e, DeployOutcomeUnknown))
    found = next(unknown, None)
    return found.live if found else None


def _nothing_to_settle(thread: Thread, request_id: str, people: People) -> str:
    for event in thread.events:
        if isinstance(event, DeployResolved) and event.request_id == request_id:
            how = "live" if event.outcome == "succeeded" else "failed"
            return (
                f"{people.name(event.by)} settled this as {how} at {event.at:%H:%M} UTC; "
                "your answer changed nothing."
            )
    return "There is no deploy here whose outcome is not known, so nothing changed."
