"""What happened in a thread, folded into the situation that the planner decides on.

Pure. What people's words do is worked out in `hearing`.
"""

import re
from dataclasses import replace
from typing import Any

from deploybot.approvals import ApprovalRequest
from deploybot.events import (
    Answered,
    ApiMessageReceived,
    ApprovalDenied,
    ApprovalExpired,
    ApprovalRequested,
    Cancelled,
    DeployFailed,
    DeployResolved,
    DeploySucceeded,
    EmailReceived,
    Event,
    Finished,
    HandedOver,
    QuestionAsked,
    ReadReturned,
    ScheduleFired,
    SlackMessageReceived,
    StepChosen,
    StepFailed,
    TestsFailed,
    Woke,
)
from deploybot.models.offline import hearing, words
from deploybot.models.offline.situation import Failure, Situation
from deploybot.models.offline.wish import Wish, begun
from deploybot.next_step import Deploy, DeployTogether, NextStep, RollBack
from deploybot.ports import Prompt

ROLLBACK = "rollback"


def of(prompt: Prompt) -> Situation:
    """Return where the prompt's thread stands."""
    now = Situation(prompt.services, prompt.environments, prompt.agent)
    for event in prompt.thread.events:
        now = _after(now, event)
    return now


def _after(now: Situation, event: Event) -> Situation:  # noqa: C901, PLR0911, PLR0912 - a case an event
    match event:
        case SlackMessageReceived(text=text) | ApiMessageReceived(text=text):
            return hearing.heard(now, words.read(text, now.services, now.environments))
        case ScheduleFired(text=text):
            return hearing.heard(now, words.read(text, now.services, now.environments))
        case EmailReceived():
            return hearing.heard_mail(now, event)
        case HandedOver():
            return _handed_over(now, event)
        case QuestionAsked():
            return replace(now, question=event)
        case Answered(answer=answer):
            return hearing.answered(now, answer)
        case ApprovalRequested(request=request):
            asked = replace(now, requests={**now.requests, request.id: request}, failure=None)
            return _left_out(asked, request)
        case ApprovalDenied(request_id=request_id, feedback=feedback):
            return hearing.denied(now, request_id, feedback)
        case StepChosen():
            return replace(now, chosen=event)
        case StepFailed():
            return _step_failed(now, event)
        case ReadReturned(result=result) if now.chosen is not None:
            return _returned(now, now.chosen.step, result)
        case DeploySucceeded(request_id=request_id, sha=sha, part=part):
            return _went_live(now, request_id, sha, part)
        case DeployResolved(request_id=request_id, outcome="succeeded", live=live, part=part):
            return _went_live(now, request_id, live or "", part)
        case DeployFailed() | DeployResolved():
            failed = now.requests.get(event.request_id)
            return replace(now, failed=(failed, event)) if failed else now
        case TestsFailed():
            return replace(now, tests=event)
        case Woke():
            return replace(now, waited=True, denied=None)
        case Finished() | Cancelled() | ApprovalExpired():
            ended = Situation(now.services, now.environments, now.agent)
            return replace(ended, before=now.wish or now.before, requests=now.requests)
        case _:
            return now


# -- handed over -------------------------------------------------------------------


def _handed_over(now: Situation, event: HandedOver) -> Situation:
    said = replace(words.read(event.text, now.services, now.environments), suspects=())
    now = now.fresh(said)
    if event.agent == ROLLBACK:
        where = (now.tests.environment,) if now.tests else said.environments
        services = _to_roll_back(now, event.text)
        return now.wishing(Wish("roll_back", services, where, words=event.text))
    wish = begun(said, now.services, None) or Wish("deploy", words=event.text)
    wish = replace(wish, together=False)  # nobody asked for all of it at once
    now = now.wishing(wish)
    if wish.services or not wish.environments:
        return now
    return _everything_not_live(now, wish, _rows(event.context, wish.environments[0]))


def _everything_not_live(now: Situation, wish: Wish, rows: dict[str, str]) -> Situation:
    """Wish for all services of the environment, the last of the catalog first."""
    services = tuple(service for service in reversed(now.services) if not rows or service in rows)
    sha = wish.ref.name if wish.ref and wish.ref.kind == "exact" else ""
    already = {
        (service, wish.environments[0]): rows[service]
        for service in services
        if sha and _same_commit(rows.get(service, ""), sha)
    }
    return replace(now, wish=replace(wish, services=services), already=already)


def _to_roll_back(now: Situation, text: str) -> tuple[str, ...]:
    """Return the services whose tests failed, else all that went live here; the latest first."""
    tests = now.tests
    went_live = tuple(dict.fromkeys(service for service, _ in reversed(now.done)))
    candidates = went_live or tuple(s for s in now.services if tests is None or s in tests.live)
    told = "\n".join((tests.summary, *tests.tail)) if tests else text
    named = tuple(service for service in candidates if _names(told, service))
    return named or went_live


def _names(text: str, service: str) -> bool:
    pattern = rf"(?<![a-z0-9]){re.escape(service)}(?![a-z0-9])"
    return re.search(pattern, text.casefold()) is not None


def _rows(context: Any, environment: str) -> dict[str, str]:
    """Return what was live there at the hand-over: service → short SHA, or ""."""
    rows = context.get("live") if isinstance(context, dict) else None
    return {
        str(row.get("service")): str(row.get("live") or "")
        for row in (rows if isinstance(rows, list) else [])
        if isinstance(row, dict) and row.get("environment") == environment
    }


def _same_commit(one: str, other: str) -> bool:
    one, other = one.casefold(), other.casefold()
    return min(len(one), len(other)) >= 7 and (one.startswith(other) or other.startswith(one))


# -- what became of a step ---------------------------------------------------------


def _returned(now: Situation, step: NextStep, result: Any) -> Situation:
    settled = now.failure is not None and now.failure.step == step
    failure = None if settled else now.failure
    return replace(now, reads=(*now.reads, (step, result)), failure=failure)


def _went_live(now: Situation, request_id: str, sha: str, part: int) -> Situation:
    request = now.requests.get(request_id)
    if request is None or part >= len(request.plans):
        return now
    plan = request.plans[part]
    item = (plan.service, plan.environment)
    earlier = {other: live for other, live in now.done.items() if other != item}
    return replace(now, done={**earlier, item: sha}, denied=None, failed=None, failure=None)


def _left_out(now: Situation, request: ApprovalRequest) -> Situation:
    """Take in what a proposal of several leaves out: those are live at that commit already."""
    step = now.chosen.step if now.chosen else None
    if not isinstance(step, DeployTogether):
        return now
    shown = {plan.service for plan in request.plans}
    live = {
        (part.service, step.environment): part.ref
        for part in step.parts
        if part.service not in shown
    }
    return replace(now, already={**now.already, **live})


def _step_failed(now: Situation, event: StepFailed) -> Situation:
    step = now.chosen.step if now.chosen else None
    if step is None or event.code == "model_unavailable":
        return now
    if event.code == "already_live" and isinstance(step, Deploy | RollBack):
        item = (step.service, step.environment)
        ref = step.ref if isinstance(step, Deploy) else step.to or ""
        return replace(now, already={**now.already, item: ref}, failure=None, denied=None)
    if event.code == "already_live" and isinstance(step, DeployTogether):
        live = {(part.service, step.environment): part.ref for part in step.parts}
        return replace(now, already={**now.already, **live}, failure=None, denied=None)
    again = now.failure is not None and now.failure.step == step
    times = now.failure.times + 1 if now.failure and again else 1
    return replace(now, failure=Failure(step, event.code, event.error, times))
