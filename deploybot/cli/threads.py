"""`threads` and `show`: what there is and how it went, as the API tells it."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from rich.table import Table
from rich.text import Text

from deploybot.cli import cards
from deploybot.cli.client import Client, Json, thread_path
from deploybot.cli.exits import Exit
from deploybot.cli.following import Mirror
from deploybot.cli.terminal import Terminal, one_line
from deploybot.cli.watching import Manner, Watch, show_events
from deploybot.thread import Status

PAGE = 200
"""How many threads the API gives at once."""
NARROW = 70
"""Columns below which a table leaves out what can be done without."""
LAST = len("12-31 23:59")

_STYLES = {
    Status.DONE: "dim",
    Status.AWAITING_APPROVAL: "bold yellow",
    Status.AWAITING_INPUT: "bold yellow",
    Status.OUTCOME_UNKNOWN: "bold red",
}


def list_threads(
    terminal: Terminal, client: Client, *, status: str, limit: int, cursor: str
) -> int:
    """Print threads by last activity, newest first, and where the next page begins."""
    rows: list[Json] = []
    while len(rows) < limit:
        wanted = min(PAGE, limit - len(rows))
        page = client.get("/api/threads", status=status, limit=wanted, cursor=cursor)
        rows += page["threads"]
        cursor = str(page["cursor"])
        if not cursor:
            break
    if terminal.as_json:
        terminal.json({"threads": rows, "cursor": cursor})
        return Exit.DONE
    if not rows:
        terminal.note("There are no such threads." if status else "There are no threads yet.")
        return Exit.DONE
    terminal.show(_table(rows, narrow=terminal.out.width < NARROW))
    if cursor:
        terminal.note(f"There are more: --cursor {cursor}")
    return Exit.DONE


def show(
    terminal: Terminal,
    client: Client,
    thread_id: str,
    *,
    now: Callable[[], datetime],
    manner: Manner | None,
) -> int:
    """Print one thread, event by event, and with a manner what happens from now on."""
    shown = client.get(thread_path(thread_id))
    if terminal.as_json and manner is None:
        terminal.json(shown)
        return Exit.DONE
    mirror = Mirror.of(shown)
    if not terminal.as_json:
        count = len(shown["events"])
        head = Text(thread_id, style="bold")
        head.append(f"  {mirror.status}  {count} event{'' if count == 1 else 's'}", style="")
        terminal.show(head)
    show_events(terminal, shown)
    if manner is not None:
        return Watch(terminal, client, mirror, now).until_rest(manner, since=0)
    _show_open(terminal, mirror, now())
    return Exit.DONE


def _show_open(terminal: Terminal, mirror: Mirror, now: datetime) -> None:
    if mirror.request:
        standing = mirror.thread.standing
        terminal.show(cards.card(mirror.request, now, standing.grants, standing.nudges))
    elif mirror.question:
        terminal.show(cards.question(mirror.question))


def _table(rows: list[Json], *, narrow: bool) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for head, name in (("thread", "id"), ("status", "status")):
        widest = max(len(head), *(len(str(row[name])) for row in rows))
        table.add_column(head, no_wrap=True, min_width=widest)
    if not narrow:
        table.add_column("last", no_wrap=True, min_width=LAST)
        table.add_column("by", no_wrap=True, max_width=10, overflow="ellipsis")
    table.add_column("began with", no_wrap=True, overflow="ellipsis", ratio=1)
    for row in rows:
        table.add_row(*_cells(row, narrow=narrow))
    return table


def _cells(row: Json, *, narrow: bool) -> list[Text]:
    status = str(row["status"])
    cells = [Text(one_line(str(row["id"]))), Text(status, style=_style(status))]
    if not narrow:
        at = str(row.get("updated") or "")[5:16].replace("T", " ")
        cells += [Text(at), Text(_plain(row.get("by")))]
    return [*cells, Text(_plain(row.get("title")))]


def _plain(value: Any) -> str:
    return one_line(str(value or ""))


def _style(status: str) -> str:
    known = next((each for each in Status if each == status), None)
    return _STYLES.get(known, "cyan") if known else ""
