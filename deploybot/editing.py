"""What it means to edit an open request: who may, what they want instead, and what that changed.

Pure: the thread, the people and the time are given. What can be known without git or a network is
known here, at once; the rest when it is planned anew (`propose`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from deploy.catalog import Catalog
from deploy.errors import RefusedError
from deploy.locks import Hold
from deploy.moments import parse_start
from deploy.policy import Behalf
from deploy.refs import checked_name
from deploybot.answers import UNKNOWN_PERSON, refused_now
from deploybot.approvals import ApprovalRequest, Refusal, Rights, standing_of
from deploybot.closed import being_edited, closed_as
from deploybot.next_step import Change, Deploy, DeployTogether, Part, RollBack
from deploybot.ports import People
from deploybot.stopping import SERVICE
from deploybot.thread import Status, Thread

AT_ONCE = "now"
"""How people say that it is to start as soon as it is approved."""


@dataclass(frozen=True)
class Edit:
    """What one person wants an open request to be for instead, as their channel delivered it."""

    thread: str
    request_id: str
    digest: str
    by: str
    delivery: str
    parts: tuple[Part, ...] | None = None
    """Services and commits in the order in which they go live; None for those that it has."""
    start: str | None = None
    """When it is to start, `now` or "" for at once; None for when it does."""
    comment: str = ""
    channel: str = "api"


def judge_edit(  # noqa: PLR0911 - a reason each
    thread: Thread, edit: Edit, *, people: People, rights: Rights | Refusal, now: datetime
) -> Refusal | None:
    """Return why this person may not edit the request now, or None when they may.

    `rights` are what was looked up for it, or why nothing could be.
    """
    if people.get(edit.by) is None and not edit.by.startswith(SERVICE):
        return Refusal(reason_code="unknown_person", text=UNKNOWN_PERSON)
    standing = thread.standing
    request = standing.request
    if request is None or request.id != edit.request_id:
        return closed_as(thread, edit.request_id, people, said="edit")
    if standing.edit is not None:
        return being_edited(standing.edit, people, then="so your edit changed nothing")
    if standing.status is not Status.AWAITING_APPROVAL or request.rule.automatic:
        return closed_as(thread, edit.request_id, people, said="edit")
    if request.digest != edit.digest or request.sealed().digest != edit.digest:
        text = "What you saw is not what is open now, so nothing changed. Look at the newest card."
        return Refusal(reason_code="digest_mismatch", text=text)
    if now >= request.expires_at:
        text = (
            f"This request expired at {request.expires_at:%H:%M} UTC; nothing changed. Ask again."
        )
        return Refusal(reason_code="expired", text=text)
    if standing.paused:
        text = "The thread is paused, so nothing changed. Resume it first, and edit then."
        return Refusal(reason_code="closed", text=text)
    if isinstance(rights, Refusal):
        return rights
    return may_edit(request, edit.by, rights, escalated=standing.escalated)


def may_edit(
    request: ApprovalRequest,
    person: str,
    rights: Rights | None = None,
    *,
    escalated: bool = False,
) -> Refusal | None:
    """Return why `person` may not change what is asked for, or None: who asked and who approves may."""
    rights = rights or Rights.when_asked(request.rule)
    if (refusal := rights.refused.get(person)) is not None:
        return refusal
    approves = standing_of(request, person, rights, escalated=escalated) is not None
    if approves or person in request.requesters:
        return None
    asked, approvers = ", ".join(request.requesters), ", ".join(request.rule.everybody)
    return Refusal(
        reason_code="not_an_approver",
        text=f"You may not edit this request for {request.plan.environment}, so nothing changed. "
        f"Asked by {asked or 'nobody'}; approvers: {approvers or 'nobody'}.",
    )


def wanted(
    request: ApprovalRequest, edit: Edit, catalog: Catalog, now: datetime
) -> Change | Refusal:
    """Return the change that is wanted instead, or why that makes no sense."""
    given = edit.parts if edit.parts is not None else as_it_is(request)
    parts = tuple(Part(service=one.service, ref=one.ref.strip()) for one in given)
    start_at = request.start_at
    try:
        for part in parts:
            checked_name(part.ref)
        if edit.start is not None:
            start_at = _start(request, edit.start.strip(), catalog, now)
    except RefusedError as error:
        if error.reason_code == "time_refused":
            return Refusal(reason_code="time_refused", text=str(error))
        return Refusal(reason_code="ref_malformed", text=str(error))
    if misfit := _misfit(request, parts):
        return Refusal(reason_code="not_in_request", text=misfit)
    if _is_as_shown(request, parts) and start_at == request.start_at:
        return Refusal(reason_code="unchanged", text=AS_SHOWN)
    return _change(request, parts, start_at)


AS_SHOWN = "That is what the card shows already, so nothing changed: it is open as it was."


def against(
    request: ApprovalRequest,
    edit: Edit,
    step: Change,
    catalog: Catalog,
    holds: tuple[Hold, ...],
    now: datetime,
) -> tuple[str, str] | tuple[()]:
    """Return why the change may not be asked for now, as code and words, by what needs no network."""
    behalf = Behalf(
        requesters=with_editor(request, edit.by),
        asked_at=now,
        start_at=started_by(step, catalog, now),
    )
    services = {part.service for part in parts_of(step)}
    plans = tuple(plan for plan in request.plans if plan.service in services)
    refusal = refused_now(plans, behalf, catalog, holds, now)
    if refusal is None:
        return ()
    return refusal.reason_code, f"{refusal.message} The request is open as it was."


LEFT_OUT = "out"
"""The turn of a service that is left out."""


def parts_in_turn(
    request: ApprovalRequest, given: Mapping[int, tuple[str, str]]
) -> tuple[Part, ...] | Refusal:
    """Return the services in the order that a form gives them: number → ref and turn, "" for as it is.

    A turn is a number from 1, or `out`. Two services with one turn are refused: nobody guesses.
    """
    turns: dict[str, list[int]] = {}
    for number in range(len(request.plans)):
        turn = given.get(number, ("", ""))[1] or str(number + 1)
        if turn != LEFT_OUT:
            turns.setdefault(turn, []).append(number)
    clash = next((numbers for numbers in turns.values() if len(numbers) > 1), None)
    if clash:
        names = " and ".join(request.plans[number].service for number in clash)
        text = f"{names} have the same turn, so nothing changed: give each its own."
        return Refusal(reason_code="order_unclear", text=text)
    return tuple(
        Part(
            service=request.plans[number].service,
            ref=given.get(number, ("", ""))[0] or request.plans[number].ref,
        )
        for turn in sorted(turns, key=_rank)
        for number in turns[turn]
    )


def _rank(turn: str) -> tuple[int, str]:
    return (int(turn) if turn.isascii() and turn.isdigit() and len(turn) < 5 else 9999, turn)


def as_it_is(request: ApprovalRequest) -> tuple[Part, ...]:
    """Return the services and refs of a request, in its order."""
    return tuple(Part(service=plan.service, ref=plan.ref) for plan in request.plans)


def parts_of(step: Change) -> tuple[Part, ...]:
    """Return the services and refs of a step, "" for none that was named."""
    match step:
        case Deploy(service=service, ref=ref):
            return (Part(service=service, ref=ref),)
        case DeployTogether(parts=parts):
            return parts
        case RollBack(service=service, to=to):
            return (Part(service=service, ref=to or ""),)


def with_editor(request: ApprovalRequest, by: str) -> tuple[str, ...]:
    """Return who asks for the edited change: whoever did, and whoever changed it."""
    return tuple(dict.fromkeys((*request.requesters, by)))


def started_by(step: Change, catalog: Catalog, now: datetime) -> datetime | None:
    """Return when an edited change starts; None for at once. Raises RefusedError when that is past."""
    if isinstance(step, RollBack) or step.at is None:
        return None
    return parse_start(step.at, now, catalog.environments[step.environment].time_zone)


def written_start(request: ApprovalRequest, catalog: Catalog) -> str:
    """Return when the request starts as people write it in its environment; "" for at once."""
    if request.start_at is None:
        return ""
    zone = ZoneInfo(catalog.environments[request.plan.environment].time_zone)
    return f"{request.start_at.astimezone(zone):%Y-%m-%d %H:%M}"


def _start(request: ApprovalRequest, text: str, catalog: Catalog, now: datetime) -> datetime | None:
    if text.casefold() in ("", AT_ONCE):
        return None
    return parse_start(text, now, catalog.environments[request.plan.environment].time_zone)


def _misfit(request: ApprovalRequest, parts: tuple[Part, ...]) -> str:
    """Say what no edit can do; "" when this one is fine."""
    known = [plan.service for plan in request.plans]
    services = [part.service for part in parts]
    if not services:
        return "Leave at least one service in, or deny the request; nothing changed."
    strange = next((name for name in services if name not in known), None)
    if strange is not None:
        return (
            f"This request is about {', '.join(known)}, and not about {strange[:80]}: nothing "
            "changed. Ask for that in the thread."
        )
    twice = next((name for name in services if services.count(name) > 1), None)
    return f"{twice} can go live only once under one approval; nothing changed." if twice else ""


def _is_as_shown(request: ApprovalRequest, parts: tuple[Part, ...]) -> bool:
    """Tell whether the same commits are named, in the same order, by the same words or in full."""
    if len(parts) != len(request.plans):
        return False
    return all(
        part.service == plan.service and part.ref in (plan.ref, plan.sha)
        for part, plan in zip(parts, request.plans, strict=True)
    )


def _change(request: ApprovalRequest, parts: tuple[Part, ...], start_at: datetime | None) -> Change:
    environment = request.plan.environment
    first = parts[0]
    if request.plan.action == "roll_back":
        return RollBack(service=first.service, environment=environment, to=first.ref, reason="")
    # Whole and with its offset, so that it is the same moment whenever it is read.
    at = start_at.isoformat(sep=" ", timespec="minutes") if start_at else None
    if len(parts) == 1:
        return Deploy(
            service=first.service, ref=first.ref, environment=environment, reason="", at=at
        )
    return DeployTogether(
        parts=parts, environment=environment, reason="", at=at, in_this_order=True
    )
