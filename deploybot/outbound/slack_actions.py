"""What people can do about a request on its card: its buttons, and what they ask before they send."""

from collections.abc import Sequence
from datetime import UTC, datetime

from deploy.plan import SHORT
from deploybot.approvals import ApprovalRequest, may_settle
from deploybot.inbound.slack_buttons import (
    APPROVE,
    BREAK_GLASS,
    DENY,
    EDIT,
    IT_FAILED,
    IT_IS_LIVE,
    STOP,
)
from deploybot.outbound.slack_anchored import reference
from deploybot.outbound.slack_facts import small
from deploybot.outbound.slack_parts import title
from deploybot.outbound.slack_rich import Json
from deploybot.outbound.slack_text import escape, line
from deploybot.ports import People
from deploybot.telling import Card, CardState

ANSWERS = ((APPROVE, "Approve", "primary"), (DENY, "Deny", "danger"), (EDIT, "Edit…", ""))
GLASS = ((BREAK_GLASS, "Break the glass…", ""),)
WHILE_EDITED = ((DENY, "Deny", "danger"),)
OUTCOMES = ((IT_IS_LIVE, "It is live", "primary"), (IT_FAILED, "It failed", "danger"))
NEVER_MIND = ((DENY, "Stop it", "danger"),)
HALT = ((STOP, "Stop", "danger"),)
"""Buttons: action id, label, style."""


def actions(card: Card, people: People) -> list[Json]:
    """Return what people can do about the request as it stands."""
    request = card.request
    match card.state:
        case CardState.OPEN if not request.rule.automatic:
            glass = GLASS if request.rule.break_glass else ()
            offered = WHILE_EDITED if card.editing else (*ANSWERS, *glass)
            return [_buttons(request, "answer", offered)]
        case CardState.SCHEDULED:
            return [_buttons(request, "answer", NEVER_MIND)]
        case CardState.DEPLOYING if not card.stopping:
            return [_buttons(request, "stop", HALT)]
        case CardState.UNKNOWN:
            able = small(f"May settle it, after a look: {_may_settle(request, people)}")
            return [able, _buttons(request, "settle", OUTCOMES)]
        case _:
            return []


def _buttons(request: ApprovalRequest, block: str, buttons: Sequence[tuple[str, str, str]]) -> Json:
    about = reference(request)
    label = line(f"{title(*request.plans)}, {request.plan.sha[:SHORT]}", 60)
    return {
        "type": "actions",
        "block_id": f"{block}:{request.id}",
        "elements": [
            {
                "type": "button",
                "action_id": action,
                **({"style": style} if style else {}),
                "text": _plain(says),
                "value": about,
                "accessibility_label": f"{says}: {label}",
                **_asked_twice(request, action),
            }
            for action, says, style in buttons
        ],
    }


def _asked_twice(request: ApprovalRequest, action: str) -> dict[str, Json]:
    """Return the dialog that asks once more: before a stop, and where more is to be confirmed."""
    said = list(dict.fromkeys(one for plan in request.plans for one in plan.confirm))
    what, yes, no = f"{title(*request.plans)}?", "Approve", "Not now"
    if action == STOP:
        what, yes, no = "Stop this deploy?", "Stop it", "Let it run"
        said = [f"{title(*request.plans)} ends at its next safe step. What is live by then stays."]
    elif action != APPROVE or not said:
        return {}
    elif request.start_at is not None:
        said.insert(0, f"It starts {_written(request.start_at)}.")
    confirm = {
        "title": _plain(line(what, 100)),
        "text": _plain(line(" ".join(said), 300)),
        "confirm": _plain(yes),
        "deny": _plain(no),
        "style": "danger",
    }
    return {"confirm": confirm}


def _written(at: datetime) -> str:
    """Return a time as plain text, which Slack shows in nobody's own zone."""
    at = at.astimezone(UTC)
    return f"on {at.day} {at:%B at %H:%M} UTC"


def _may_settle(request: ApprovalRequest, people: People) -> str:
    """Mention those who may say how it ended."""
    able = [one for one in people.known if may_settle(request, one.id) is None]
    shown = [f"<@{one.slack}>" if one.slack else escape(one.name, 80) for one in able[:10]]
    more = f" +{len(able) - 10} more" if len(able) > 10 else ""
    return (", ".join(shown) or "nobody") + more


def _plain(text: str) -> Json:
    return {"type": "plain_text", "text": text, "emoji": False}
