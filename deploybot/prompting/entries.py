"""What a model is shown of a thread: each event as a tag and a small body of plain values.

Left out: what changes nothing for the next step, and failed attempts that a later one made good.
What is long is cut by `cutting`; text is made of the entries by `rendering`.
"""

import re
from itertools import pairwise
from typing import Any

from deploy.plan import SHORT
from deploybot.approvals import ApprovalRequest
from deploybot.events import (
    Answered,
    AnswerRefused,
    ApiMessageReceived,
    ApprovalDenied,
    ApprovalExpired,
    ApprovalGranted,
    ApprovalRequested,
    ApprovalSuperseded,
    BranchUpdated,
    Cancelled,
    DeployFailed,
    DeployOutcomeUnknown,
    DeployResolved,
    DeployStarted,
    DeploySucceeded,
    EmailReceived,
    Escalated,
    Event,
    Finished,
    Forked,
    HandedOver,
    HoldReleased,
    Paused,
    QuestionAsked,
    ReadReturned,
    Resumed,
    ScheduleFired,
    SlackMessageReceived,
    Slept,
    StepChosen,
    StepFailed,
    TestsFailed,
    TestsPassed,
    Woke,
)
from deploybot.next_step import (
    DoneForNow,
    HandOver,
    NothingToDo,
    RequestHumanInput,
    to_wire,
)
from deploybot.prompting.cutting import cut
from deploybot.thread import Thread

Entry = tuple[str, Any]
"""A tag's name, and its body of plain JSON values."""

MOST_ENTRIES = 150

_TAG = re.compile(r"[a-z0-9][a-z0-9_-]{0,79}")


def entries(thread: Thread) -> tuple[Entry, ...]:
    """Return what the model is shown, oldest first."""
    requests = {
        event.request.id: event.request
        for event in thread.events
        if isinstance(event, ApprovalRequested)
    }
    skipped = _made_good(thread.events)
    shown: list[Entry] = []
    chosen: StepChosen | None = None
    for index, event in enumerate(thread.events):
        entry = None if index in skipped else _entry(event, chosen, requests)
        if entry is not None:
            shown.append((entry[0], cut(entry[1])))
        chosen = event if isinstance(event, StepChosen) else None
    if len(shown) <= MOST_ENTRIES:
        return tuple(shown)
    head, tail = MOST_ENTRIES // 10, MOST_ENTRIES * 9 // 10
    gap: Entry = ("left_out", {"events": len(shown) - head - tail})
    return (*shown[:head], gap, *shown[-tail:])


def _made_good(events: tuple[Event, ...]) -> set[int]:
    """Return where the failed attempts stand that a later attempt at the same intent made good."""
    attempts: list[tuple[int, str, bool]] = []
    for index, (event, outcome) in enumerate(pairwise(events)):
        if isinstance(event, StepChosen):
            intent = str(to_wire(event.step)["intent"])
            attempts.append((index, intent, isinstance(outcome, StepFailed)))
    last_success = {intent: index for index, intent, failed in attempts if not failed}
    return {
        part
        for index, intent, failed in attempts
        if failed and last_success.get(intent, -1) > index
        for part in (index, index + 1)
    }


