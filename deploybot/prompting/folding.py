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

MOST_ENTRIES = 100
"""So many entries are shown at most."""
MOST_EVENTS = 300
"""So many events of the newest turn are looked at: more than a model is let do by itself."""
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


def size(entries: tuple[Shown, ...]) -> int:
    """Estimate how many tokens the entries take."""
    return sum(map(_size, entries))


def _size(entry: Shown) -> int:
    written = f"{entry.tag}{entry.tag}{entry.body}"
    return len(written.encode(errors="replace")) // BYTES_A_TOKEN


def ends(turn: tuple[Event, ...]) -> tuple[tuple[Event, ...], int]:
    """Return the event that began a turn and its newest ones, and how many there are between."""
    gap = len(turn) - 1 - MOST_EVENTS
    return (turn, 0) if gap <= 0 else ((turn[0], *turn[-MOST_EVENTS:]), gap)


def within(turn: tuple[Shown, ...], budget: int, gap: int) -> tuple[Shown, ...]:
    """Return the newest turn, its middle left out if it is too long.

    The words that began it stay, and so do people's last words and the last question. `gap` counts
    what is missing already behind the first entry.
    """
    if not turn:
        return ()
    sizes = [_size(entry) for entry in turn]
    kept = {0, len(turn) - 1, *_last_said(turn)}
    left = budget - sum(sizes[at] for at in kept)
    for at in range(len(turn) - 1, 0, -1):
        left -= 0 if at in kept else sizes[at]
        if left < 0 or len(kept) >= MOST_ENTRIES:
            break
        kept.add(at)
    found: list[Shown] = []
    missing = 0
    for at, entry in enumerate(turn):
        missing += gap if at == 1 else 0
        if at not in kept:
            missing += 1
            continue
        if missing:
            found.append(Shown("left_out", {"events": missing}, "happened"))
            missing = 0
        found.append(entry)
    return tuple(found)


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
