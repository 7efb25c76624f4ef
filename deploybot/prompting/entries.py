"""What a model is shown of a thread, oldest first, within a budget.

How one event is shown is decided in `showing`, what is not shown at all in `hiding`, and what is
folded when there is too much in `folding`; this puts them together, the newest turn first.
"""

from deploybot.events import FACTS, Event, ReadReturned
from deploybot.prompting import folding
from deploybot.prompting.hiding import made_good
from deploybot.prompting.showing import Before, show
from deploybot.prompting.shown import Entry, Shown
from deploybot.prompting.words import Words
from deploybot.thread import Thread

BUDGET = 16_000
"""Tokens, estimated, that a thread may take before older turns are folded."""


def shown(thread: Thread, words: Words, budget: int = BUDGET) -> tuple[Shown, ...]:
    """Return what the model is shown; `budget` is in tokens, estimated."""
    turns = folding.turns(thread.events)
    kept: list[tuple[Shown, ...]] = []
    left = budget
    for at in range(len(turns) - 1, -1, -1):
        newest = at == len(turns) - 1
        turn = _turn(turns[at], words, newest=newest)
        size = sum(map(folding.size, turn))
        if newest:
            turn, size = folding.within(turn, words, budget)
        elif size > left:
            kept.append(folding.folded(turns[: at + 1], words))
            break
        kept.append(turn)
        left -= size
    return tuple(entry for turn in reversed(kept) for entry in turn)


def entries(thread: Thread, words: Words, budget: int = BUDGET) -> tuple[Entry, ...]:
    """Return the tags and bodies of what is shown."""
    return tuple(entry.entry for entry in shown(thread, words, budget))


def _turn(events: tuple[Event, ...], words: Words, *, newest: bool) -> tuple[Shown, ...]:
    """Return what is shown of one turn; only the newest shows what was fetched ahead for it."""
    skipped = made_good(events)
    before = Before()
    found: list[Shown] = []
    last = len(events) - 1
    for index, event in enumerate(events):
        if index in skipped:
            continue
        entry = show(event, before, words, is_last=newest and index == last)
        if entry is not None and (newest or not _is_fetched(event)):
            found.append(entry)
    return tuple(found)


def _is_fetched(event: Event) -> bool:
    return isinstance(event, ReadReturned) and event.intent == FACTS
