"""How a request and its changes are shown: the values of a card, in the words of the prompts."""

from typing import Any

from deploy.plan import SHORT, Plan
from deploybot.approvals import ApprovalRequest
from deploybot.prompting.words import Words


def shown_request(request: ApprovalRequest, words: Words) -> dict[str, Any]:
    """Return what an open request shows: its changes, when they start, what is live, what warns."""
    plans = request.plans
    start = f"{request.start_at:%Y-%m-%d %H:%M} UTC" if request.start_at else ""
    return given(
        change=", then ".join(in_full(plan, words) for plan in plans),
        starts=start,
        live_now=", ".join((plan.previous_sha or "nothing")[:SHORT] for plan in plans),
        commits=sum(plan.commits_total for plan in plans),
        warnings=[warning for plan in plans for warning in plan.warnings],
    )


def in_full(plan: Plan, words: Words) -> str:
    """Return one change, named in full."""
    return words.say("change", plan.action, plan.service, plan.sha[:SHORT], plan.environment)


def given(**values: Any) -> dict[str, Any]:
    """Return the values that say something."""
    return {key: value for key, value in values.items() if value not in (None, "", [], {})}
