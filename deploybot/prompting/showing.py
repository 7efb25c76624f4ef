"""How one event is shown to a model: a tag named by what happened, and a body of plain values.

The short form is chosen where the entry before has said the rest already. Which events are left
out is decided in `hiding` and `folding`; how entries become text, by the renderers.
"""

import re
from dataclasses import dataclass
from typing import Any

from deploy.plan import SHORT
from deploybot.approvals import ApprovalRequest
from deploybot.events import (
    FACTS,
    Answered,
    AnswerRefused,
    ApiMessageReceived,
    ApprovalDenied,
    ApprovalEscalated,
    ApprovalExpired,
    ApprovalGranted,
    ApprovalReminded,
    ApprovalRequested,
    ApprovalSuperseded,
    BranchUpdated,
    Cancelled,
    DeployFailed,
    DeployOutcomeUnknown,
    DeployResolved,
    DeployStarted,
    DeploySucceeded,
    DriftFound,
    EditRefused,
    EditRequested,
    EmailReceived,
    Escalated,
    Event,
    Finished,
    Forked,
    ForkMade,
    HandedOver,
    HoldForgotten,
    HoldPlaced,
    HoldReleased,
    LinedUp,
    MailBounced,
    MessageAltered,
    Paused,
    PlansShown,
    QuestionAsked,
    ReadReturned,
    Resumed,
    ScheduleFired,
    SlackMessageReceived,
    Slept,
    StepChosen,
    StepFailed,
    StopRequested,
    TestsFailed,
    TestsPassed,
    TurnCame,
    Woke,
)
from deploybot.next_step import (
    Deploy,
    DeployTogether,
    DoneForNow,
    HandOver,
    NextStep,
    NothingToDo,
    RequestHumanInput,
    RollBack,
)
from deploybot.phrases import step_words
from deploybot.prompting import rows
from deploybot.prompting.cutting import cut
from deploybot.prompting.proposed import given, in_full, shown_request
from deploybot.prompting.shown import Entry, Part, Shown, intent_of
from deploybot.prompting.words import Words

SAID = SlackMessageReceived | EmailReceived | ApiMessageReceived | Answered | ApprovalDenied
"""People's words, which nothing may leave out while they are the last."""

_OF_A_DEPLOY = DeploySucceeded | DeployFailed | DeployOutcomeUnknown | DeployResolved

_TAG = re.compile(r"[a-z0-9][a-z0-9_-]{0,79}")


@dataclass
class Before:
    """What has been shown of the thread so far, as far as the next entry rests on it."""

    chosen: StepChosen | None = None
    """The step directly before."""
    request: ApprovalRequest | None = None
    """The change proposed last."""


def show(
    event: Event, before: Before, words: Words, *, is_last: bool, has_facts: bool
) -> Shown | None:
    """Return what is shown of the event, or None; remember it in `before`.

    `is_last` tells that the model moves next, for what only the last entry needs to say;
    `has_facts` that none have been fetched since the event brought some.
    """
    entry = _entry(event, before, words, is_last=is_last, has_facts=has_facts)
    before.chosen = event if isinstance(event, StepChosen) else None
    if isinstance(event, ApprovalRequested):
        before.request = event.request
    if entry is None:
        return None
    return Shown(entry[0], cut(entry[1], words), _part(event))


def _part(event: Event) -> Part:
    if isinstance(event, SAID):
        return "said"
    if isinstance(event, StepChosen):
        return "chose"
    return "came_of_it" if isinstance(event, _OUTCOMES) else "happened"


_OUTCOMES = (
    ReadReturned
    | StepFailed
    | ApprovalRequested
    | ApprovalGranted
    | ApprovalExpired
    | ApprovalSuperseded
    | DeploySucceeded
    | DeployFailed
    | DeployOutcomeUnknown
    | DeployResolved
    | Slept
)


