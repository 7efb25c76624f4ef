"""The questions that the planner asks when going on would mean guessing."""

from difflib import get_close_matches
from typing import Any

from deploybot.models.offline import replies
from deploybot.models.offline.names import Suspect
from deploybot.models.offline.situation import Situation
from deploybot.models.offline.wish import Item, Wish
from deploybot.next_step import RequestHumanInput

STOP = "Stop"
ALL = "All of them"
AGAIN = "Try again"
GO_ON = "Go on"
LATEST = "Latest commit"
FEW = 6
"""So many choices are fewer than two questions."""


def choose(
    question: str, choices: tuple[str, ...], *, context: str = "", urgent: bool = False
) -> RequestHumanInput:
    """Ask with buttons."""
    return RequestHumanInput(
        question=question,
        context=context,
        urgency="high" if urgent else "low",
        format="multiple_choice",
        choices=tuple(dict.fromkeys(choices)),
    )


def missing(now: Situation, wish: Wish) -> RequestHumanInput | None:
    """Ask for what the wish lacks: a name that exists, a service, an environment."""
    doubtful = [s for s in wish.suspects if _matters(s, wish)]
    if doubtful:
        return _did_you_mean(doubtful[0], now)
    verb = "deploy" if wish.action == "deploy" else "roll back"
    if not wish.services and not wish.environments:
        both = tuple(f"{service} on {e}" for service in now.services for e in now.environments)
        if wish.action == "roll_back" and len(both) <= FEW:
            return choose("What should I roll back, and where?", (*both, STOP))
    if not wish.services:
        everything = (ALL,) if len(now.services) > 1 else ()
        return choose(f"Which service should I {verb}?", (*now.services, *everything, STOP))
    if not wish.environments:
        what = " and ".join(f"`{service}`" for service in wish.services)
        return choose(f"Where should I {verb} {what}?", (*now.environments, STOP))
    return None


def which_ref(ref: str, error: str, found: Any) -> RequestHumanInput:
    """Ask for another ref, with the nearest tags."""
    names = [str(row.get("name")) for row in found or [] if isinstance(row, dict)]
    nearest = get_close_matches(ref, names, 3, 0.4) or names[:3]
    return choose("Which ref should I use instead?", (*nearest, LATEST, STOP), context=error)


def which_commit(words: tuple[str, ...], rows: list[dict[str, Any]]) -> RequestHumanInput:
    """Ask for the commit that was described, with those that it may be."""
    said = f"about “{' '.join(words)[:80]}”" if words else "like that"
    names = [str(row.get("short")) for row in rows[:FEW] if row.get("short")]
    lines = [f"`{row.get('short')}` {replies.subject(row)}" for row in rows[:FEW]]
    return choose(
        "Which commit do you mean?",
        (*names, STOP),
        context="\n".join((f"I cannot tell which commit is {said}. Nothing was deployed.", *lines)),
    )


def go_on(wish: Wish, left: tuple[Item, ...], context: str) -> RequestHumanInput:
    """Answer what was asked aside, and ask whether to go on with what was open."""
    return RequestHumanInput(
        question=f"Shall I go on with {replies.change(wish, left)}?",
        context=context,
        format="yes_no",
    )


def unsure(now: Situation, wish: Wish) -> RequestHumanInput:
    """Ask whether what was named is to be deployed."""
    ref = f" at {wish.ref.name}" if wish.ref else ""
    return RequestHumanInput(
        question=f"Shall I go on with {replies.change(wish, now.left()[:3])}{ref}?",
        context="I am not sure that this was asked for. Nothing was deployed.",
        format="yes_no",
    )


def puzzled(now: Situation, wish: Wish) -> RequestHumanInput:
    """Ask again when the words changed nothing that rules can see."""
    text = now.said.text[:200] if now.said else ""
    question = f"What should I do about {replies.change(wish, now.left()[:3])}?"
    context = f"I did not understand “{text}”. Nothing was deployed for it." if text else ""
    return choose(question, (GO_ON, STOP), context=context)


def when() -> RequestHumanInput:
    """Ask for a time that a timer can keep."""
    return RequestHumanInput(
        question="When should it start: for example “at 18:00”, “in 2 hours”, or “now”?",
        context="I keep times of day, and no conditions. Nothing was deployed.",
    )


def one_ref() -> RequestHumanInput:
    """Ask for one commit at a time, when several were named."""
    return RequestHumanInput(
        question="Which of these first: service, ref and environment?",
        context="You named more than one ref, and I deploy one at a time. Nothing was deployed.",
    )


def _matters(suspect: Suspect, wish: Wish) -> bool:
    """Tell whether the doubtful name is wanted at all."""
    if suspect.kind == "environment":
        return not wish.environments
    return True


def _did_you_mean(suspect: Suspect, now: Situation) -> RequestHumanInput:
    names = now.services if suspect.kind == "service" else now.environments
    known = ((suspect.meant,) if suspect.meant else ()) + names
    guess = f" Did you mean {suspect.meant}?" if suspect.meant else " Which one do you mean?"
    question = f"I know no {suspect.kind} called {suspect.typed[:60]}.{guess}"
    return choose(question, (*known, STOP), context="Nothing was deployed.")
