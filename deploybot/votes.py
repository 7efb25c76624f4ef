"""How approvals are counted: who said yes, for which groups, and whether that is enough.

Pure. Who is in a group was looked up when somebody answered, and stands on their grant; at the start
it is looked up anew and given as `rights`.
"""

from collections.abc import Iterable

from deploy.quorum import Seat, Vote, is_enough, unheard
from deploybot.approvals import POLICY, ApprovalRequest, Grant, Rights, may_answer


def is_met(
    request: ApprovalRequest, grants: tuple[Grant, ...], rights: Rights | None = None
) -> bool:
    """Tell whether these grants are enough: by the rule itself, or by enough different people.

    With `rights` as they were looked up now, without as each was when it was given.
    """
    rule = request.rule
    if rule.automatic:
        return any(grant.by == POLICY for grant in grants)
    return is_enough(_votes(request, grants, rights), rule.quorum, rule.one_from_each)


def still_missing(request: ApprovalRequest, grants: tuple[Grant, ...]) -> tuple[str, ...]:
    """Return the groups of which nobody has approved yet."""
    return unheard(_votes(request, grants, None), request.rule.one_from_each)


def lost_rights(
    request: ApprovalRequest, grants: tuple[Grant, ...], rights: Rights
) -> dict[str, str]:
    """Return in words, for each who approved and counts for less now, what that person lost."""
    rule = request.rule
    lost: dict[str, str] = {}
    for grant in grants:
        left = sorted(set(grant.groups) - set(rule.groups_of(grant.by, rights)))
        if grant.by in rights.refused:
            lost[grant.by] = "may not answer any more"
        elif left:
            lost[grant.by] = f"is no longer in {' and '.join(left)}"
        elif may_answer(request, grant.by, rights) is not None:
            lost[grant.by] = "may no longer approve"
    return lost


def _votes(request: ApprovalRequest, grants: Iterable[Grant], rights: Rights | None) -> list[Vote]:
    """Return a vote for each person who said yes and may."""
    rule = request.rule
    votes: list[Vote] = []
    for grant in {grant.by: grant for grant in grants}.values():
        own = grant.by in request.requesters and not rule.requester_may_approve
        known = {group.name for group in rule.groups}
        groups = set(rule.groups_of(grant.by, rights)) if rights else set(grant.groups) & known
        refused = rights is not None and grant.by in rights.refused
        if not own and not refused and (groups or grant.by in rule.by_name):
            votes.append((Seat(grant.by, frozenset(groups)),))
    return votes
