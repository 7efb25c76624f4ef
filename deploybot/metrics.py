"""What is counted and measured, by name, and what each new event of a thread adds to it; keeping the sums is `meter`'s.

Pure. What no event tells (how long a model took, what waits in a queue) is counted where it happens,
under a name that stands here.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from deploybot.events import (
    AnswerRefused,
    ApprovalDenied,
    ApprovalExpired,
    ApprovalGranted,
    ApprovalSuperseded,
    BranchUpdated,
    DeployFailed,
    DeployOutcomeUnknown,
    DeployResolved,
    DeploySucceeded,
    Event,
    Forked,
    StepChosen,
    StepFailed,
    TestsFailed,
    TestsPassed,
)
from deploybot.thread import Standing, Status, Thread, after, fold

_SECOND = timedelta(seconds=1)
_QUICK = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_WORK = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0)
_DEPLOY = (1.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)
_PEOPLE = (10.0, 30.0, 60.0, 300.0, 900.0, 1800.0, 3600.0, 14400.0, 86400.0)
_LEAD = (60.0, 300.0, 900.0, 3600.0, 14400.0, 43200.0, 86400.0, 259200.0, 604800.0, 2592000.0)


@dataclass(frozen=True)
class Metric:
    """One thing that is counted, measured or looked at; `says` is a sentence for whoever reads it."""

    name: str
    kind: Literal["counter", "histogram", "gauge"]
    says: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    """Upper bounds, for a histogram."""


@dataclass(frozen=True)
class Observation:
    """One more of a counter, or one measured value of a histogram; labels in the metric's order."""

    metric: Metric
    labels: tuple[str, ...] = ()
    value: float = 1.0


def _counter(name: str, says: str, *labels: str) -> Metric:
    return Metric(f"deploybot_{name}_total", "counter", says, labels)


def _histogram(name: str, buckets: tuple[float, ...], says: str, *labels: str) -> Metric:
    return Metric(f"deploybot_{name}_seconds", "histogram", says, labels, buckets)


def _gauge(name: str, says: str, *labels: str) -> Metric:
    return Metric(f"deploybot_{name}", "gauge", says, labels)


# -- counted from events -----------------------------------------------------------

EVENTS = _counter("events", "Events stored, by kind.", "kind")
DEPLOYS = _counter(
    "deploys",
    "Deploys and roll backs that ended: succeeded, failed or unknown; and unknown ones settled later.",
    "service",
    "environment",
    "action",
    "outcome",
)
DEPLOY = _histogram(
    "deploy", _DEPLOY, "From the claim to the end of a deploy.", "service", "environment", "action"
)
APPROVAL_WAIT = _histogram(
    "approval_wait",
    _PEOPLE,
    "From asking people to their answer, by what came of it; standing rules are not counted.",
    "environment",
    "answer",
)
LEAD = _histogram(
    "lead",
    _LEAD,
    "From the merge (the time of the commit that went live) until it was live.",
    "service",
    "environment",
)
TESTS = _histogram("tests", _WORK, "End-to-end tests, by how they ended.", "environment", "outcome")
FALLBACKS = _counter(
    "model_fallbacks", "Steps that a later model or the planner chose for a model.", "chosen_by"
)
STEPS_FAILED = _counter("steps_failed", "Steps that could not be taken, by reason.", "code")
ANSWERS_REFUSED = _counter("answers_refused", "Answers that did not count, by reason.", "code")

# -- counted where it happens ------------------------------------------------------

MODEL_CALLS = _counter(
    "model_calls", "Times a model was asked: it chose, or it failed.", "model", "outcome"
)
MODEL = _histogram("model", _WORK, "From asking a model to its choice, or giving it up.", "model")
MODEL_TOKENS = _counter("model_tokens", "Tokens of models, read and written.", "model", "way")
JOB = _histogram("job", _WORK, "Jobs: advance, operate, deliver, survey.", "job")
JOB_ERRORS = _counter("job_errors", "Jobs that could not go on, by error.", "job", "error")
DELIVERIES_FAILED = _counter(
    "deliveries_failed", "Deliveries that a channel did not take now.", "channel"
)
WAKE_UPS = _counter("wake_ups", "Wake-ups by the clock: timers, and what nobody else woke.")
HTTP = _histogram(
    "http", _QUICK, "From a request to the first byte of its answer.", "route", "method", "status"
)
SLACK_ACK = _histogram(
    "slack_ack", _QUICK, "From a Slack request to its answer; Slack waits for three seconds."
)

MAILS = _counter("mails", "Mails taken from mailboxes, by what became of them.", "outcome")

# -- looked at when asked ----------------------------------------------------------

