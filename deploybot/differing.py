"""In what plans differ from those that were shown, in words for people."""

import json
from collections.abc import Iterator
from datetime import datetime

from deploy.plan import SHORT, Plan
from deploybot.approvals import ApprovalRequest


def differences(shown: Plan, now: Plan) -> tuple[str, ...]:
    """Return in words which deciding fields of a plan differ from what was shown."""
    before, after = shown.decides(), now.decides()
    return tuple(
        f"{field.replace('_', ' ')} {_short(before.get(field))} → {_short(after.get(field))}"
        for field in sorted(before.keys() | after.keys())
        if before.get(field) != after.get(field)
    )


def what_changed(
    shown: ApprovalRequest, plans: tuple[Plan, ...], start_at: datetime | None
) -> tuple[str, ...]:
    """Return in words in what the edited plans differ from those that were shown; () for in nothing."""
    return tuple(_changes(shown, plans, start_at))


def _changes(
    shown: ApprovalRequest, plans: tuple[Plan, ...], start_at: datetime | None
) -> Iterator[str]:
    before = {plan.service: plan for plan in shown.plans}
    now = {plan.service: plan for plan in plans}
    for service, plan in now.items():
        was = before[service]
        if was.sha != plan.sha:
            yield f"{service} {_named(was)} → {_named(plan)}"
        others = {"sha", "steps"} if was.sha != plan.sha else {"sha"}
        for name, one in zip(_fields(was, plan), differences(was, plan), strict=True):
            if name not in others:
                yield f"{service} {one}"
    for service in before.keys() - now.keys():
        yield f"{service} left out"
    kept = [service for service in before if service in now]
    if kept != list(now):
        yield f"order {', '.join(kept)} → {', '.join(now)}"
    if shown.start_at != start_at:
        yield f"start {_moment(shown.start_at)} → {_moment(start_at)}"


def _fields(was: Plan, now: Plan) -> list[str]:
    before, after = was.decides(), now.decides()
    return [name for name in sorted(before.keys() | after.keys()) if before[name] != after[name]]


def _named(plan: Plan) -> str:
    short = plan.sha[:SHORT]
    return short if plan.sha.startswith(plan.ref) else f"{plan.ref} ({short})"


def _moment(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC" if at else "at once"


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    if len(text) == 40 and all(c in "0123456789abcdef" for c in text):
        return text[:7]
    return text if len(text) <= 60 else f"{text[:57]}…"
