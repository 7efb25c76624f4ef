"""What came of each request for an approval: who asked, what was shown, who answered, how it ended.

Pure: told of one event after the other, it keeps no more than the request that may still go on.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

from deploy.plan import Plan
from deploybot.approvals import ApprovalRequest, Grant
from deploybot.events import (
    AnswerRefused,
    ApprovalDenied,
    ApprovalExpired,
    ApprovalGranted,
    ApprovalRequested,
    ApprovalSuperseded,
    Cancelled,
    DeployFailed,
    DeployOutcomeUnknown,
    DeployResolved,
    DeployStarted,
    DeploySucceeded,
    Event,
    Message,
    StepChosen,
    StepFailed,
    StopRequested,
    TestsFailed,
    TestsPassed,
)
from deploybot.next_step import Change as ChangeStep
from deploybot.votes import is_met, stood_for

How = Literal[
    "open", "denied", "expired", "superseded", "withdrawn", "not_started", "running", "live",
    "failed", "unknown",
]  # fmt: skip


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Said(_Record):
    """One person's word on a request."""

    by: str
    at: AwareDatetime
    said: Literal["approved", "denied", "refused", "stop"]
    over: str = ""
    """The channel it came by."""
    words: str = ""
    instead_of: tuple[str, ...] = ()
    """For whom an approval counted, who was away."""
    broke_glass: bool = False
    """Whether it was given alone, in an emergency; `words` say why."""


class Ran(_Record):
    """One service of a request: what ran, and how that ended."""

    action: str
    service: str
    environment: str
    sha: str
    previous_sha: str | None
    steps: tuple[dict[str, Any], ...]
    started: AwareDatetime | None = None
    fence: int | None = None
    ended: AwareDatetime | None = None
    outcome: Literal["", "live", "failed", "unknown"] = ""
    seconds: float | None = None
    error: str = ""
    live: str | None = None
    settled_by: str = ""
    tests: Literal["", "passed", "failed"] = ""


class Change(_Record):
    """One request from the proposal to its end."""

    thread: str
    request: str
    digest: str
    requested: AwareDatetime
    requesters: tuple[str, ...]
    asked: str
    """In the requester's words."""
    proposed_by: str
    """Who chose it: a model's name, `offline`, `command` or `code`."""
    reason: str
    shown_in: tuple[str, ...]
    """The channels that the request was shown in."""
    approvers: tuple[str, ...]
    quorum: int
    automatic: bool
    one_from_each: tuple[str, ...] = ()
    """Groups of each of which somebody had to approve."""
    authors: tuple[str, ...] = ()
    """Who wrote it, and so could not approve it."""
    expires: AwareDatetime
    start_at: AwareDatetime | None = None
    warnings: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    commits: int = 0
    words: list[Said]
    runs: list[Ran]
    how: How = "open"
    ended: AwareDatetime | None = None

    def concerns(self, service: str, environment: str) -> bool:
        """Tell whether it is about that service and environment; "" is any."""
        return any(
            service in ("", run.service) and environment in ("", run.environment)
            for run in self.runs
        )


class Changes:
    """The requests of one thread."""

    def __init__(self, thread: str, shown_in: Mapping[str, tuple[str, ...]]) -> None:
        self._thread = thread
        self._shown_in = shown_in
        self._change: Change | None = None
        self._asked: ApprovalRequest | None = None
        self._grants: tuple[Grant, ...] = ()
        self._chosen_by = ""

    def after(self, event: Event) -> Iterator[Change]:
        """Take an event; yield the request that cannot go on because a new one was made."""
        match event:
            case StepChosen(step=step) if isinstance(step, ChangeStep):
                self._chosen_by = event.model
            case ApprovalRequested(request=request):
                yield from self.rest()
                self._change = self._begun(request, event.at)
                self._asked, self._grants = request, ()
            case _ if self._change and self._asked:
                if isinstance(event, ApprovalGranted):
                    self._grants = (*self._grants, Grant.of(event))
                _answered(self._change, event, self._asked, self._grants)
                _carried_out(self._change, event)
            case _:
                pass

    def rest(self) -> Iterator[Change]:
        """Yield the request that stands last."""
        if self._change:
            yield self._change
            self._change = None

    def _begun(self, request: ApprovalRequest, at: AwareDatetime) -> Change:
        plans = request.plans
        return Change(
            thread=self._thread,
            request=request.id,
            digest=request.digest,
            requested=at,
            requesters=request.requesters,
            asked=request.asked,
            proposed_by=self._chosen_by,
            reason=request.reason,
            shown_in=self._shown_in.get(request.id, ()),
            approvers=request.rule.approvers,
            quorum=request.rule.quorum,
            one_from_each=request.rule.one_from_each,
            authors=request.authors,
            automatic=request.rule.automatic,
            expires=request.expires_at,
            start_at=request.start_at,
            warnings=tuple(warning for plan in plans for warning in plan.warnings),
            checks=tuple(check for plan in plans for check in plan.checks),
            commits=sum(plan.commits_total for plan in plans),
            words=[],
            runs=[_planned(plan) for plan in plans],
        )