def _entry(  # noqa: C901, PLR0911, PLR0912, PLR0915 - one flat table, a case an event
    event: Event, before: Before, words: Words, *, is_last: bool, has_facts: bool
) -> Entry | None:
    match event:
        case SlackMessageReceived(by=by, name=name, text=text):
            called = "" if name.casefold() == by.casefold() else name
            return "slack_message", {"from": by, **given(name=called), "text": text}
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
            facts = rows.facts(context, words, event.at) if has_facts else {}
            return "handed_over", given(to=agent, text=text, **facts)
        case StepChosen(step=HandOver()) | StepChosen(model="person"):
            return None  # no step of the agent's: what a person wants instead is in their answer
        case StepChosen(step=step):
            return _step(step)
        case ReadReturned(intent=intent, result=result) if intent == FACTS:
            return (FACTS, rows.facts(result, words, event.at)) if has_facts else None
        case ReadReturned(intent=intent, result=result):
            return _tag(f"{intent}_result"), rows.lines(intent, result, words, event.at)
        case StepFailed(intent=intent, code=code, error=error):
            told = before.chosen is not None and intent_of(before.chosen.step) == intent
            named = "" if told else intent
            hint = words.say("try", code) if is_last else ""
            return "error", given(step=named, code=code, error=error, **{"try": hint})
        case HoldReleased(service=held, environment=place, by=by):
            return "hold_released", {"service": held or "all", "environment": place, "by": by}
        case HoldPlaced(hold=hold, how=how):
            where = {"service": hold.service or "every service", "environment": hold.environment}
            return "hold_placed", given(**where, how=how, by=event.by, reason=hold.reason)
        case LinedUp(service=service, environment=environment, position=position, why=why):
            where = {"service": service, "environment": environment}
            return "waits_in_line", {**where, "position": position, "why": why}
        case TurnCame():
            return ("turn_came", {}) if is_last else None
        case PlansShown(plans=plans):
            return "dry_run", {"would": [in_full(plan, words) for plan in plans]}
        case DriftFound(service=service, environment=environment, live=live, expected=expected):
            found = {"service": service, "environment": environment}
            there, ours = (live or "nothing")[:SHORT], (expected or "nothing")[:SHORT]
            return "drift", {**found, "live": there, "expected": ours}
        case StopRequested(by=by, reason=reason):
            return "stop_requested", given(by=by, reason=reason)
        case TestsPassed(environment=environment, summary=summary, live=live):
            return "tests_passed", _tests(environment, summary, live)
        case TestsFailed(environment=environment, summary=summary, live=live, tail=tail):
            return "tests_failed", {**_tests(environment, summary, live), "output": list(tail)}
        case QuestionAsked(question=question):
            asked = before.chosen is not None and isinstance(before.chosen.step, RequestHumanInput)
            return None if asked else ("question", {"question": question})
        case Answered(by=by, answer=answer):
            return "human_response", {"by": by, "answer": answer}
        case ApprovalRequested(request=request):
            return ("approval_requested", shown_request(request, words)) if is_last else None
        case ApprovalGranted(by=by, request_id=request_id, comment=comment):
            change = _change(request_id, before, words)
            return "human_response", given(approved=change, by=by, comment=comment)
        case ApprovalDenied(by=by, request_id=request_id, feedback=feedback):
            change = _change(request_id, before, words)
            return "human_response", {"denied": change, "by": by, "feedback": feedback}
        case ApprovalReminded() | ApprovalEscalated():
            return None
        case ApprovalExpired(request_id=request_id):
            return "approval_expired", {"change": _change(request_id, before, words)}
        case EditRequested(by=by, request_id=request_id, step=step, comment=comment):
            change, wants = _change(request_id, before, words), step_words(step)
            return "human_response", given(edited=change, by=by, wants=wants, comment=comment)
        case EditRefused(reason_code=code, error=error):
            return "edit_refused", {"code": code, "error": error}
        case ApprovalSuperseded(edited_by=editor, changes=changes) if editor:
            return "edited", {"by": editor, "changes": list(changes)}
        case ApprovalSuperseded(request_id=request_id, changes=changes):
            change = _change(request_id, before, words)
            return "approval_superseded", {"change": change, "differs": list(changes)}
        case DeploySucceeded(sha=sha):
            return _result(event, before, status="succeeded", live=sha[:SHORT])
        case DeployFailed(step=step_name, error=error, live=live):
            more = {"at_step": step_name, "error": error, "output": list(event.tail)}
            began, is_held = None if event.began else False, event.held or None
            now = (live or "nothing")[:SHORT]
            return _result(
                event, before, status="failed", began=began, **more, live=now, held=is_held
            )
        case DeployOutcomeUnknown(step=step_name):
            return _result(event, before, status="unknown", at_step=step_name)
        case DeployResolved(outcome=outcome, live=live, comment=comment):
            live = (live or "nothing")[:SHORT]
            return _result(event, before, status=outcome, live=live, comment=comment)
        case Slept(reason=reason):
            return "slept", {"reason": reason}
        case Woke():
            return "woke", {}
        case Cancelled(by=by, reason=reason):
            return "cancelled", given(by=by, reason=reason)
        case Escalated(reason=reason):
            return "asked_people_for_help", {"reason": reason}
        case Finished(message=message):
            told = before.chosen is not None and isinstance(
                before.chosen.step, DoneForNow | NothingToDo
            )
            return None if told else ("finished", {"message": message})
        case Forked(from_thread=origin):
            return "forked", {"from": origin}
        case (
            DeployStarted()
            | Paused()
            | Resumed()
            | AnswerRefused()
            | MailBounced()
            | ForkMade()
            | MessageAltered()
            | HoldForgotten()
        ):
            return None


def _tag(name: str) -> str:
    """Return the name if it may name a tag; a planner may choose any words for an intent."""
    return name if _TAG.fullmatch(name) else "step"


def _step(step: NextStep) -> Entry:
    intent = intent_of(step)
    tag = _tag(intent)
    named = {} if tag == intent else {"intent": intent}
    told = _IN_THE_NAME if isinstance(step, Deploy | RollBack) else _SHOWN_BY_THE_RESULT
    shown = {k: v for k, v in step if k not in told and v not in (None, "", (), [])}
    if isinstance(step, DeployTogether):
        shown["parts"] = [f"{part.service} {part.ref}" for part in step.parts]
    return tag, {**named, **shown}


_SHOWN_BY_THE_RESULT = frozenset({"intent", "limit", "urgency", "format", "in_this_order"})
_IN_THE_NAME = frozenset({"intent", "service"})


def _tests(environment: str, summary: str, live: dict[str, str]) -> dict[str, Any]:
    short = {service: sha[:SHORT] for service, sha in live.items()}
    return {"environment": environment, "summary": summary, "live": short}


def _change(request_id: str, before: Before, words: Words) -> str:
    """Return what was proposed, in full: a response is never read without its object."""
    request = before.request
    if request is None or request.id != request_id:
        return "unknown"
    return ", then ".join(in_full(plan, words) for plan in request.plans)


def _result(event: _OF_A_DEPLOY, before: Before, **values: Any) -> Entry:
    request = before.request
    if request is None or request.id != event.request_id or event.part >= len(request.plans):
        return "deploy_result", given(**values)
    plan = request.plans[event.part]
    return _tag(f"{plan.action}_{plan.service}_result"), given(**values)
