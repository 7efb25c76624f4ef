"""What is live where, and what is held, in lines of Slack's mark-up; which of it is shown is others' to say."""

from collections.abc import Sequence
from datetime import datetime

from deploy.locks import Hold
from deploy.plan import SHORT
from deploybot.outbound.slack_text import code, escape, moment
from deploybot.ports import EnvironmentRow, People

_WHEN = "{date_short_pretty} {time}"


def environments(rows: Sequence[EnvironmentRow], people: People) -> dict[str, list[str]]:
    """Return, by environment, a line for each of its services."""
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault(row.environment, []).append(_line(row, people))
    return found


def held(hold: Hold, people: People) -> str:
    """Return who holds what, why and until when."""
    where = escape(f"{hold.service or 'everything'} on {hold.environment}", 200)
    who = "after a roll back" if hold.made_by == "rollback" else f"by {_name(hold.owner, people)}"
    until = f", until {moment(hold.expires, _WHEN)}" if hold.expires else ""
    warns = " (a warning only)" if hold.warn_only else ""
    return f"🔒 *{where}* {who}{until}{warns}: {escape(hold.reason, 300)}"


def current(holds: Sequence[Hold], now: datetime) -> tuple[Hold, ...]:
    """Return those that have not run out."""
    return tuple(hold for hold in holds if hold.expires is None or now < hold.expires)


def _line(row: EnvironmentRow, people: People) -> str:
    service = f"*{escape(row.service, 80)}*"
    if row.problem:
        return f"❓ {service}: cannot be told now. {escape(row.problem, 200)}"
    if row.live is None:
        return f"▫️ {service}: nothing is live{_standing(row, people)}"
    sign = "🟢" if row.live.verified else "⚪"
    since = f"since {moment(row.live.since, _WHEN)}"
    tested = "" if row.live.verified else ", not tested"
    behind = f", {row.behind} behind" if row.behind else ""
    what = f"{code(row.live.sha[:SHORT])} {since}{tested}{behind}"
    return f"{sign} {service} {what}{_standing(row, people)}"


def _standing(row: EnvironmentRow, people: People) -> str:
    """Return what stands in the way there, or goes on."""
    parts = []
    if row.operation is not None:
        parts.append("a change runs")
    if row.line:
        parts.append(f"{len(row.line)} in line")
    if row.hold is not None and row.hold.made_by == "person":
        parts.append(f"locked by {_name(row.hold.owner, people)}")
    elif row.hold is not None:
        parts.append("held after a roll back")
    if row.frozen:
        parts.append(f"frozen: {escape(row.frozen, 120)}")
    return "".join(f" · {part}" for part in parts)


def _name(person: str, people: People) -> str:
    return escape(people.name(person), 80)