def _planned(plan: Plan) -> Ran:
    return Ran(
        action=plan.action,
        service=plan.service,
        environment=plan.environment,
        sha=plan.sha,
        previous_sha=plan.previous_sha,
        steps=tuple(step.model_dump(mode="json") for step in plan.steps),
    )


def _answered(
    change: Change, event: Event, request: ApprovalRequest, grants: tuple[Grant, ...]
) -> None:
    match event:
        case ApprovalGranted(channel=channel):
            given = Said(
                by=event.by,
                at=event.at,
                said="approved",
                over=channel,
                words=event.break_glass or event.comment,
                instead_of=stood_for(request, grants[-1]),
                broke_glass=bool(event.break_glass),
            )
            _note(change, given)
        case ApprovalDenied(channel=channel, feedback=feedback):
            _note(
                change, Said(by=event.by, at=event.at, said="denied", over=channel, words=feedback)
            )
            _end(change, "denied", event)
        case AnswerRefused(request_id=about, channel=channel, text=text) if about == change.request:
            _note(change, Said(by=event.by, at=event.at, said="refused", over=channel, words=text))
        case StopRequested(reason=reason):
            _note(change, Said(by=event.by, at=event.at, said="stop", words=reason))
        case ApprovalExpired():
            _end(change, "expired", event)
        case ApprovalSuperseded():
            _end(change, "superseded", event)
        case StepFailed(intent="start", error=error) if change.how == "open":
            change.runs[0].error = error
            _end(change, "not_started", event)
        case Cancelled():
            _end(change, "withdrawn", event)
        case _ if isinstance(event, Message) and not is_met(request, grants):
            _end(change, "withdrawn", event)
        case _:
            pass


def _carried_out(change: Change, event: Event) -> None:
    match event:
        case DeployStarted(part=part, fence=fence):
            run = change.runs[part]
            run.started, run.fence, change.how = event.at, fence, "running"
        case DeploySucceeded(part=part, seconds=seconds):
            run = change.runs[part]
            run.outcome, run.ended, run.seconds, run.live = "live", event.at, seconds, event.sha
            change.how, change.ended = "live", event.at
        case DeployFailed(part=part, step=step, error=error, live=live):
            run = change.runs[part]
            run.outcome, run.ended, run.live = "failed", event.at, live
            run.error = f"{step}: {error}" if step else error
            change.how, change.ended = "failed", event.at
        case DeployOutcomeUnknown(part=part, step=step, live=live):
            run = change.runs[part]
            run.outcome, run.ended, run.live, run.error = "unknown", event.at, live, step
            change.how, change.ended = "unknown", event.at
        case DeployResolved(part=part, outcome=outcome, live=live):
            run = change.runs[part]
            run.outcome = "live" if outcome == "succeeded" else "failed"
            run.live, run.settled_by = live, event.by
            change.how, change.ended = run.outcome, event.at
        case TestsPassed() | TestsFailed():
            for run in change.runs:
                if run.environment == event.environment and run.outcome == "live":
                    run.tests = "passed" if isinstance(event, TestsPassed) else "failed"
        case _:
            pass


def _note(change: Change, said: Said) -> None:
    change.words.append(said)


def _end(change: Change, how: How, event: Event) -> None:
    if change.how == "open":
        change.how, change.ended = how, event.at
