"""What is told of deploys: that one runs, how it ended, and what its worker could not say."""

from typing import Any

from deploy.plan import Plan
from deploybot.approvals import ApprovalRequest, may_settle
from deploybot.events import (
    DeployFailed,
    DeployOutcomeUnknown,
    DeployResolved,
    DeployStarted,
    DeploySucceeded,
    Event,
)
from deploybot.outbox.reel import Reel
from deploybot.telling import Card, CardState, Said, Yours


def about(reel: Reel, seq: int, event: Event) -> None:
    """Tell of a deploy that began, or ended."""
    key = f"said:{seq}"
    match event:
        case DeployStarted(request_id=request_id, operation=operation):
            runs = {"operation": operation, "part": event.part, "link": ""}
            reel.card(request_id, state=CardState.DEPLOYING, **runs)
        case DeploySucceeded():
            _succeeded(reel, seq, event)
        case DeployFailed(request_id=request_id, step=step, error=error, live=live):
            note = f"{step}: {error}"
            state = CardState.FAILED
            reel.card(
                request_id,
                state=state,
                at=event.at,
                note=note,
                live=live,
                detail=event.tail,
                link=event.link,
            )
            whom = _may_settle(reel, request_id) if event.held else ()
            reel.tell(Said(key, _failed(reel, event), "bad", detail=event.tail, mention=whom))
        case DeployOutcomeUnknown(request_id=request_id, step=step, live=live):
            state = CardState.UNKNOWN
            told = {"at": event.at, "note": step, "live": live, "link": event.link}
            reel.card(request_id, state=state, **told)
            text = (
                f"A worker died during {step or 'the deploy'}; the outcome is not known. Nothing "
                "was run again, and nothing else starts there until a person settles it."
            )
            reel.tell(Said(key, text, "bad", mention=_may_settle(reel, request_id)))
        case DeployResolved(request_id=request_id, outcome=outcome, live=live):
            state = CardState.LIVE if outcome == "succeeded" else CardState.FAILED
            reel.card(request_id, state=state, at=event.at, by=event.by, live=live)
            card = reel.told.get(f"card:{request_id}")
            if isinstance(card, Card) and state is CardState.LIVE:
                plan = card.request.plans[event.part]
                reel.tell(Yours(f"yours:{request_id}:{event.part}", plan))
        case _:
            pass


def _succeeded(reel: Reel, seq: int, event: DeploySucceeded) -> None:
    """One of the request's changes is live: the last, or more are to follow."""
    key, card = f"said:{seq}", reel.told.get(f"card:{event.request_id}")
    if not isinstance(card, Card):
        return
    plans = card.request.plans
    plan = plans[event.part]
    went: dict[str, Any] = {"at": event.at, "live": event.sha, "link": event.link}
    went["seconds"] = card.seconds + event.seconds
    if event.part + 1 == len(plans):
        went |= {"state": CardState.LIVE, "part": event.part}
    else:
        went |= {"part": event.part + 1, "operation": ""}
        if card.stopping:  # what runs was too far to stop, what follows is not begun
            went |= {"state": CardState.CLOSED, "by": card.stopping}
    reel.card(event.request_id, **went)
    reel.opening_line(f"{plan.service} {event.sha[:7]} is live on {plan.environment}.")
    if plan.action == "roll_back" and plan.commits:
        reel.tell(Said(key, _taken_back(plan), "warning"))
    reel.tell(Yours(f"yours:{event.request_id}:{event.part}", plan))
    if event.recovered:
        reel.tell(Said(f"{key}:recovered", _recovered(plan), "warning"))


def _recovered(plan: Plan) -> str:
    """Say of a success that the target's journal had to tell it."""
    return (
        f"Nobody could say so when it ended: {plan.service} {plan.sha[:7]} is live on "
        f"{plan.environment}. The target's own journal told how it ended; nothing was run again."
    )


def _may_settle(reel: Reel, request_id: str) -> tuple[str, ...]:
    """Return who must look now: those who may say how a change ended that its worker died with."""
    card = reel.told.get(f"card:{request_id}")
    if not isinstance(card, Card):
        return ()
    rule = card.request.rule
    return tuple(one for one in rule.everybody if may_settle(card.request, one) is None)


def _taken_back(plan: Plan) -> str:
    total = max(plan.commits_total, len(plan.commits))
    what = "1 commit is" if total == 1 else f"{total} commits are"
    return (
        f"{what} no longer live on {plan.environment}: {plan.service} was rolled back to "
        f"{plan.sha[:7]}. Written by {_authors(plan)}."
    )


MOST_AUTHORS = 10
"""So many authors of what was rolled back are named; they are called by nothing here."""


def _authors(plan: Plan) -> str:
    """Name the authors of what was taken back, each once, the newest first."""
    names = tuple(dict.fromkeys(commit.author for commit in plan.commits))
    more = f" and {len(names) - MOST_AUTHORS} more" if len(names) > MOST_AUTHORS else ""
    return f"{', '.join(names[:MOST_AUTHORS])}{more}"


def _failed(reel: Reel, event: DeployFailed) -> str:
    live = f"{event.live[:7]} is live." if event.live else "Nothing is live there."
    card = reel.told.get(f"card:{event.request_id}")
    if isinstance(card, Card) and len(card.request.plans) > 1:
        live = f"{live} {_and_the_others(card.request, event.part)}"
    if not event.began:
        return f"Approved, but never started: {event.error} {live} Approve again to deploy."
    held = ""
    if event.held and isinstance(card, Card):
        plan = card.request.plans[event.part]
        where = f"{plan.service} on {plan.environment}"
        held = (
            f" {where} is held: only a roll back goes there until an approver has looked and frees it: "
            f"“unlock {where}”."
        )
    return f"Deploy failed at {event.step}: {event.error} {live}{held}"


def _and_the_others(request: ApprovalRequest, part: int) -> str:
    """Say which changes of the same approval are live, and which were not begun."""
    done = [f"{plan.service} {plan.sha[:7]}" for plan in request.plans[:part]]
    left = [plan.service for plan in request.plans[part + 1 :]]
    said = [f"Live under the same approval: {', '.join(done)}." if done else ""]
    said.append(f"Not begun: {', '.join(left)}." if left else "")
    return " ".join(filter(None, said))