def _entry(  # noqa: C901, PLR0911, PLR0912 - one flat table, a case an event
    event: Event, chosen: StepChosen | None, requests: dict[str, ApprovalRequest]
) -> Entry | None:
    match event:
        case SlackMessageReceived(by=by, name=name, text=text):
            return "slack_message", {"from": by, "name": name, "text": text}
        case EmailReceived(by=by, subject=subject, text=text):
            return "email", {"from": by, "subject": subject, "text": text}
        case ApiMessageReceived(by=by, text=text):
            return "message", {"from": by, "text": text}
        case BranchUpdated(branch=branch, after=sha, pusher=pusher, subject=subject):
            moved = {"branch": branch, "sha": sha[:SHORT], "by": pusher, "subject": subject}
            return "branch_updated", moved
        case ScheduleFired(name=name, text=text):
            return "schedule", {"name": name, "text": text}
        case HandedOver(agent=agent, text=text, context=context):
            return "handed_over", _given(to=agent, text=text, context=context)
        case StepChosen(step=HandOver()):
            return None
        case StepChosen(step=step):
            return _step(to_wire(step))
        case ReadReturned(intent=intent, result=result):
            return _tag(f"{intent}_result"), result
        case StepFailed(intent=intent, code=code, error=error):
            return "error", {"step": intent, "code": code, "error": error}
        case HoldReleased(service=service, environment=environment):
            return "hold_released", {"service": service, "environment": environment, "by": event.by}
        case TestsPassed(environment=environment, summary=summary, live=live):
            return "tests_passed", _tests(environment, summary, live)
        case TestsFailed(environment=environment, summary=summary, live=live, tail=tail):
            return "tests_failed", {**_tests(environment, summary, live), "output": list(tail)}
        case QuestionAsked(question=question):
            asked = chosen is not None and isinstance(chosen.step, RequestHumanInput)
            return None if asked else ("question", {"question": question})
        case Answered(by=by, answer=answer):
            return "human_response", {"by": by, "answer": answer}
        case ApprovalRequested(request=request):
            return "approval_requested", _request(request)
        case ApprovalGranted(by=by, request_id=request_id, comment=comment):
            change = _change(requests.get(request_id))
            return "human_response", _given(approved=change, by=by, comment=comment)
        case ApprovalDenied(by=by, request_id=request_id, feedback=feedback):
            change = _change(requests.get(request_id))
            return "human_response", {"denied": change, "by": by, "feedback": feedback}
        case ApprovalExpired(request_id=request_id):
            return "approval_expired", {"change": _change(requests.get(request_id))}
        case ApprovalSuperseded(request_id=request_id, changes=changes):
            change = _change(requests.get(request_id))
            return "approval_superseded", {"change": change, "differs": list(changes)}
        case DeploySucceeded(request_id=request_id, sha=sha):
            return _result(requests.get(request_id), status="succeeded", live=sha[:SHORT])
        case DeployFailed(request_id=request_id, step=step_name, error=error, live=live):
            return _result(
                requests.get(request_id),
                status="failed",
                began=event.began,
                at_step=step_name,
                error=error,
                output=list(event.tail),
                live=(live or "nothing")[:SHORT],
            )
        case DeployOutcomeUnknown(request_id=request_id, step=step_name):
            return _result(requests.get(request_id), status="unknown", at_step=step_name)
        case DeployResolved(request_id=request_id, outcome=outcome, live=live, comment=comment):
            live = (live or "nothing")[:SHORT]
            return _result(requests.get(request_id), status=outcome, live=live, comment=comment)
        case Slept(reason=reason):
            return "slept", {"reason": reason}
        case Woke():
            return "woke", {}
        case Cancelled(by=by, reason=reason):
            return "cancelled", _given(by=by, reason=reason)
        case Escalated(reason=reason):
            return "asked_people_for_help", {"reason": reason}
        case Finished(message=message):
            told = chosen is not None and isinstance(chosen.step, DoneForNow | NothingToDo)
            return None if told else ("finished", {"message": message})
        case DeployStarted() | Paused() | Resumed() | AnswerRefused() | Forked():
            return None


def _tag(name: str) -> str:
    """Return the name if it may name a tag; a planner may choose any words for an intent."""
    return name if _TAG.fullmatch(name) else "step"


def _step(wire: dict[str, Any]) -> Entry:
    intent = str(wire["intent"])
    tag = _tag(intent)
    named = {} if tag == intent else {"intent": intent}
    given = {k: v for k, v in wire.items() if k != "intent" and v not in (None, "", [])}
    return tag, {**named, **given}


def _tests(environment: str, summary: str, live: dict[str, str]) -> dict[str, Any]:
    short = {service: sha[:SHORT] for service, sha in live.items()}
    return {"environment": environment, "summary": summary, "live": short}


def _request(request: ApprovalRequest) -> dict[str, Any]:
    plan = request.plan
    return _given(
        change=_change(request),
        live_now=(plan.previous_sha or "nothing")[:SHORT],
        commits=plan.commits_total,
        warnings=list(plan.warnings),
    )


def _change(request: ApprovalRequest | None) -> str:
    if request is None:
        return "unknown"
    plan = request.plan
    verb = "deploy" if plan.action == "deploy" else "roll back"
    return f"{verb} {plan.service} to {plan.sha[:SHORT]} on {plan.environment}"


def _result(request: ApprovalRequest | None, **values: Any) -> Entry:
    if request is None:
        return "deploy_result", _given(**values)
    plan = request.plan
    tag = _tag(f"{plan.action}_{plan.service}_result")
    return tag, _given(environment=plan.environment, **values)


def _given(**values: Any) -> dict[str, Any]:
    """Return the values that say something."""
    return {key: value for key, value in values.items() if value not in (None, "", [], {})}
