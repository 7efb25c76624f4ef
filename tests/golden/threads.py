"""Golden threads: as a version stored them, with what it made of each; later versions must decide the same.

`python tests/golden/record.py` adds those that are not there yet. Nothing changes one that is.
"""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from planning import TEMPLATES

from deploybot.events import EVENT, Event
from deploybot.outbox import tellings
from deploybot.prompting import parse, render
from deploybot.prompting.entries import entries
from deploybot.telling import Card, Telling
from deploybot.thread import Thread, fold

FOLDER = Path(__file__).parent
SUMS = FOLDER / "SHA256SUMS"
WORDS = TEMPLATES.words


def names() -> list[str]:
    """Return the names of all golden threads."""
    return sorted(path.stem for path in FOLDER.glob("*.jsonl"))


def read(name: str) -> Thread:
    """Return a golden thread, read as a store reads it."""
    lines = (FOLDER / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    events = tuple(EVENT.validate_json(line) for line in lines)
    return Thread(name, events, "", fold(events))


def expected(name: str) -> dict[str, Any]:
    """Return what the version that recorded it made of it."""
    found: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return found


def made_of(thread: Thread) -> dict[str, Any]:
    """Return everything that a version decides from a thread's events alone."""
    standing = thread.standing
    request = standing.request
    due = thread.due(thread.events[-1].at)
    text = render(thread, WORDS)
    assert parse(text) == entries(thread, WORDS)
    return {
        "status": thread.status,
        "below": standing.status,
        "agent": standing.agent,
        "requesters": list(standing.requesters),
        "request": request.id if request else None,
        "digest": request.sealed().digest if request else None,
        "grants": [grant.by for grant in standing.grants],
        "question": standing.question.question_id if standing.question else None,
        "pending": standing.pending.step.intent if standing.pending else None,
        "part": standing.part,
        "steps": standing.steps,
        "errors_in_a_row": standing.errors_in_a_row,
        "job": thread.job(),
        "due": due.isoformat() if due else None,
        "due_job": thread.due_job(),
        "told": [_told(telling) for telling in tellings(thread)],
        "read_by_a_model": hashlib.sha256(text.encode()).hexdigest(),
    }


def _told(telling: Telling) -> list[str]:
    state = [str(telling.state)] if isinstance(telling, Card) else []
    return [telling.key, type(telling).__name__, *state]


def write(name: str, events: Iterable[Event]) -> bool:
    """Record a thread that is not there yet, and what this version makes of it."""
    path = FOLDER / f"{name}.jsonl"
    if path.exists():
        return False
    lines = [EVENT.dump_json(event).decode() for event in events]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    made = json.dumps(made_of(read(name)), indent=1, ensure_ascii=False)
    (FOLDER / f"{name}.json").write_text(made + "\n", encoding="utf-8")
    with SUMS.open("a", encoding="utf-8") as sums:
        for file in (path, FOLDER / f"{name}.json"):
            sums.write(f"{digest_of(file)}  {file.name}\n")
    return True


def digest_of(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def sums() -> dict[str, str]:
    """Return what each file was when it was added: name → SHA-256."""
    rows = (line.split("  ", 1) for line in SUMS.read_text(encoding="utf-8").splitlines())
    return {name: digest for digest, name in rows}
