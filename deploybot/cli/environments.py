"""`environments`: what is live where, since when, and what stands in the way, as the API tells it."""

from collections.abc import Iterator
from datetime import datetime

from rich.console import Group
from rich.table import Table
from rich.text import Text

from deploy.plan import SHORT
from deploybot.cli.client import Client, Json
from deploybot.cli.exits import Exit
from deploybot.cli.terminal import Terminal, one_line
from deploybot.phrases import duration

NARROW = 60
"""Columns below which each service has lines of its own instead of a row."""

OLD = 120
"""Seconds after which it is said how old all this is."""


def environments(terminal: Terminal, client: Client, wanted: str, now: datetime) -> int:
    """Print what is live, for all environments or one."""
    answer = client.get("/api/environments")
    rows = [row for row in answer["environments"] if wanted in ("", row["environment"])]
    if terminal.as_json:
        terminal.json({**answer, "environments": rows})
        return Exit.DONE
    if not answer["environments"]:
        terminal.note("Workers have not looked yet what is live; look whether they run.")
        return Exit.REFUSED
    if not rows:
        names = ", ".join(dict.fromkeys(str(row["environment"]) for row in answer["environments"]))
        terminal.note(f"There is no such environment. There are: {names}.")
        return Exit.REFUSED
    narrow = terminal.out.width < NARROW
    terminal.show(_lines(rows, now) if narrow else _table(rows, now))
    for note in _notes(rows, now):
        terminal.show(note)
    _say_age(terminal, answer.get("at"), now)
    return Exit.DONE


def _table(rows: list[Json], now: datetime) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("environment", no_wrap=True, overflow="ellipsis", max_width=16)
    table.add_column("service", no_wrap=True, overflow="ellipsis", max_width=16)
    for name in ("live", "for", "tested", "behind"):
        table.add_column(name, no_wrap=True)
    table.add_column("", no_wrap=True)
    before = ""
    for row in rows:
        name = str(row["environment"])
        cells = (_live(row), _since(row, now), _tested(row), _behind(row), _mark(row))
        first = Text("" if name == before else one_line(name), style="bold")
        table.add_row(first, Text(one_line(str(row["service"]))), *cells)
        before = name
    return table


def _lines(rows: list[Json], now: datetime) -> Group:
    """Return two short lines a service, for a terminal no wider than a phone."""
    lines: list[Text] = []
    before = ""
    for row in rows:
        name = str(row["environment"])
        if name != before:
            lines.append(Text(one_line(name), style="bold"))
        head = Text(f"  {one_line(str(row['service']))} ").append_text(_live(row))
        lines.append(head.append(" ").append_text(_mark(row)))
        facts = [_since(row, now).plain, _tested(row).plain]
        facts += [f"{_behind(row).plain} behind"] if row.get("behind") else []
        lines.append(Text(f"    {' · '.join(filter(None, facts))}", style="dim"))
        before = name
    return Group(*lines)


def _notes(rows: list[Json], now: datetime) -> Iterator[Text]:
    """Yield a line for whatever stands in the way somewhere."""
    for row in rows:
        where = f"{one_line(str(row['service']))} on {one_line(str(row['environment']))}"
        hold, operation, line = row.get("hold"), row.get("operation"), row.get("line")
        if hold:
            until = _until(hold, now)
            owner, reason = one_line(str(hold["owner"])), one_line(str(hold["reason"]))
            only = " (deploys go on)" if hold.get("warn_only") else ""
            because = f": {reason}" if reason else ""
            yield Text(f"🔒 {where} is held by {owner}{until}{only}{because}", style="yellow")
        if operation:
            yield Text(f"▶ {where} is being changed by {operation['thread']}", style="cyan")
        if line:
            yield Text(f"… {where} is waited for by {', '.join(map(str, line))}", style="cyan")


def _live(row: Json) -> Text:
    live = row.get("live")
    return Text(str(live["sha"])[:SHORT], style="green") if live else Text("nothing", style="dim")


def _since(row: Json, now: datetime) -> Text:
    live = row.get("live")
    if not live:
        return Text("")
    seconds = (now - datetime.fromisoformat(str(live["since"]))).total_seconds()
    return Text(duration(max(0.0, seconds)))


def _tested(row: Json) -> Text:
    live = row.get("live")
    if not live:
        return Text("")
    return Text("tested", style="green") if live["verified"] else Text("not tested", style="dim")


def _behind(row: Json) -> Text:
    behind = row.get("behind")
    return Text("?" if behind is None else str(behind), style="" if behind else "dim")


def _mark(row: Json) -> Text:
    marks = ["held"] if row.get("hold") else []
    marks += ["changing"] if row.get("operation") else []
    return Text(", ".join(marks), style="yellow")


def _until(hold: Json, now: datetime) -> str:
    if not hold.get("expires"):
        return ""
    left = (datetime.fromisoformat(str(hold["expires"])) - now).total_seconds()
    return f" for another {duration(left)}" if left > 0 else ""


def _say_age(terminal: Terminal, at: object, now: datetime) -> None:
    """Say so when workers have not looked for long."""
    if not at:
        return
    age = (now - datetime.fromisoformat(str(at))).total_seconds()
    if age > OLD:
        terminal.note(f"Workers looked {duration(age)} ago; look whether they run.", "yellow")
