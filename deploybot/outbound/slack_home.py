"""How the app's own page looks in Slack: what waits, what is live, what is locked; publishing is others'."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from deploy.locks import Hold
from deploybot.outbound.slack_places import environments, held
from deploybot.outbound.slack_text import escape, line, moment
from deploybot.ports import EnvironmentRow, People, Person

Json = dict[str, Any]
MOST_WAITING = 15
MOST_LOCKS = 15
MOST_PLACES = 20
TEXT = 2900

STRANGER = (
    "I do not know you here: you may ask for deploys, and cannot approve any. Whoever runs me can "
    "add your member id under `[people]` in `deploybot.toml`."
)


@dataclass(frozen=True)
class Waits:
    """Something that stands open: what is asked, until when, and where to answer it."""

    asks: str
    title: str
    mine: bool
    until: datetime | None = None
    card: str = ""
    """Address of its card in Slack; "" when there is none."""
    page: str = ""


@dataclass(frozen=True)
class Shown:
    """All that one person's page is drawn from."""

    person: Person | None
    waiting: tuple[Waits, ...]
    rows: tuple[EnvironmentRow, ...]
    holds: tuple[Hold, ...]
    at: datetime | None
    """When the places were looked at; None for never."""
    url: str = ""
    """Address of the pages in the browser."""


def home(shown: Shown, people: People, *, stamped: bool = True) -> Json:
    """Return the view; `stamped` with when the places were looked at."""
    mine = [one for one in shown.waiting if one.mine]
    others = [one for one in shown.waiting if not one.mine]
    blocks: list[Json] = []
    if shown.person is None:
        blocks += [_text(STRANGER), {"type": "divider"}]
    blocks += [_heading("Waits for you"), *_list(mine, "Nothing waits for you.")]
    if others:
        blocks += [_heading("Waits for others"), *_list(others, "")]
    blocks += [_heading("What is live"), *_places(shown, people)]
    blocks.append(_heading("Locked and held"))
    locks = [held(one, people) for one in shown.holds]
    blocks.append(_text(_lines(locks, MOST_LOCKS) or "Nothing is locked or held."))
    blocks.append(_foot(shown, stamped=stamped))
    return {"type": "home", "blocks": blocks}


def digest(shown: Shown, people: People) -> str:
    """Return what tells this page from another; when the places were looked at makes no other."""
    view = home(shown, people, stamped=False)
    return hashlib.sha256(json.dumps(view, sort_keys=True).encode()).hexdigest()[:16]


def _list(waiting: Sequence[Waits], nothing: str) -> list[Json]:
    if not waiting:
        return [_text(nothing)]
    found = [_waits(one) for one in waiting[:MOST_WAITING]]
    more = len(waiting) - MOST_WAITING
    return [*found, _small(f"And {more} more.")] if more > 0 else found


def _waits(one: Waits) -> Json:
    until = f" · until {moment(one.until)}" if one.until else ""
    links = " · ".join(
        f"<{url}|{says}>" for url, says in ((one.card, "Card"), (one.page, "Page")) if url
    )
    about = escape(line(one.title, 200), 400)
    small = f"{about}{until}" + (f" · {links}" if links else "")
    return _text(f"*{escape(line(one.asks, 300), 600)}*\n{small}")


def _places(shown: Shown, people: People) -> list[Json]:
    if shown.at is None:
        return [_text("Nobody has looked yet; it is filled in within a minute or two.")]
    found = environments(shown.rows, people)
    if not found:
        return [_text("No environment is configured.")]
    return [
        _text(f"*{escape(name, 80)}*\n{_lines(rows, 40)}")
        for name, rows in list(found.items())[:MOST_PLACES]
    ]


def _foot(shown: Shown, *, stamped: bool) -> Json:
    parts = []
    if shown.at is not None and stamped:
        parts.append(f"Seen at {moment(shown.at)}; drawn anew when it changes")
    parts.append("`/deploybot help` says what you can write")
    if shown.url:
        parts.append(f"<{shown.url}|All threads>")
    return _small(" · ".join(parts))


def _lines(rows: Sequence[str], most: int) -> str:
    """Return as many whole lines as fit."""
    kept: list[str] = []
    for row in rows[:most]:
        if sum(map(len, kept)) + len(kept) + len(row) > TEXT:
            break
        kept.append(row)
    more = len(rows) - len(kept)
    return "\n".join([*kept, f"… and {more} more"] if more > 0 else kept)


def _heading(text: str) -> Json:
    return {"type": "header", "text": {"type": "plain_text", "text": text}}


def _text(text: str) -> Json:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}}


def _small(text: str) -> Json:
    mark = {"type": "mrkdwn", "text": text, "verbatim": True}
    return {"type": "context", "elements": [mark]}
