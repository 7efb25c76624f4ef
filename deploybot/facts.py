"""What plain code reads before a model asks for it: what is live, the newest commits and tags.

No I/O of its own: the deployer is given. When it is read, and how it is stored, is left to `agent`;
how a model is shown it, to `prompting`.
"""

from datetime import datetime
from typing import Any

from deploy.errors import DeployError
from deploybot.events import (
    AnswerRefused,
    ApprovalExpired,
    Cancelled,
    Finished,
    MailBounced,
    Message,
    MessageAltered,
    Paused,
    Resumed,
    ScheduleFired,
)
from deploybot.ports import Deployer, EnvironmentRow
from deploybot.thread import Thread

LISTED = 5
"""So many commits, and so many tags."""

_ENDS_A_TURN = Finished | Cancelled | ApprovalExpired
_BEGINS_A_TURN = Message | ScheduleFired
_CHANGES_NOTHING = AnswerRefused | Paused | Resumed | MailBounced | MessageAltered


def begins_a_turn(thread: Thread) -> bool:
    """Tell whether nothing but people's words has happened since the last turn ended."""
    for event in reversed(thread.events):
        if isinstance(event, _ENDS_A_TURN):
            return True
        if not isinstance(event, _BEGINS_A_TURN | _CHANGES_NOTHING):
            return False
    return True


def facts(deployer: Deployer, thread: Thread) -> dict[str, Any]:
    """Return the facts as plain JSON, of the service that was named or the first; {} without."""
    services, deployer = tuple(deployer.catalog.services), deployer.at_once()
    asked = thread.standing.asked.casefold()
    named = (service for service in services if service.casefold() in asked)
    service = next(named, services[0] if services else None)
    try:
        return {
            "live": rows(deployer.environments()),
            "commits": deployer.commits(service, None, LISTED),
            "tags": deployer.tags(service, LISTED),
        }
    except DeployError:
        return {}


def rows(environments: tuple[EnvironmentRow, ...]) -> list[dict[str, Any]]:
    """Return "what's live?" as plain JSON."""
    return [
        {
            "service": row.service,
            "environment": row.environment,
            "live": row.live.sha[:7] if row.live else None,
            "since": _time(row.live.since) if row.live else None,
            "verified": bool(row.live and row.live.verified),
            "held": row.hold.reason if row.hold else None,
            "running": row.operation is not None,
            "behind": row.behind,
            **_besides(row),
        }
        for row in environments
    ]


def _besides(row: EnvironmentRow) -> dict[str, Any]:
    """Return what is seldom so, and said only then: locks, lines, freezes, what cannot be told."""
    told: dict[str, Any] = {
        "by": ", ".join(row.asked_by),
        "held_by": row.hold.owner if row.hold else "",
        "held_until": _time(row.hold.expires) if row.hold and row.hold.expires else "",
        "only_warns": bool(row.hold and row.hold.warn_only),
        "line": len(row.line),
        "frozen": row.frozen,
        "problem": row.problem,
    }
    return {name: value for name, value in told.items() if value}


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
