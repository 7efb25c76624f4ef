"""How approvals are counted: who said yes, for whom and for which groups, and whether that is enough.

Pure. As whom somebody approved was looked up when they answered, and stands on their grant; at the
start it is looked up anew and given as `rights`.
"""

from collections.abc import Iterable, Sequence

from deploy.quorum import Seat, Vote, counted, is_enough, unheard
from deploybot.approvals import (
    POLICY,
    ApprovalRequest,
    Grant,
    Rights,
    Standing,
    barred,
    may_answer,
    may_break_glass,
    standing_of,
)


def is_met(
    request: ApprovalRequest, grants: tuple[Grant, ...], rights: Rights | None = None
) -> bool:
    """Tell whether these grants are enough: by the rule itself, or by enough different people.

    With `rights` as they were looked up now, without as each was when it was given.
    """
    rule = request.rule
    if rule.automatic:
        return any(grant.by == POLICY for grant in grants)
    glass = rule.break_glass
    alone = any(broke_glass(request, grant, rights) for grant in grants)
    if glass and alone and "approvals" in glass.skips:
        return True
    return is_enough(_votes(request, grants, rights), rule.quorum, rule.one_from_each)


def broke_glass(request: ApprovalRequest, grant: Grant, rights: Rights | None = None) -> bool:
    """Tell whether this grant was given in an emergency by somebody who may, and may still."""
    if not grant.break_glass or request.rule.break_glass is None:
        return False
    return rights is None or may_break_glass(request, grant.by, rights) is None


def still_missing(request: ApprovalRequest, grants: tuple[Grant, ...]) -> tuple[str, ...]:
    """Return the groups of which nobody has approved yet."""
    return unheard(_votes(request, grants, None), request.rule.one_from_each)


def count(request: ApprovalRequest, grants: tuple[Grant, ...]) -> int:
    """Return for how many people the grants count."""
    return counted(_votes(request, grants, None))


def could_be_met(request: ApprovalRequest, rights: Rights) -> bool:
    """Tell whether it would be enough if everybody said yes who may, now or later."""
    rule = request.rule
    if rule.automatic:
        return True
    votes = [_seats(request, person, rights, escalated=True) for person in rule.everybody]
    return is_enough(votes, rule.quorum, rule.one_from_each)


def still_able(
    request: ApprovalRequest, grants: tuple[Grant, ...] = (), *, escalated: bool = False
) -> tuple[str, ...]:
    """Return who can still approve, as far as it was known when people were asked."""
    given = {grant.by for grant in grants}
    return tuple(
        person
        for person in request.rule.everybody
        if person not in given and may_answer(request, person, escalated=escalated) is None
    )


def to_call(
    request: ApprovalRequest, grants: tuple[Grant, ...] = (), *, escalated: bool = False
) -> tuple[str, ...]:
    """Return whom of those to call: not who wants quiet, is away, or would bring it no further."""
    away = {one.instead_of for one in request.rule.stand_ins}
    silent = {*request.rule.quiet, *away}
    given, rights = _votes(request, grants, None), Rights.when_asked(request.rule)
    left = _left(request, given)
    return tuple(
        person
        for person in still_able(request, grants, escalated=escalated)
        if person not in silent
        if _left(request, [*given, _seats(request, person, rights, escalated=escalated)]) < left
    )


def _left(request: ApprovalRequest, votes: Sequence[Vote]) -> int:
    """Return how many approvals are missing at least."""
    rule = request.rule
    return max(rule.quorum - counted(votes), len(unheard(votes, rule.one_from_each)))


def stood_for(request: ApprovalRequest, grant: Grant) -> tuple[str, ...]:
    """Return for whom a grant counts rather than for the one who gave it."""
    rule, others = request.rule, grant.stands_for
    if grant.break_glass:
        return ()
    if grant.by in rule.by_name or grant.groups or grant.escalated:
        wanted = set(rule.one_from_each) - set(grant.groups)
        others = tuple(one for one in others if wanted & set(one.groups) and not grant.escalated)
    return tuple(one.person for one in others)


def lost_rights(
    request: ApprovalRequest, grants: tuple[Grant, ...], rights: Rights
) -> dict[str, str]:
    """Return in words, for each who approved and counts for less now, what that person lost."""
    lost: dict[str, str] = {}
    for grant in grants:
        left = sorted(set(grant.groups) - set(request.rule.groups_of(grant.by, rights.members)))
        if grant.by in rights.refused:
            lost[grant.by] = "may not answer any more"
        elif grant.break_glass:
            if may_break_glass(request, grant.by, rights) is not None:
                lost[grant.by] = "may no longer break the glass"
        elif left:
            lost[grant.by] = f"is no longer in {' and '.join(left)}"
        elif may_answer(request, grant.by, rights, escalated=grant.escalated) is not None:
            lost[grant.by] = "may no longer approve"
    return lost


def _votes(request: ApprovalRequest, grants: Iterable[Grant], rights: Rights | None) -> list[Vote]:
    """Return a vote for each person who said yes and may."""
    votes: list[Vote] = []
    for grant in {grant.by: grant for grant in grants}.values():
        if rights is None:
            votes.append(_taken(request, grant.by, grant))
        else:
            votes.append(_seats(request, grant.by, rights, escalated=grant.escalated))
    return votes


def _seats(
    request: ApprovalRequest, person: str, rights: Rights, *, escalated: bool = False
) -> Vote:
    """Return the seats that the person may take by these rights."""
    standing = standing_of(request, person, rights, escalated=escalated)
    if standing is None or person in rights.refused:
        return ()
    return _taken(request, person, standing)


def _taken(request: ApprovalRequest, person: str, standing: Standing) -> Vote:
    """Return the seats of somebody who approves as this; of who asked or wrote it, none."""
    rule = request.rule
    if barred(request, person):
        return ()
    known = {group.name for group in rule.groups}
    groups = frozenset(standing.groups) & known
    escalated = standing.escalated and rule.escalation is not None
    seats = [
        Seat(one.person, frozenset(one.groups) & known)
        for one in standing.stands_for
        if not barred(request, one.person)
    ]
    if escalated or groups or person in rule.by_name:
        seats.append(Seat(person, frozenset(rule.one_from_each) if escalated else groups))
    return tuple(seats)
