"""The open request as an approver sees it on a page: every fact of it, and what they may do.

All of it comes from the request itself, from the events about it, and from the side stream of what
runs; who may answer is `approvals`' to say.
"""

import shlex
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from deploy.catalog import Catalog
from deploy.plan import SHORT, Plan
from deploybot import waiting
from deploybot.approvals import (
    ApprovalRequest,
    Grant,
    may_answer,
    may_break_glass,
    may_settle,
)
from deploybot.editing import may_edit, written_start
from deploybot.events import (
    ApprovalGranted,
    ApprovalRequested,
    DeployFailed,
    DeployOutcomeUnknown,
    DeployResolved,
    DeployStarted,
    DeploySucceeded,
    Event,
)
from deploybot.nudges import Nudges
from deploybot.ports import People, Person
from deploybot.thread import Status, Thread
from deploybot.votes import is_met

LOG = 200
"""Newest lines of a running deploy that are shown."""
Progress = Callable[[str], Sequence[dict[str, Any]]]
"""An operation's id → what it has told so far."""


@dataclass(frozen=True)
class Step:
    """One step of a plan; `state` is planned, running, done or failed."""

    name: str
    says: str
    command: str
    state: str
    seconds: float | None = None


@dataclass(frozen=True)
class Part:
    """One change of a request, and how far it is; `state` is planned, running, live, failed or unknown."""

    plan: Plan
    state: str
    steps: tuple[Step, ...]
    log: tuple[str, ...] = ()
    seconds: float = 0.0
    error: str = ""


@dataclass(frozen=True)
class CardView:
    """A request for one reader. `why_not` says why they may not answer; "" when they may."""

    request: ApprovalRequest
    heading: str
    parts: tuple[Part, ...]
    grants: tuple[Grant, ...]
    approved: tuple[tuple[str, datetime], ...]
    """Who approved, and for whom, and when."""
    glass: str
    """Why somebody approved alone, in an emergency; "" when nobody did."""
    is_met: bool
    may: tuple[str, ...]
    """Names of those who can still answer."""
    needed: str = ""
    """How many more are needed and from which groups; "" for any one."""
    nudges: Nudges | None = None
    """When people are called again, while it is open."""
    may_break_glass: bool = False
    """Whether this reader may approve alone in an emergency."""
    asked: str = ""
    """The words that led to it, where they say more than the heading."""
    confirm: tuple[str, ...] = ()
    """What whoever approves confirms on its own, a sentence each."""
    why_not: str = ""
    needs_sign_in: bool = False
    """Whether this reader may approve only once they have signed in again."""
    may_settle: bool = False
    may_edit: bool = False
    start: str = ""
    """When it starts, as people write it where it does; "" for at once."""
    zone: str = "UTC"


def card(
    thread: Thread,
    request: ApprovalRequest,
    *,
    reader: Person,
    people: People,
    is_fresh: bool,
    catalog: Catalog,
    progress: Progress,
) -> CardView:
    """Return one request of the thread as this reader is to see it."""
    about = [e for e in thread.events if getattr(e, "request_id", None) == request.id]
    grants = tuple(Grant.of(e) for e in about if isinstance(e, ApprovalGranted))
    given = {grant.by for grant in grants}
    standing = thread.standing
    is_open = standing.request is not None and standing.request.id == request.id
    escalated = is_open and standing.escalated
    refusal = may_answer(request, reader.id, escalated=escalated)
    known = request.plan.environment in catalog.environments
    mine = "You have approved this; somebody else must, too." if reader.id in given else ""
    return CardView(
        request=request,
        heading=heading(request),
        parts=tuple(_parts(request, about, progress)),
        grants=grants,
        approved=tuple((waiting.approved_by(request, one, people.name), one.at) for one in grants),
        glass=next((one.break_glass for one in grants if one.break_glass), ""),
        is_met=is_met(request, grants),
        may=tuple(
            waiting.named(one, people.name)
            for one in waiting.able(request, grants, escalated=escalated)
        ),
        needed=waiting.needed(request, grants),
        nudges=standing.nudges if is_open else None,
        may_break_glass=may_break_glass(request, reader.id) is None,
        asked=request.asked if says_more(request) else "",
        confirm=to_confirm(request),
        why_not=refusal.text if refusal else mine,
        needs_sign_in=not is_fresh and needs_fresh_sign_in(request, catalog),
        may_settle=may_settle(request, reader.id) is None,
        may_edit=not request.rule.automatic and may_edit(request, reader.id) is None,
        start=written_start(request, catalog) if known else "",
        zone=catalog.environments[request.plan.environment].time_zone if known else "UTC",
    )


