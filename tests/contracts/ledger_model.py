"""What a store must do, written down in plain dicts; it shares no line with the stores that it judges."""

from dataclasses import dataclass, field
from typing import Any

Place = tuple[str, str]

MOVES = {
    ("done", "said"): "working",
    ("working", "said"): "working",
    ("asked", "said"): "working",
    ("waiting", "said"): "working",
    ("asleep", "said"): "working",
    ("working", "lines_up"): "waiting",
    ("working", "asks"): "asked",
    ("working", "sleeps"): "asleep",
    ("working", "ends"): "done",
    ("working", "cancelled"): "done",
    ("asked", "cancelled"): "done",
    ("waiting", "cancelled"): "done",
    ("asleep", "cancelled"): "done",
    ("waiting", "turn"): "working",
    ("asleep", "wakes"): "working",
}
"""Where a thread stands, and what happens → where it stands then; what is not here is refused."""
WHILE_PAUSED = ("said", "cancelled")


@dataclass
class Written:
    """One thread."""

    words: list[str] = field(default_factory=list)
    stands: str = "done"
    paused: bool = False
    line: Place | None = None
    first: bool = False

    def after(self, what: str, place: Place | None, *, first: bool) -> "Written | None":
        """Return the thread once this has happened, or None if it may not."""
        new = Written([*self.words, what], self.stands, self.paused, self.line, self.first)
        if what in ("pauses", "resumes"):
            new.paused = what == "pauses"
            return new if new.paused != self.paused else None
        if self.paused and what not in WHILE_PAUSED:
            return None
        if (self.stands, what) not in MOVES:
            return None
        new.stands = MOVES[self.stands, what]
        new.line = place if what == "lines_up" else self.line if what == "turn" else None
        new.first = first and what == "lines_up"
        return new

    @property
    def waits_for(self) -> Place | None:
        return None if self.paused else self.line


@dataclass
class LedgerModel:
    """All threads of a company, and its places."""

    threads: dict[str, Written] = field(default_factory=dict)
    heard: dict[str, str] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    running: dict[Place, str] = field(default_factory=dict)
    fences: dict[Place, int] = field(default_factory=dict)
    leases: set[str] = field(default_factory=set)
    holds: dict[tuple[Any, ...], tuple[str, float | None]] = field(default_factory=dict)
    """(service, environment, made by) → (whose and which, until when)."""
    lines: dict[Place, list[str]] = field(default_factory=dict)
    latest: list[str] = field(default_factory=list)
    """Threads by their last append, the newest last."""

    def thread(self, name: str) -> Written:
        return self.threads.get(name, Written())

    def against(
        self,
        name: str,
        length: int,
        *,
        keys: tuple[str, ...],
        claim: tuple[Place, int] | None,
        hold: tuple[tuple[Any, ...], bool, str | None] | None,
        now: float,
    ) -> set[str]:
        """Return everything that speaks against an append; empty when it must be taken.

        `hold` is where, whether one is placed, and which one is to be removed.
        """
        found = set()
        if any(key in self.heard for key in keys):
            found.add("DuplicateError")
        if length != len(self.thread(name).words):
            found.add("ConflictError")
        if claim and (claim[0] in self.running or claim[1] != self.fences.get(claim[0], 0) + 1):
            found.add("ClaimRefusedError")
        if hold:
            where, places, removes = hold
            there, until = self.holds.get(where, (None, None))
            lasts = there is not None and (until is None or now < until)
            if removes is not None:
                wrong = there != removes
            else:
                wrong = places and lasts and where[2] == "person"
            if wrong:
                found.add("HoldChangedError")
        return found

    def takes(self, name: str, what: str, place: Place | None, *, first: bool) -> bool:
        """Write it down, unless it may not happen."""
        before = self.thread(name)
        after = before.after(what, place, first=first)
        if after is None:
            return False
        self.threads[name] = after
        if name in self.latest:
            self.latest.remove(name)
        self.latest.append(name)
        left, joined = before.waits_for, after.waits_for
        if left and left != joined:
            self.leaves(name, left)
        if joined and name not in self.lines.setdefault(joined, []):
            self.lines[joined].insert(0 if after.first else len(self.lines[joined]), name)
        return True

    def leaves(self, name: str, place: Place) -> None:
        if name in self.lines.get(place, []):
            self.lines[place].remove(name)
