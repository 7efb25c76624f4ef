"""What a model is shown of a thread, oldest first, within a budget.

How one event is shown is decided in `showing`, what is not shown at all in `hiding`, and what is
folded when there is too much in `folding`; this puts them together, the newest turn first.
"""

from deploybot.events import Event
from deploybot.prompting import folding
from deploybot.prompting.hiding import last_fetched, made_good
from deploybot.prompting.showing import Before, show
from deploybot.prompting.shown import Entry, Shown
from deploybot.prompting.words import Words
from deploybot.thread import Thread

BUDGET = 8_000
"""Tokens, estimated, that a thread may take before older turns are folded."""


def shown(thread: Thread, words: Words, budget: int = BUDGET) -> tuple[Shown, ...]:
    """Return what the model is shown; `budget` is in tokens, estimated."""
    *older, newest = folding.turns(thread.events)
    seen, gap = folding.ends(newest)
    turn = folding.within(_turn(seen, words, newest=True), budget, gap)
    kept, left, room = [turn], budget - folding.size(turn), folding.MOST_ENTRIES - len(turn)
    while older:
        turn = _turn(older[-1], words, newest=False) if len(older[-1]) <= 2 * room else ()
        left, room = left - folding.size(turn), room - len(turn)
        if left < 0 or room < 0 or not turn:
            kept.append(folding.folded(older, words))
            break
        kept.append(turn)
        older.pop()
    return tuple(entry for turn in reversed(kept) for entry in turn)


def entries(thread: Thread, words: Words, budget: int = BUDGET) -> tuple[Entry, ...]:
    """Return the tags and bodies of what is shown."""
    return tuple(entry.entry for entry in shown(thread, words, budget))


def _turn(events: tuple[Event, ...], words: Words, *, newest: bool) -> tuple[Shown, ...]:
    """Return what is shown of one turn; facts fetched ahead only where they are the last ones."""
    skipped = made_good(events)
    before = Before()
    last, fetched = len(events) - 1, last_fetched(events) if newest else -1
    found = (
        show(event, before, words, is_last=newest and at == last, has_facts=at == fetched)
        for at, event in enumerate(events)
        if at not in skipped
    )
    return tuple(entry for entry in found if entry is not None)