_WITH_A_CARD = (
    Status.AWAITING_APPROVAL,
    Status.EDITING,
    Status.APPROVED,
    Status.DEPLOYING,
    Status.OUTCOME_UNKNOWN,
)


def open_card(thread: Thread) -> ApprovalRequest | None:
    """Return the request that the thread stands at, if any."""
    return thread.standing.request if thread.standing.status in _WITH_A_CARD else None


def request_in(events: Iterable[Event], request_id: str) -> ApprovalRequest | None:
    """Return a request that was made in the thread."""
    made = (e.request for e in events if isinstance(e, ApprovalRequested))
    return next((request for request in made if request.id == request_id), None)


def heading(request: ApprovalRequest) -> str:
    """Return what would happen, in a line."""
    plan = request.plan
    services = " and ".join(dict.fromkeys(each.service for each in request.plans))
    if plan.action == "roll_back":
        return f"Roll back {services} on {plan.environment}"
    return f"Deploy {services} to {plan.environment}"


def to_confirm(request: ApprovalRequest) -> tuple[str, ...]:
    """Return what whoever approves must confirm on its own, each sentence once."""
    return tuple(dict.fromkeys(one for plan in request.plans for one in plan.confirm))


def says_more(request: ApprovalRequest) -> bool:
    """Tell whether the words that led to it say more than its heading does."""
    plain = {"sha", "to", "on", "deploy", "roll", "back", "and", "please", request.plan.environment}
    for plan in request.plans:
        plain |= {plan.service, plan.sha[:SHORT], plan.sha, plan.ref}
    return bool(set(request.asked.casefold().split()) - plain)


def needs_fresh_sign_in(request: ApprovalRequest, catalog: Catalog) -> bool:
    """Tell whether approving it takes somebody who signed in just now."""
    table = catalog.environments.get(request.plan.environment)
    return table is None or table.fresh_sign_in


def _parts(request: ApprovalRequest, about: list[Event], progress: Progress) -> Iterable[Part]:
    for number, plan in enumerate(request.plans):
        events = [e for e in about if getattr(e, "part", None) == number]
        started = next((e for e in events if isinstance(e, DeployStarted)), None)
        told = progress(started.operation) if started else ()
        state, seconds, error = _end(started, events)
        yield Part(
            plan=plan,
            state=state,
            steps=tuple(_steps(plan, told, state)),
            log=tuple(str(e.get("text", "")) for e in told if e.get("kind") == "log")[-LOG:],
            seconds=seconds,
            error=error,
        )


def _end(started: DeployStarted | None, events: list[Event]) -> tuple[str, float, str]:
    state, seconds, error = ("running" if started else "planned"), 0.0, ""
    for event in events:
        match event:
            case DeploySucceeded():
                state, seconds = "live", event.seconds
            case DeployFailed():
                state, error = "failed", event.error
            case DeployOutcomeUnknown():
                state = "unknown"
            case DeployResolved(outcome=outcome):
                state = "live" if outcome == "succeeded" else "failed"
            case _:
                pass
    return state, seconds, error


def _steps(plan: Plan, told: Sequence[dict[str, Any]], state: str) -> Iterable[Step]:
    ended = {str(e.get("name")): e for e in told if e.get("kind") == "step"}
    begun = {str(e.get("name")) for e in told if e.get("kind") == "started"}
    for step in plan.steps:
        end = ended.get(step.name)
        if end is not None:
            now = "done" if end.get("ok", True) else "failed"
        elif state == "running" and step.name in begun:
            now = "running"
        else:
            now = "done" if state == "live" else "planned"
        yield Step(
            name=step.name,
            says=step.says,
            command=shlex.join(step.argv) if step.argv else "",
            state=now,
            seconds=float(end.get("seconds") or 0) if end else None,
        )
