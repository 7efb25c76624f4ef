"""What is told of requests: their cards, who is called to them, and what came of an edit."""

from deploybot import calls
from deploybot.approvals import Grant
from deploybot.events import (
    ApprovalDenied,
    ApprovalEscalated,
    ApprovalExpired,
    ApprovalGranted,
    ApprovalReminded,
    ApprovalRequested,
    ApprovalSuperseded,
    Cancelled,
    DeployFailed,
    DeployResolved,
    DeploySucceeded,
    EditRefused,
    EditRequested,
    Event,
    StepFailed,
)
from deploybot.outbox.reel import Reel
from deploybot.telling import Card, CardState, Said
from deploybot.votes import is_met, to_call


def about(reel: Reel, seq: int, event: Event) -> None:  # noqa: C901, PLR0912 - a case an event
    """Tell of a request that was made, answered or changed."""
    _about_calls(reel, seq, event)
    match event:
        case ApprovalRequested(request=request):
            reel.tell(Card(f"card:{request.id}", request, asked_at=event.at))
        case ApprovalGranted(request_id=request_id):
            card = reel.told.get(f"card:{request_id}")
            if isinstance(card, Card):
                grants = (*card.grants, Grant.of(event))
                enough = is_met(card.request, grants)
                approved = CardState.APPROVED
                if card.request.start_at is not None:
                    approved = CardState.SCHEDULED
                state = approved if enough else CardState.OPEN
                reel.card(request_id, grants=grants, state=state, at=event.at)
        case ApprovalDenied(request_id=request_id, feedback=feedback):
            reel.spoke(event.by)
            reel.card(request_id, state=CardState.DENIED, by=event.by, at=event.at, note=feedback)
        case ApprovalExpired(request_id=request_id):
            reel.card(request_id, state=CardState.EXPIRED, at=event.at)
        case StepFailed(intent="start", error=error):
            reel.close_approved(CardState.FAILED, event, f"never started: {error}")
        case Cancelled():
            reel.close_approved(CardState.CLOSED, event, "")
        case EditRequested(request_id=request_id):
            reel.card(request_id, editing=event.by)
        case EditRefused(request_id=request_id, reason_code=code, error=error):
            card = reel.told.get(f"card:{request_id}")
            if isinstance(card, Card):
                reel.card(request_id, editing="")
                reel.tell(_not_edited(seq, card.editing, code, error))
        case ApprovalSuperseded(request_id=request_id, edited_by=editor) if editor:
            reel.card(
                request_id,
                state=CardState.SUPERSEDED,
                editing=editor,
                by=editor,
                at=event.at,
                note="; ".join(event.changes),
            )
        case ApprovalSuperseded(request_id=request_id, changes=changes):
            note = f"What you saw has changed: {'; '.join(changes)}."
            reel.card(request_id, state=CardState.SUPERSEDED, at=event.at, note=note)
        case _:
            pass


def _about_calls(reel: Reel, seq: int, event: Event) -> None:
    """Tell who is called to a request: again, after others, or because one person was enough."""
    about = getattr(event, "request_id", "")
    card = reel.told.get(f"card:{about}")
    if not isinstance(card, Card):
        return
    match event:
        case ApprovalReminded(number=number):
            reel.card(about, reminders=number)
            whom = to_call(card.request, card.grants, escalated=card.escalated)
            reel.tell(calls.reminder(f"said:{seq}", card, whom))
        case ApprovalEscalated(to=to):
            reel.card(about, escalated=True)
            reel.tell(calls.escalation(f"said:{seq}", card, to))
        case ApprovalGranted(break_glass=reason) if reason:
            reel.tell(calls.broken_glass(f"said:{seq}", card, event.by, reason))
        case DeploySucceeded() | DeployFailed() | DeployResolved() if card.glass:
            last = event.part + 1 == len(card.request.plans)
            if last or not isinstance(event, DeploySucceeded):
                reel.tell(calls.review(f"review:{about}", card, card.glass))
        case _:
            pass


def _not_edited(seq: int, editor: str, code: str, error: str) -> Said:
    """Say in the thread why an edit came to nothing; whoever edited can act on it, and is pinged."""
    key = f"said:{seq}"
    if code == "unchanged":
        return Said(key, f"{editor} edited the request. {error}", by=editor)
    text = (
        f"{editor} edited the request, and that cannot be had: {error} The card is open as it was."
    )
    return Said(key, text, "warning", mention=(editor,), by=editor)
