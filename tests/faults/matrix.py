"""The forty rows of the matrix of faults: what goes wrong in each, what people are told, which tests play it.

`tests/conftest.py` takes the three hooks from here: each test that is marked with a row counts for
it, and a run that has played any ends with a table of them.
"""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

TESTS = Path(__file__).parent.parent


@dataclass(frozen=True)
class Row:
    """One row: the fault, what holds all the same, and what people are told."""

    fault: str
    holds: str
    told: str


ROWS: Mapping[int, Row] = {
    1: Row("the web process is killed before it has stored what came in", "it answered nobody, Slack delivers again: one event", "as always, once"),
    2: Row("it is killed when that is stored, before it has answered", "the second delivery is known: one event", "as always, once"),
    3: Row("it is killed when it has answered, and the wake-up is lost", "the clock wakes the thread", "as always"),
    4: Row("a wake-up is lost, stuck on its way to a worker, or has failed", "the clock makes another", "as always"),
    5: Row("a wake-up comes twice, or long after its time", "it changes nothing", "nothing twice"),
    6: Row("a worker is killed before it asks a model, or before it stores the answer", "the model is asked once more, at most", "as always"),
    7: Row("a worker is killed between a request and its card", "the outbox posts it", "one card"),
    8: Row("the web process is killed before or after it has stored a click", "what was answered is stored; what was not is clicked again", "Slack shows that a click failed"),
    9: Row("a worker is killed before an approved change has claimed its place", "it is started once", "as always"),
    10: Row("a worker is killed when the place is claimed and nothing has begun", "nothing runs, now or later", "“Approved, but never started … Approve again to deploy.”"),
    11: Row("a job is killed in the middle of a deploy", "one run; nothing else starts there until somebody settles it", "“A worker died during …; the outcome is not known”, with two buttons"),
    12: Row("only the worker above that job is killed", "the job ends with it: as row 11", "as row 11"),
    13: Row("the workers are asked to end in the middle of a deploy", "it comes to its end, and nothing new is begun", "as always"),
    14: Row("they are asked twice", "as row 11", "as row 11"),
    15: Row("a worker stands still for longer than its lease, and then goes on", "whatever it does next is refused by the target", "as row 11; and, once it goes on, which machine stood still"),
    16: Row("a worker is killed when the release is live and the thread does not say so", "the target's journal tells: it succeeded", "live, and that a worker died and the journal told it"),
    17: Row("a worker is killed when the end is stored and nobody was told", "the outbox tells it", "as always"),
    18: Row("a step fails, or takes too long", "what was live still is", "the step, its exit code, the end of its output without secrets, what is live"),
    19: Row("the way back fails, too", "nothing is tried again; the place is held until an approver frees it, and only a roll back passes", "what failed, that the way back failed, too, what is live, and how to free the place; approvers are called"),
    20: Row("Redis is restarted, whatever goes on", "everything that was acknowledged is there", "as always, or as row 11"),
    21: Row("Redis comes back with older data", "the target refuses what it has seen, a card what its thread lacks; production is paused", "an alarm in the channel and by mail"),
    22: Row("Redis is full, a replica, without a disk, wants a password, or is loading", "senders are asked to send again; nothing is half written; what runs comes to its end", "directly, without Redis, once an hour"),
    23: Row("Redis may drop keys, or keeps no log on disk", "nothing is started", "which setting is wrong, in one line"),
    24: Row("Slack asks for fewer calls", "its wish is kept, the order within a thread, too", "late, and everything"),
    25: Row("Slack fails, or refuses for good", "a failure is tried again; what nobody was shown nobody can approve", "by mail, that Slack refuses and why"),
    26: Row("Slack takes a message and does not say so", "it is looked for before it is posted again; what it does late, after something newer, is put right", "once"),
    27: Row("the model is slow, busy, broken or away", "the planner of rules chooses, plain commands ask nobody", "who did not choose, and why"),
    28: Row("the model answers with what is no step", "it is asked twice more, then rules choose; nothing runs", "a plain question"),
    29: Row("deliveries come three times, in any order, fifty at once", "one event", "once"),
    30: Row("things come in another order than they were done", "a no before the start wins; one after it is answered with what came first", "who was first, and when"),
    31: Row("a worker's clock is wrong", "what expires does so by the clock of Redis", "that the clock is off, and by how much"),
    32: Row("a disk is full", "it fails before the switch; what was live still is", "which disk, where, how many bytes are free"),
    33: Row("two workers take the same thread at once", "one of them goes on, the other looks again", "nothing twice"),
    34: Row("two threads want the same place at once", "one starts, the other waits in line", "for whom it waits"),
    35: Row("a thread crashes whoever works on it", "it is parked after three times, and goes on with a person's next word", "that it is parked, there and in the channel"),
    36: Row("the mailbox is cut off, renumbered, holds a mail twice, or whoever reads it is killed", "one event", "as always"),
    37: Row("the mail server refuses, now or for good", "now: tried again; for good: noted", "in Slack all the same"),
    38: Row("an older version meets what a newer one has stored", "it stops on that thread and guesses nothing", "that a newer version is needed"),
    39: Row("the way to what runs elsewhere is cut in the middle of a deploy", "it is looked for until it is found, or its time is up; nothing is launched twice", "how it stands, or that nobody knows"),
    40: Row("the configuration changes between the card and the start", "nothing runs; a new card shows what is so now", "what has changed"),
}  # fmt: skip


@dataclass
class _Played:
    seconds: float = 0.0
    outcomes: list[str] = field(default_factory=list)

    @property
    def outcome(self) -> str:
        for worst in ("failed", "error"):
            if worst in self.outcomes:
                return worst
        return "held" if "passed" in self.outcomes else "skipped"


def in_full(value: object) -> Any:
    """Mark a value that is played by `make long` alone."""
    return pytest.param(value, marks=pytest.mark.long)


def played_rows() -> dict[int, list[tuple[str, Path]]]:
    """Return which tests are marked with which row: row → names and files."""
    found: dict[int, list[tuple[str, Path]]] = {}
    for path in sorted(TESTS.rglob("test_*.py")):
        text = path.read_text(encoding="utf-8")
        if "mark.row(" not in text:
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                for number in _rows(node):
                    found.setdefault(number, []).append((node.name, path))
    return found


def _rows(test: ast.FunctionDef) -> Iterator[int]:
    for mark in test.decorator_list:
        if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.row":
            for number in mark.args:
                assert isinstance(number, ast.Constant)
                yield int(number.value)


# -- hooks -------------------------------------------------------------------------


def pytest_itemcollected(item: pytest.Item) -> None:
    """Write down of each test which rows it plays, so that its reports carry them, also between processes."""
    for mark in item.iter_markers("row"):
        for number in mark.args:
            item.user_properties.append(("row", number))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print every row that was played: how it ended, and what it took."""
    played: dict[int, _Played] = {}
    for outcome, reports in terminalreporter.stats.items():
        for report in reports:
            for name, number in getattr(report, "user_properties", ()):
                if name == "row" and hasattr(report, "duration"):
                    row = played.setdefault(number, _Played())
                    row.seconds += report.duration
                    row.outcomes.append(outcome)
    if not played:
        return
    terminalreporter.section("the matrix of faults")
    whole = len(played) > len(ROWS) / 2
    for number, fault in ROWS.items():
        row = played.get(number)
        if row is None and not whole:
            continue
        told = f"{row.outcome:<8}{row.seconds:6.1f} s" if row else f"{'not run':<8}{'':8}"
        terminalreporter.write_line(f"{number:>3}  {told}  {fault.fault}")
