"""What became of a request or a question, in words for a mail; who is told is `email_letters`'s."""

from deploy.plan import SHORT
from deploybot.approvals import POLICY
from deploybot.events import QuestionAsked
from deploybot.outbound.email_facts import moment
from deploybot.ports import People
from deploybot.questions import choices_of
from deploybot.telling import Asked, Card, CardState
from deploybot.waiting import approved_by, needed

ENDED = {
    CardState.SCHEDULED: "approved",
    CardState.DENIED: "denied",
    CardState.EXPIRED: "expired",
    CardState.SUPERSEDED: "superseded",
    CardState.CLOSED: "closed",
    CardState.IN_LINE: "waiting in line",
    CardState.LIVE: "live",
    CardState.FAILED: "failed",
    CardState.UNKNOWN: "outcome unknown",
}
"""States in which a request is open no more, in a word or two."""


_TONES = {
    CardState.DENIED: "bad",
    CardState.FAILED: "bad",
    CardState.UNKNOWN: "bad",
    CardState.LIVE: "good",
    CardState.SCHEDULED: "good",
}


def word_of(card: Card, state: str) -> tuple[str, str]:
    """Return how a request stands, in a word or two, and its tone; `state` may be on the way, too."""
    if state in ("approved", "granted"):
        return ("approved", "good") if state == "approved" else ("your approval counts", "calm")
    if card.state is CardState.SUPERSEDED and card.editing:
        return "edited", "calm"
    stopped = card.was_met and card.state in (CardState.DENIED, CardState.CLOSED)
    return "stopped" if stopped else ENDED[card.state], _TONES.get(card.state, "calm")


def approved(card: Card, people: People) -> str:
    """Say that enough people said yes, and what comes next."""
    granted = [
        f"{approved_by(card.request, one, people.name)} at {one.at:%H:%M} UTC"
        for one in card.grants
    ]
    by = f"Approved by {', '.join(granted)}" if granted else "Approved"
    return f"{by}; it starts now. You need not do anything, and get a mail when it has ended."


def counted(card: Card) -> str:
    """Say that one yes of several was taken."""
    need = needed(card.request, card.grants)
    count = f" ({need})" if need else ""
    return (
        f"You approved it{count}, and others must, too. Nothing was deployed yet; it starts once "
        "they have."
    )


def answered(asked: Asked, people: People) -> str:
    """Say how a question came to its end."""
    if asked.answer is None:
        return "This needs no answer any more."
    by = people.name(asked.by) if asked.by else "Somebody"
    return f"{by} answered: {asked.answer}\n\nYou need not answer any more."


def how_to_answer(question: QuestionAsked) -> str:
    """Say how a question is answered by mail."""
    if question.format == "yes_no":
        how = "To answer, reply to this mail with yes or no on the first line."
    elif choices_of(question):
        how = (
            "To answer, reply to this mail with the number of your choice, or its words, on the "
            "first line."
        )
    else:
        how = "To answer, reply to this mail."
    return f"{how} The first answer counts, wherever it is given."


def ending(card: Card, people: People) -> str:
    """Say how a request ended, and what runs now; empty while it has not ended."""
    if not card.request.more:
        return _ending(card, people)
    done = ", ".join(f"{plan.service} {plan.sha[:SHORT]}" for plan in card.done)
    left = ", ".join(plan.service for plan in card.left)
    said = [_ending(card, people)]
    if done and card.state is not CardState.LIVE:
        said.append(f"Live under the same approval: {done}.")
    if left and (card.part or card.operation):
        said.append(f"Not begun: {left}.")
    return " ".join(said)


def _ending(card: Card, people: People) -> str:  # noqa: C901, PLR0912 - a case a state
    when = f" at {card.at:%H:%M} UTC" if card.at else ""
    by = people.name(card.by) if card.by else "somebody"
    live = f"{_live(card)} is live." if card.live else "Nothing is live there."
    which = f" of {card.request.plans[card.part].service}" if card.request.more else ""
    match card.state:
        case CardState.SCHEDULED:
            return _later(card, people)
        case CardState.LIVE:
            approved = ", ".join(
                approved_by(card.request, grant, people.name) for grant in card.grants
            )
            took = f" in {card.seconds:.1f} s" if card.seconds else ""
            return f"{live} Deployed{took}{when}" + (
                f", approved by {approved}." if approved else "."
            )
        case CardState.UNKNOWN:
            return f"A worker died, and the outcome is not known. Nothing was run again. {live}"
        case CardState.FAILED:
            return f"The deploy{which} failed{when}. {live}"
        case CardState.DENIED | CardState.CLOSED if card.was_met:
            why = f"Stopped by {by}{when}, before it started"
        case CardState.DENIED:
            why = f"Denied by {by}{when}"
        case CardState.EXPIRED if card.was_met:
            why = f"It was approved, and could not start in time, so it expired{when}"
        case CardState.EXPIRED:
            why = f"Nobody answered in time, so it expired{when}"
        case CardState.SUPERSEDED if card.editing:
            why = f"{by} edited it{when}, so it can no longer be answered; a new request follows"
        case CardState.SUPERSEDED:
            why = "It can no longer be answered; if it is still wanted, a new request follows"
        case CardState.IN_LINE:
            why = f"The place was not free{when}, so it waits in line and is shown anew"
        case CardState.CLOSED:
            why = f"{by} wrote or cancelled{when}, which closed it"
        case _:
            return ""
    return f"{why}; nothing{' more' if card.part else ''} was deployed."


def _later(card: Card, people: People) -> str:
    """Say when what was approved starts, and how it is stopped."""
    request = card.request
    yes = ", ".join(people.name(grant.by) for grant in card.grants if grant.by != POLICY)
    verb = "rolls back" if request.plan.action == "roll_back" else "starts"
    when = moment(request.start_at) if request.start_at else "at once"
    first = f"Approved by {yes}. It" if yes else "It"
    return f"{first} {verb} {when}, unless somebody stops it: reply with the one word stop."


def _live(card: Card) -> str:
    """Return the commit that is live, or of several changes all that went live."""
    if card.state is CardState.LIVE and card.request.more:
        return ", ".join(f"{plan.service} {plan.sha[:SHORT]}" for plan in card.done)
    service = f"{card.request.plans[card.part].service} " if card.request.more else ""
    return service + (card.live or "")[:SHORT]
