"""`audit`: verifies threads against their seals, and exports who asked, approved, and what ran."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from deploybot.audit import Audit, Bad, Examined
from deploybot.changes import Change
from deploybot.cli import audit_report
from deploybot.cli.exits import Exit
from deploybot.cli.terminal import Terminal, one_line, write
from deploybot.errors import ThreadNotFoundError
from deploybot.ledger import RedisLedger


@dataclass(frozen=True)
class Wanted:
    """Which threads, which requests of them, and in which form."""

    thread: str = ""
    since: datetime | None = None
    until: datetime | None = None
    service: str = ""
    environment: str = ""
    form: str = ""
    """jsonl, markdown, or "" to verify only."""

    def takes(self, change: Change) -> bool:
        """Tell whether a request is to be exported."""
        return (
            (self.since is None or change.requested >= self.since)
            and (self.until is None or change.requested < self.until)
            and change.concerns(self.service, self.environment)
        )


@dataclass
class Tally:
    """What was gone through so far."""

    threads: int = 0
    events: int = 0
    exported: int = 0
    bad: list[Bad] = field(default_factory=list)

    def add(self, examined: Examined) -> None:
        """Count a thread that was gone through."""
        self.threads += 1
        self.events += examined.events
        self.bad += [examined.bad] if examined.bad else []


def audit(terminal: Terminal, ledger: RedisLedger, key: bytes, wanted: Wanted) -> int:
    """Go through one thread or all; 1 when something is not as it was sealed."""
    auditor, tally = Audit(ledger, key), Tally()
    draw = audit_report.FORMS.get(wanted.form)
    with ExitStack() as stack:
        threads: Iterable[str] = (wanted.thread,)
        count = 1
        if not wanted.thread:
            taken = stack.enter_context(ledger.threads())
            threads, count = taken, taken.count
        for thread_id in _watched(terminal, threads, count, stack):
            examined = Examined(thread_id)
            for change in auditor.changes(examined):
                if draw and wanted.takes(change):
                    write(draw(change))
                    tally.exported += 1
            if wanted.thread and not examined.events and not ledger.page(thread_id, 0, 1):
                raise ThreadNotFoundError(f"There is no thread {thread_id}; nothing was verified.")
            tally.add(examined)
            if examined.bad and not terminal.as_json:
                _tell_bad(terminal, examined.bad)
    _sum_up(terminal, tally, exports=draw is not None)
    return Exit.REFUSED if tally.bad else Exit.DONE


def _watched(
    terminal: Terminal, threads: Iterable[str], count: int, stack: ExitStack
) -> Iterator[str]:
    """Yield the threads, and show on a terminal how far it has come."""
    if not terminal.err.is_terminal or count < 2:
        yield from threads
        return
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("threads"), TimeRemainingColumn())
    bar = stack.enter_context(Progress(*columns, console=terminal.err, transient=True))
    yield from bar.track(threads, total=count)


def _tell_bad(terminal: Terminal, bad: Bad) -> None:
    text = Text("✗ ", style="bold red")
    text.append(f"{one_line(bad.thread)}, event {bad.number}: ", style="bold")
    terminal.err.print(text.append(one_line(bad.text), style="not bold"))


def _sum_up(terminal: Terminal, tally: Tally, *, exports: bool) -> None:
    if terminal.as_json and not exports:
        terminal.json(
            {
                "threads": tally.threads,
                "events": tally.events,
                "bad": [vars(bad) for bad in tally.bad],
            }
        )
        return
    say: Callable[[str], None] = terminal.note if exports else terminal.say
    many = f"{_many(tally.threads, 'thread')}, {_many(tally.events, 'event')}"
    if exports:
        many = f"{_many(tally.exported, 'request')} exported; {many}"
    if tally.bad:
        say(
            f"{many}: {_many(len(tally.bad), 'thread')} not as sealed. Nothing is done with such a "
            "thread; find out who wrote to the store, or restore it."
        )
    else:
        say(f"{many}: every seal holds.")


def _many(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
