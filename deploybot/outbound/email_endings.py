"""How a request ended, in words for a mail; who is told is `email_letters`'s."""

from deploy.plan import SHORT
from deploybot.ports import People
from deploybot.telling import Card, CardState

ENDED = {
    CardState.DENIED: "denied",
    CardState.EXPIRED: "expired",
    CardState.SUPERSEDED: "superseded",
    CardState.CLOSED: "closed",
    CardState.IN_LINE: "waiting in line",
    CardState.LIVE: "live",
    CardState.FAILED: "failed",
    CardState.UNKNOWN: "outcome unknown",
}
"""States after which nobody can answer any more, in a word or two."""


def ending(card: Card, people: People) -> str:
    """Say how a request ended, and what runs now; empty while it has not ended."""
    when = f" at {card.at:%H:%M} UTC" if card.at else ""
    by = people.name(card.by) if card.by else "somebody"
    live = f"{_live(card)} is live." if card.live else "Nothing is live there."
    match card.state:
        case CardState.LIVE:
            approved = ", ".join(people.name(grant.by) for grant in card.grants)
            took = f" in {card.seconds:.1f} s" if card.seconds else ""
            return f"{live} Deployed{took}{when}" + (
                f", approved by {approved}." if approved else "."
            )
        case CardState.UNKNOWN:
            return f"A worker died, and the outcome is not known. Nothing was run again. {live}"
        case CardState.FAILED:
            return f"The deploy failed{when}. {live}"
        case CardState.DENIED:
            why = f"Denied by {by}{when}"
        case CardState.EXPIRED:
            why = f"Nobody answered in time, so it expired{when}"
        case CardState.SUPERSEDED:
            why = "It can no longer be answered; if it is still wanted, a new request follows"
        case CardState.IN_LINE:
            why = f"The place was not free{when}, so it waits in line and is shown anew"
        case CardState.CLOSED:
            why = f"{by} wrote or cancelled{when}, which closed it"
        case _:
            return ""
    return f"{why}; nothing was deployed."


def _live(card: Card) -> str:
    """Return the commit that is live, or of several changes all that went live."""
    if card.state is CardState.LIVE and card.request.more:
        return ", ".join(f"{plan.service} {plan.sha[:SHORT]}" for plan in card.request.plans)
    return (card.live or "")[:SHORT]
