"""What is asked for, in a few words, and how far several changes are; the rest is `slack_fate`'s."""

from deploy.plan import SHORT, Plan
from deploybot.outbound.slack_text import code, escape
from deploybot.telling import Card, CardState

ENDED = {CardState.LIVE, CardState.FAILED, CardState.UNKNOWN}
SEVERAL = 4
"""Up to so many changes are drawn with all their facts; of more, a row each."""
NAMED = 12
"""So many changes are named in one line."""


def title(plan: Plan, *more: Plan) -> str:
    """Return what would happen, in a few words."""
    verb, where = ("Roll back", "on") if plan.action == "roll_back" else ("Deploy", "to")
    services = ", then ".join(one.service for one in (plan, *more))
    if len(more) >= SEVERAL:
        services = f"{1 + len(more)} services"
    return f"{verb} {services} {where} {plan.environment}"


def so_far(card: Card) -> str:
    """Return what an end before the last change amounts to, in lower case."""
    return "nothing more was deployed" if card.part else "nothing was deployed"


def following(card: Card) -> str:
    """Return the name of the service that was next, "it" for the only one; escaped."""
    return escape(card.request.plans[card.part].service, 80) if card.request.more else "it"


def live(card: Card) -> list[str]:
    """Return a line for those of several changes that are live already."""
    return [f"🟢 *Live:* {each(card.done)}."] if card.done else []


def not_begun(card: Card) -> list[str]:
    """Return a line for those of several changes that nothing was done about."""
    if not card.request.more or not card.left:
        return []
    if card.state is CardState.DEPLOYING:
        later = card.left if card.operation else card.left[1:]
        return [f"Then: {services(later)}."] if later else []
    if card.part or card.state in ENDED:
        return [f"Not begun: {services(card.left)}."]
    return []


def services(plans: tuple[Plan, ...]) -> str:
    """Return the services' names, escaped."""
    return escape(", ".join(plan.service for plan in plans), 500)


def each(plans: tuple[Plan, ...]) -> str:
    """Return each service and its commit, as mark-up."""
    named = [f"{escape(plan.service, 80)} {code(plan.sha[:SHORT])}" for plan in plans[:NAMED]]
    more = f" +{len(plans) - NAMED} more" if len(plans) > NAMED else ""
    return ", ".join(named) + more


def of_the_last(card: Card, took: str) -> str:
    """Return how long the steps took, and of several changes whose steps they are."""
    if took and card.request.more:
        return f"{escape(card.request.plans[card.part].service, 80)}: {took}"
    return took
