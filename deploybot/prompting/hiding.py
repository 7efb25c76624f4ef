"""Which events of one turn are not shown: what changes nothing for the next step any more.

Failed attempts that a later one made good, and facts that were fetched anew since. What is left out because there is too much of it is decided in `folding`.
"""

from itertools import pairwise

from deploybot.events import FACTS, Event, HandedOver, ReadReturned, StepChosen, StepFailed
from deploybot.prompting.shown import intent_of


def made_good(events: tuple[Event, ...]) -> set[int]:
    """Return where the failed attempts stand that a later attempt at the same intent made good."""
    attempts: list[tuple[int, str, bool]] = []
    for index, (event, outcome) in enumerate(pairwise(events)):
        if isinstance(event, StepChosen):
            attempts.append((index, intent_of(event.step), isinstance(outcome, StepFailed)))
    last_success = {intent: index for index, intent, failed in attempts if not failed}
    return {
        part
        for index, intent, failed in attempts
        if failed and last_success.get(intent, -1) > index
        for part in (index, index + 1)
    }


def last_fetched(events: tuple[Event, ...]) -> int:
    """Return where facts were fetched ahead last; -1 for nowhere."""
    found = (at for at in range(len(events) - 1, -1, -1) if _is_fetched(events[at]))
    return next(found, -1)


def _is_fetched(event: Event) -> bool:
    return isinstance(event, HandedOver) or (
        isinstance(event, ReadReturned) and event.intent == FACTS
    )
