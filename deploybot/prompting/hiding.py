"""Which events of one turn are not shown: what changes nothing for the next step any more.

Failed attempts that a later one made good, and facts that were fetched for an earlier turn. What
is left out because there is too much of it is decided in `folding`.
"""

from itertools import pairwise

from deploybot.events import Event, StepChosen, StepFailed
from deploybot.next_step import to_wire


def made_good(events: tuple[Event, ...]) -> set[int]:
    """Return where the failed attempts stand that a later attempt at the same intent made good."""
    attempts: list[tuple[int, str, bool]] = []
    for index, (event, outcome) in enumerate(pairwise(events)):
        if isinstance(event, StepChosen):
            intent = str(to_wire(event.step)["intent"])
            attempts.append((index, intent, isinstance(outcome, StepFailed)))
    last_success = {intent: index for index, intent, failed in attempts if not failed}
    return {
        part
        for index, intent, failed in attempts
        if failed and last_success.get(intent, -1) > index
        for part in (index, index + 1)
    }
