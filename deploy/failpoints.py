"""Points at which tests let things go wrong: before and after whatever is stored, sent or done.

`at` is called wherever a process could die to somebody's harm. It is chosen when this is imported:
without DEPLOYBOT_FAILPOINT it is a function that does nothing, and nothing else of this file ever
runs. With it, the setting says what happens where, as `name:action[=seconds][@number]`, several
separated by commas; `*` in a name stands for anything, and the number is that of the one visit
that is meant, all of them when it is left out. What the names are is written in
`deploybot.failpoints`.

The setting may also be the path of a file that holds such a list. It is read at every visit, and
visits are counted beside it, over all processes: so a test can change its mind while they run, and
a process that was started again is not ended at the same visit again.
"""

import fcntl
import json
import os
import re
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal, get_args

SETTING = "DEPLOYBOT_FAILPOINT"
STALL_SECONDS = 5.0

Action = Literal["kill", "power", "raise", "stall", "drop"]
"""kill: this process ends at once. power: so does the worker above it, as on a host without power.
raise: what nobody has thought of. stall: nothing happens for a while. drop: it was done, and the
answer gets lost on its way."""

Lost = Callable[[], Exception]
_ENTRY = re.compile(r"([a-z_.*]+):([a-z]+)(?:=([0-9.]+))?(?:@([0-9]+))?")
_falls_too: set[int] = set()


class FailpointError(RuntimeError):
    """What a test has asked for, and no code expects."""


@dataclass(frozen=True)
class Entry:
    """What is to happen at the points with such names."""

    names: str
    action: Action
    seconds: float = STALL_SECONDS
    number: int = 0
    """Only at this visit, the first being number 1; 0 for each."""


@dataclass
class Visits:
    """How often each point was visited, and what has happened there, as `name:action@number`."""

    counts: dict[str, int] = field(default_factory=dict)
    happened: list[str] = field(default_factory=list)

    def of(self, names: str) -> int:
        """Return how often points with such names were visited, together."""
        return sum(n for name, n in self.counts.items() if fnmatchcase(name, names))


def entries(text: str) -> Iterator[Entry]:
    """Read a list of entries; raises ValueError with a sentence."""
    for part in filter(None, (part.strip() for part in text.split(","))):
        match = _ENTRY.fullmatch(part)
        if match is None or match[2] not in get_args(Action):
            raise ValueError(f"{part!r} is not name:action, with action one of kill, power, raise, stall, drop")  # fmt: skip
        action: Any = match[2]
        yield Entry(match[1], action, float(match[3] or STALL_SECONDS), int(match[4] or 0))


class Armed:
    """`at` for a process in which things are to go wrong."""

    def __init__(self, setting: str) -> None:
        self.file = Path(setting) if setting.startswith("/") else None
        self.visits = Visits()
        self._entries = () if self.file else tuple(entries(setting))
        self._lock = threading.Lock()

    def __call__(self, name: str, lost: Lost | None = None) -> None:
        """Come to a point; `lost` makes what is raised there when an answer gets lost."""
        with self._counted() as (visits, armed):
            visits.counts[name] = visits.counts.get(name, 0) + 1
            entry = _due(name, visits, armed)
            if entry:
                visits.happened.append(f"{name}:{entry.action}@{visits.of(entry.names)}")
        if entry:
            _happen(name, entry, lost)

    @contextmanager
    def _counted(self) -> Iterator[tuple[Visits, tuple[Entry, ...]]]:
        """Yield the visits so far and what is armed; keep the visits when the block ends."""
        if self.file is None:
            with self._lock:
                yield self.visits, self._entries
            return
        with visits_beside(self.file) as visits:
            text = self.file.read_text() if self.file.exists() else ""
            yield visits, tuple(entries(text))


@contextmanager
def visits_beside(file: Path) -> Iterator[Visits]:
    """Yield the visits that are counted beside a file, alone; keep them when the block ends."""
    beside = os.open(f"{file}.visits", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(beside, fcntl.LOCK_EX)
        before = os.pread(beside, os.fstat(beside).st_size, 0)
        visits = Visits(**json.loads(before)) if before else Visits()
        yield visits
        os.ftruncate(beside, os.pwrite(beside, json.dumps(vars(visits)).encode(), 0))
    finally:
        os.close(beside)


def falls_with(pid: int) -> None:
    """Say which process a failure of the power takes along."""
    _falls_too.add(pid)


def _due(name: str, visits: Visits, armed: Iterable[Entry]) -> Entry | None:
    for entry in armed:
        if fnmatchcase(name, entry.names) and entry.number in (0, visits.of(entry.names)):
            return entry
    return None


def _happen(name: str, entry: Entry, lost: Lost | None) -> None:
    match entry.action:
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "power":
            for pid in _falls_too:
                os.kill(pid, signal.SIGKILL)
            os.kill(os.getpid(), signal.SIGKILL)
        case "stall":
            threading.Event().wait(entry.seconds)
        case "drop" if lost:
            raise lost()
        case _:
            raise FailpointError(f"a test asked for this at {name}")


def _nothing(name: str, lost: Lost | None = None) -> None:
    """Do nothing: there is no test."""


at: Callable[..., None] = (
    Armed(os.environ[SETTING]) if os.environ.get(SETTING) else _nothing  # noqa: TID251 - deploys know no settings
)
"""Come to a point: `at("name")`, or `at("name", lost=…)` where an answer could get lost."""