INFO = _gauge("info", "1, by the version that answers.", "version")
UP = _gauge("store_up", "1 when the store answers.")
THREADS = _gauge("threads", "Threads, by where they stand.", "status")
OLDEST = _gauge(
    "threads_oldest_seconds", "Since the last event of the thread that lies longest.", "status"
)
WAITING = _gauge("approvals_waiting", "Requests that wait for people.")
RUNNING = _gauge("operations_running", "Places where a deploy runs, or died and is not settled.")
HOLDS = _gauge("holds", "Services held by people or after a roll back.")
QUEUE = _gauge("queue_jobs", "Wake-ups that wait in a queue.", "queue")
QUEUE_AGE = _gauge("queue_oldest_seconds", "How long the first of a queue has waited.", "queue")
WORKERS = _gauge("workers", "Living workers, by the queue they serve.", "queue")
CLOCK_AGE = _gauge("clock_seconds", "Since the clock last ticked; absent when it never did.")
MAILBOX_AGE = _gauge("mailbox_seconds", "Since a mailbox was last looked at.", "mailbox")
BUDGET_USED = _gauge("budget_used", "What models have used of a budget.", "period", "of")
BUDGET = _gauge("budget", "The budgets that are set.", "period", "of")

METRICS: tuple[Metric, ...] = tuple(
    value for value in list(globals().values()) if isinstance(value, Metric)
)
"""All of them, in the order in which they stand here."""


def observations(before: Thread, grown: Thread) -> Iterator[Observation]:
    """Yield what the events that `grown` has more than `before` add."""
    before = happened(before, grown)
    standing = before.standing
    for event in grown.events[len(before.events) :]:
        yield Observation(EVENTS, (event.kind,))
        yield from _of_a_step(event)
        yield from _of_an_answer(standing, event)
        yield from _of_a_deploy(standing, event, grown)
        standing = after(standing, event)


def happened(before: Thread, grown: Thread) -> Thread:
    """Return the thread from which on events really happened: a fork begins with copies of others."""
    new = grown.events[len(before.events) :]
    at = next((n for n, event in enumerate(new, start=1) if isinstance(event, Forked)), 0)
    if not at:
        return before
    copied = len(before.events) + at - 1
    return Thread(grown.id, grown.events[:copied], "", fold(grown.events[:copied]))


def _of_a_step(event: Event) -> Iterator[Observation]:
    match event:
        case StepChosen(note=note, model=model) if note:
            yield Observation(FALLBACKS, (model,))
        case StepFailed(code=code):
            yield Observation(STEPS_FAILED, (code,))
        case TestsPassed(environment=environment, seconds=seconds):
            yield Observation(TESTS, (environment, "passed"), seconds)
        case TestsFailed(environment=environment, seconds=seconds):
            yield Observation(TESTS, (environment, "failed"), seconds)
        case AnswerRefused(reason_code=code):
            yield Observation(ANSWERS_REFUSED, (code,))
        case _:
            pass


def _of_an_answer(standing: Standing, event: Event) -> Iterator[Observation]:
    request = standing.request
    if request is None or standing.status is not Status.AWAITING_APPROVAL or request.rule.automatic:
        return
    match event:
        case ApprovalGranted():
            if after(standing, event).status is Status.AWAITING_APPROVAL:
                return  # one yes of several
            answer = "granted"
        case ApprovalDenied():
            answer = "denied"
        case ApprovalExpired():
            answer = "expired"
        case ApprovalSuperseded():
            answer = "superseded"
        case _:
            return
    asked = request.expires_at - timedelta(seconds=request.rule.expires_seconds)
    labels = (request.plan.environment, answer)
    yield Observation(APPROVAL_WAIT, labels, _seconds(asked, event.at))


def _of_a_deploy(standing: Standing, event: Event, thread: Thread) -> Iterator[Observation]:
    request = standing.request
    match event:
        case DeploySucceeded():
            outcome = "succeeded"
        case DeployFailed():
            outcome = "failed"
        case DeployOutcomeUnknown():
            outcome = "unknown"
        case DeployResolved(outcome=found):
            outcome = f"settled_{found}"
        case _:
            return
    if request is None or standing.part >= len(request.plans):
        return
    plan = request.plans[standing.part]
    place = (plan.service, plan.environment)
    yield Observation(DEPLOYS, (*place, plan.action, outcome))
    if standing.started and outcome in ("succeeded", "failed"):
        seconds = _seconds(standing.started.at, event.at)
        yield Observation(DEPLOY, (*place, plan.action), seconds)
    if outcome == "succeeded" and plan.action == "deploy":
        tip = next((commit.at for commit in plan.commits if commit.sha == plan.sha), None)
        merged = _pushed(thread, plan.sha) or tip
        if merged is not None:
            yield Observation(LEAD, place, _seconds(merged, event.at))


def _pushed(thread: Thread, sha: str) -> datetime | None:
    """Return when the bot heard of the push of this commit, if the thread began with it."""
    for event in thread.events:
        if isinstance(event, BranchUpdated) and event.after == sha:
            return event.at
    return None


def _seconds(since: datetime, until: datetime) -> float:
    return max((until - since) / _SECOND, 0.0)
