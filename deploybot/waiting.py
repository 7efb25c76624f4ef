"""What an open request still waits for, as values and in plain words: who, how many, from which groups.

Pure, for every channel: each writes names its own way.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from deploybot.approvals import ApprovalRequest, Grant
from deploybot.nudges import Nudges
from deploybot.votes import count, still_able, still_missing, stood_for, to_call

NAMED = 5
"""So many of the next people are named."""


@dataclass(frozen=True)
class Able:
    """Somebody who can still approve: for whom, if only in their place, and whether they are called."""

    person: str
    instead_of: tuple[str, ...] = ()
    is_called: bool = True


def able(
    request: ApprovalRequest, grants: tuple[Grant, ...] = (), *, escalated: bool = False
) -> tuple[Able, ...]:
    """Return who can still approve, as far as it was known when people were asked."""
    called = to_call(request, grants, escalated=escalated)
    rule = request.rule
    return tuple(
        Able(person, _instead_of(request, person), person in called)
        for person in still_able(request, grants, escalated=escalated)
        if person in rule.everybody
    )


def named(one: Able, name: Callable[[str], str]) -> str:
    """Return who can still approve, and for whom."""
    others = f" for {' and '.join(map(name, one.instead_of))}" if one.instead_of else ""
    return f"{name(one.person)}{others}"


def _instead_of(request: ApprovalRequest, person: str) -> tuple[str, ...]:
    rule = request.rule
    if person in rule.approvers:
        return ()
    return tuple(one.instead_of for one in rule.stand_ins if one.person == person)


def needed(request: ApprovalRequest, grants: tuple[Grant, ...] = ()) -> str:
    """Return how many are needed and from which groups, in a few words; "" for any one of them."""
    rule, given = request.rule, count(request, grants)
    groups = still_missing(request, grants)
    more = max(rule.quorum - given, len(groups))
    if not groups:
        if rule.quorum == 1:
            return ""
        return f"{more} more needed" if given else f"{rule.quorum} needed"
    many = f"{more} more needed" if given else f"{more} needed"
    if len(groups) == 1:
        return f"{many}, {'' if more == 1 else 'one of them '}from {groups[0]}"
    return f"{many}, one from each of {' and '.join(groups)}"


def approved_by(request: ApprovalRequest, grant: Grant, name: Callable[[str], str]) -> str:
    """Return who approved, and for whom, or that the glass was broken."""
    who = name(grant.by)
    if grant.break_glass:
        return f"{who}, who broke the glass"
    others = stood_for(request, grant)
    return f"{who} for {' and '.join(map(name, others))}" if others else who


def coming(
    nudges: Nudges, moment: Callable[[datetime], str], name: Callable[[str], str] = str
) -> str:
    """Return when those who can still approve, and the next people, are called; "" for never."""
    said = []
    if nudges.reminds_at is not None:
        said.append(f"called again at {moment(nudges.reminds_at)}")
    rule = nudges.request.rule.escalation
    if nudges.escalates_at is not None and rule is not None:
        names = ", ".join(map(name, rule.people[:NAMED])) or "others"
        more = f" and {len(rule.people) - NAMED} more" if len(rule.people) > NAMED else ""
        said.append(f"from {moment(nudges.escalates_at)} on {names}{more} may, too")
    return "; ".join(said)
