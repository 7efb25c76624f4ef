"""What is left out when a thread is too long for a model: older turns first, people's last words never.

A turn is what happened from the words that began it to its end. A folded turn is one line: who
asked what, and what came of it. Sizes are estimates: a token is about four bytes of text.
"""

from itertools import pairwise

from deploybot.events import (
    ApprovalExpired,
    BranchUpdated,
    Cancelled,
    Event,
    Finished,
    HandedOver,
)
from deploybot.prompting import cutting
from deploybot.prompting.shown import Shown
from deploybot.prompting.words import Words

MOST_ENTRIES = 150
"""So many entries of one turn are shown at most."""
TURNS_TOLD = 8
"""So many folded turns get a line; the others are counted."""
LONGEST_LINE = 160
BYTES_A_TOKEN = 4

_ENDS = Finished | Cancelled | ApprovalExpired


def turns(events: tuple[Event, ...]) -> list[tuple[Event, ...]]:
    """Return the events by turn, oldest first; an event after an end begins the next one."""
    ends = [at + 1 for at, event in enumerate(events) if isinstance(event, _ENDS)]
    bounds = [0, *(end for end in ends if end < len(events)), len(events)]
    return [events[a:b] for a, b in pairwise(bounds)]


def size(entry: Shown) -> int:
    """Estimate how many tokens an entry takes."""
    return _size(entry.body) + len(entry.tag) * 2 // BYTES_A_TOKEN + 3


def _size(body: object) -> int:
    match body:
        case str():
            return len(body.encode(errors="replace")) // BYTES_A_TOKEN + 1
        case dict():
            return sum(_size(key) + _size(value) + 1 for key, value in body.items())
        case list():
            return sum(_size(item) + 1 for item in body)
        case _:
            return 2


def within(turn: tuple[Shown, ...], words: Words, budget: int) -> tuple[tuple[Shown, ...], int]:
    """Return the newest turn, its middle left out if it is too long, and what it takes.

    The words that began it stay, and so do people's last words and everything after them.
    """
    sizes = [size(entry) for entry in turn]
    total = sum(sizes)
    if total <= budget and len(turn) <= MOST_ENTRIES:
        return turn, total
    must = {0, len(turn) - 1, *_last_said(turn)}
    left = budget - sum(sizes[at] for at in must)
    kept = set(must)
    for at in range(len(turn) - 1, 0, -1):
        if at in must:
            continue
        left -= sizes[at]
        if left < 0 or len(kept) >= MOST_ENTRIES:
            break
        kept.add(at)
    shown: list[Shown] = []
    for at, entry in enumerate(turn):
        if at in kept:
            shown.append(entry)
        elif shown[-1].tag != "left_out":
            count = next((n for n in range(at, len(turn)) if n in kept), len(turn)) - at
            shown.append(Shown("left_out", {"events": count}, "happened"))
    return tuple(shown), sum(map(size, shown))


def _last_said(turn: tuple[Shown, ...]) -> set[int]:
    said = [at for at, entry in enumerate(turn) if entry.part == "said"]
    asked = [at for at, entry in enumerate(turn) if entry.tag == "request_human_input"]
    return {*said[-1:], *asked[-1:]}


def folded(older: list[tuple[Event, ...]], words: Words) -> tuple[Shown, ...]:
    """Return one entry that stands for all these turns."""
    told = [_line(turn, words) for turn in older[-TURNS_TOLD:]]
    body = {"turns": len(older), "last": told}
    return (Shown("earlier", body, "happened"),)


def _line(turn: tuple[Event, ...], words: Words) -> str:
    first, last = turn[0], turn[-1]
    asked = first.subject if isinstance(first, BranchUpdated) else getattr(first, "text", "")
    by = first.pusher if isinstance(first, BranchUpdated) else first.by
    ended = last.message if isinstance(last, Finished) else last.kind.replace("_", " ")
    if isinstance(first, HandedOver):
        by = "handed over"
    return words.say("turn", by, _short(asked, words), _short(ended, words))


def _short(text: str, words: Words) -> str:
    return " ".join(cutting.text(text, words, LONGEST_LINE).split())
