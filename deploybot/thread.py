"""Where a thread stands: its events, folded over one table.

Rule 1: everything about what may follow what lives in this file. As much of it as possible is in
`TRANSITIONS`; what does not fit a table is in `_fold`. Nothing else in the project keeps state.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Literal

from deploybot.approvals import POLICY, ApprovalRequest, Grant
from deploybot.errors import IllegalEventError
from deploybot.events import (
    PERSON,
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
    Fact,
    Finished,
    Forked,
    ForkMade,
    HandedOver,
    HoldForgotten,
    HoldPlaced,
    HoldReleased,
    Inbound,
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
from deploybot.next_step import RunTests
from deploybot.nudges import Nudges
from deploybot.votes import is_met


class Status(StrEnum):
    """Where a thread stands."""

    DONE = "done"
    """Nothing is left to do; a word starts it again. An empty thread stands here, too."""
    WORKING = "working"
    """The agent is to choose or take a step."""
    AWAITING_INPUT = "awaiting_input"
    """A question is open."""
    AWAITING_APPROVAL = "awaiting_approval"
    """A request is open; silence never approves it."""
    EDITING = "editing"
    """A person changed what the open request asks for; that is planned, and until then nobody approves."""
    APPROVED = "approved"
    """Enough people said yes; nothing has started."""
    DEPLOYING = "deploying"
    """The change was claimed and runs, or a worker died with it."""
    OUTCOME_UNKNOWN = "outcome_unknown"
    """A worker died and the target cannot tell; a probe or a person must."""
    IN_LINE = "in_line"
    """The place is not free; the change is planned anew when its turn comes."""
    SLEEPING = "sleeping"
    """A timer is set."""
    PAUSED = "paused"
    """A person stopped it; it stands where it stood below."""


_S = Status
_HEARD: tuple[type[Fact], ...] = (SlackMessageReceived, EmailReceived, ApiMessageReceived)
_OPENED: dict[type[Fact], Status] = dict.fromkeys(
    (*_HEARD, BranchUpdated, ScheduleFired), Status.WORKING
)

TRANSITIONS: dict[Status, dict[type[Fact], Status]] = {
    _S.DONE: {
        **_OPENED,
        HandedOver: _S.WORKING,
        HoldPlaced: _S.DONE,  # locks are kept on threads of their own when nobody wrote a message
        HoldReleased: _S.DONE,
        HoldForgotten: _S.DONE,
        DriftFound: _S.DONE,
    },
    _S.WORKING: {
        **_OPENED,
        StepChosen: _S.WORKING,
        ReadReturned: _S.WORKING,
        StepFailed: _S.WORKING,
        TestsPassed: _S.WORKING,
        TestsFailed: _S.WORKING,
        HandedOver: _S.WORKING,
        HoldPlaced: _S.WORKING,
        HoldReleased: _S.WORKING,
        LinedUp: _S.IN_LINE,
        PlansShown: _S.DONE,
        QuestionAsked: _S.AWAITING_INPUT,
        ApprovalRequested: _S.AWAITING_APPROVAL,
        Slept: _S.SLEEPING,
        Escalated: _S.AWAITING_INPUT,
        Finished: _S.DONE,
        Cancelled: _S.DONE,
    },
    _S.AWAITING_INPUT: {**_OPENED, Answered: _S.WORKING, Cancelled: _S.DONE},
    _S.AWAITING_APPROVAL: {
        **_OPENED,  # a word closes the request: its buttons go stale, and the agent reads it
        ApprovalGranted: _S.APPROVED,  # or stays, until enough people said yes: `_fold`
        ApprovalDenied: _S.WORKING,
        ApprovalReminded: _S.AWAITING_APPROVAL,
        ApprovalEscalated: _S.AWAITING_APPROVAL,
        ApprovalExpired: _S.DONE,
        ApprovalSuperseded: _S.WORKING,
        EditRequested: _S.EDITING,
        Cancelled: _S.DONE,
    },
    _S.EDITING: {
        **_OPENED,  # a word closes the request, and the edit with it
        EditRefused: _S.AWAITING_APPROVAL,  # as it was: nothing is lost
        ApprovalSuperseded: _S.WORKING,  # what was edited is shown in the same breath
        ApprovalDenied: _S.WORKING,
        ApprovalExpired: _S.DONE,
        Cancelled: _S.DONE,
    },
    _S.APPROVED: {
        **dict.fromkeys(_OPENED, _S.APPROVED),  # heard; the approved change goes first
        DeployStarted: _S.DEPLOYING,
        ApprovalDenied: _S.WORKING,  # a no before the start wins
        ApprovalExpired: _S.DONE,
        ApprovalSuperseded: _S.WORKING,
        StepFailed: _S.WORKING,
        LinedUp: _S.IN_LINE,
        Cancelled: _S.DONE,
    },
    _S.IN_LINE: {**_OPENED, TurnCame: _S.WORKING, Cancelled: _S.DONE},
    _S.DEPLOYING: {
        **dict.fromkeys(_OPENED, _S.DEPLOYING),  # heard; answered when the deploy has ended
        StopRequested: _S.DEPLOYING,
        DeploySucceeded: _S.WORKING,  # or approved, while more goes live under the same approval
        DeployFailed: _S.WORKING,
        DeployOutcomeUnknown: _S.OUTCOME_UNKNOWN,
    },
    _S.OUTCOME_UNKNOWN: {
        **dict.fromkeys(_OPENED, _S.OUTCOME_UNKNOWN),
        DeployResolved: _S.WORKING,
    },
    _S.SLEEPING: {**_OPENED, Woke: _S.WORKING, Cancelled: _S.DONE},
}
"""Status → event → the status that follows. What is not here cannot happen."""

ANYWHERE: tuple[type[Fact], ...] = (AnswerRefused, ForkMade, MailBounced, MessageAltered)
"""Events that may happen at any time and change nothing."""

for _ways_on in TRANSITIONS.values():
    _ways_on[Forked] = _S.DONE  # whatever the copy stood at, nothing of it is open here

SWEEP = timedelta(seconds=10)
"""How long a thread that ought to move may lie still before the clock looks at it again, by default."""


ALIAS_DAYS = 90
"""How long a thread is found by the names of its messages, mails and operations."""

STEP_BUDGET = 20
"""Steps a model may choose before a person moves again."""

ATTENDED = timedelta(seconds=4)
"""How long a thread is left alone after a worker's last word that it is at it."""


@dataclass(frozen=True)
class Standing:
    """What the events so far amount to: everything that decides what may happen next."""

    status: Status = Status.DONE
    agent: str = "deploy"
    request: ApprovalRequest | None = None
    grants: tuple[Grant, ...] = ()
    asked_at: datetime | None = None
    """When people were asked to approve what is open."""
    reminders: int = 0
    """How many times they have been reminded."""
    escalated: bool = False
    """Whether the next people may approve, too."""
    edit: EditRequested | None = None
    """What somebody wants instead of the request, while that is planned."""
    question: QuestionAsked | None = None
    started: DeployStarted | None = None
    part: int = 0
    """How many of the request's changes are live already."""
    stop: StopRequested | None = None
    """Who wants the running deploy to stop."""
    line: tuple[str, str] | None = None
    """Service and environment that the thread waits for, or has its turn at."""
    jumps_the_line: bool = False
    dry_run: bool = False
    wake_at: datetime | None = None
    requesters: tuple[str, ...] = ()
    asked: str = ""
    pending: StepChosen | None = None
    """Chosen and not yet taken; None as soon as anything else has happened."""
    errors_in_a_row: int = 0
    steps: int = 0
    """Steps chosen by a model since a person last moved."""
    paused: bool = False

    @property
    def nudges(self) -> Nudges | None:
        """Return what has been done to have the open request answered; None without one."""
        if self.request is None or self.asked_at is None:
            return None
        return Nudges(self.request, self.asked_at, self.reminders, self.escalated)


def after(standing: Standing, event: Event) -> Standing:
    """Return where the thread stands once `event` has happened; refuse what may not happen."""
    if isinstance(event, ANYWHERE):
        return standing
    if isinstance(event, Paused | Resumed):
        if standing.paused == isinstance(event, Paused):
            raise IllegalEventError(_illegal(standing, event))
        return replace(standing, paused=not standing.paused)
    if standing.paused and not isinstance(event, Inbound | Cancelled | Forked | _ENDS_A_DEPLOY):
        raise IllegalEventError(_illegal(standing, event))
    if standing.dry_run and isinstance(event, ApprovalRequested | DeployStarted):
        raise IllegalEventError(_illegal(standing, event))
    try:
        status = TRANSITIONS[standing.status][type(event)]
    except KeyError:
        raise IllegalEventError(_illegal(standing, event)) from None
    if isinstance(event, _ABOUT_A_REQUEST):
        _check_request(standing, event)
    if isinstance(event, DeploySucceeded) and _more_to_come(standing):
        status = Status.APPROVED
    return replace(
        _fold(standing, event, status),
        line=_line(standing, event),
        jumps_the_line=isinstance(event, LinedUp) and event.first,
    )


_ABOUT_A_REQUEST = (
    ApprovalGranted
    | ApprovalDenied
    | ApprovalReminded
    | ApprovalEscalated
    | ApprovalExpired
    | ApprovalSuperseded
    | EditRequested
    | EditRefused
    | DeployStarted
    | DeploySucceeded
    | DeployFailed
    | DeployOutcomeUnknown
    | DeployResolved
)
_IS_A_PART = DeployStarted | DeploySucceeded | DeployFailed | DeployOutcomeUnknown | DeployResolved
_ENDS_A_DEPLOY = DeploySucceeded | DeployFailed | DeployOutcomeUnknown | DeployResolved
_CLOSES = {Status.WORKING, Status.DONE}
_ANSWERED_BY_CARD = (Status.AWAITING_APPROVAL, Status.EDITING, Status.APPROVED)
"""Where a word is about what was asked for already, and asks for nothing itself."""


def _fold(before: Standing, event: Event, status: Status) -> Standing:  # noqa: C901, PLR0912, PLR0915 - the table's other half, a case an event
    """Carry what the table cannot: who asked, what is open, what is pending, what failed."""
    now: dict[str, Any] = {"status": status, "pending": None, "edit": None}
    if status in _CLOSES:
        now |= {"request": None, "grants": (), "question": None, "started": None, "wake_at": None}
        now |= {"part": 0, "stop": None}
    match event:
        case SlackMessageReceived() | EmailReceived() | ApiMessageReceived() | ScheduleFired():
            answers_a_card = before.status in _ANSWERED_BY_CARD
            now |= {"steps": 0, "errors_in_a_row": 0}
            if not answers_a_card and event.by not in before.requesters:
                now["requesters"] = (*before.requesters, event.by)
            if not answers_a_card:
                now["asked"] = event.text
                now["dry_run"] = isinstance(event, ApiMessageReceived) and event.dry_run
        case BranchUpdated():
            now |= {"agent": "pipeline", "requesters": (event.pusher,), "asked": event.subject}
        case HandedOver():
            now |= {
                "agent": event.agent,
                "requesters": event.requesters,
                "asked": event.text,
                "steps": 0,
            }
        case StepChosen():
            by_model = event.model not in ("code", PERSON)
            now |= {"pending": event, "steps": before.steps + by_model}
        case StepFailed():
            now["errors_in_a_row"] = before.errors_in_a_row + 1
        case QuestionAsked():
            now["question"] = event
        case Answered() | ApprovalDenied():
            now |= {"steps": 0, "errors_in_a_row": 0}
        case ApprovalRequested():
            now |= {"request": event.request, "grants": (), "errors_in_a_row": 0, "part": 0}
            now |= {"asked_at": event.at, "reminders": 0, "escalated": False}
        case ApprovalReminded() | ApprovalEscalated() | ApprovalGranted():
            now |= _answering(before, event)
        case EditRequested():
            now |= {"edit": event, "steps": 0, "errors_in_a_row": 0}
        case ApprovalSuperseded(edited_by=by) if by and by not in before.requesters:
            now["requesters"] = (*before.requesters, by)
        case DeployStarted():
            now["started"] = event
        case StopRequested():
            now["stop"] = before.stop or event
        case DeploySucceeded():
            now["errors_in_a_row"] = 0
            if status is Status.APPROVED:
                now |= {"part": before.part + 1, "started": None}
        case ReadReturned() | TestsPassed():
            now["errors_in_a_row"] = 0
        case Slept():
            now["wake_at"] = event.until
        case Forked():
            return Standing()
        case Finished() | Cancelled() | ApprovalExpired() | PlansShown():
            now |= {"requesters": (), "asked": "", "steps": 0, "errors_in_a_row": 0}
            now |= {"agent": "deploy", "dry_run": False}
        case _:
            pass
    return Standing(**(vars(before) | now))


def _check_request(standing: Standing, event: _ABOUT_A_REQUEST) -> None:
    """Refuse what is about another request, another digest, or comes after the expiry."""
    request = standing.request
    if request is None or request.id != event.request_id:
        raise IllegalEventError(_illegal(standing, event))
    wrong = False
    if isinstance(event, ApprovalGranted | ApprovalDenied | EditRequested | DeployStarted):
        wrong = event.digest != request.digest or _is_late(standing, request, event)
    if isinstance(event, _IS_A_PART):
        wrong = wrong or event.part != standing.part
    if wrong:
        raise IllegalEventError(_illegal(standing, event))


def _is_late(
    standing: Standing,
    request: ApprovalRequest,
    event: ApprovalGranted | ApprovalDenied | EditRequested | DeployStarted,
) -> bool:
    """Tell whether the time for it is over; what follows a first change that is live may go on."""
    match event:
        case ApprovalGranted() | EditRequested():
            return event.at >= request.expires_at
        case DeployStarted():
            early = request.start_at is not None and event.at < request.start_at
            return early or (standing.part == 0 and event.at >= request.start_by)
        case _:
            return False


def _more_to_come(standing: Standing) -> bool:
    """Tell whether more is to go live under the approval once this part is; a stop ends it here."""
    request = standing.request
    return request is not None and standing.stop is None and standing.part + 1 < len(request.plans)


def _line(before: Standing, event: Event) -> tuple[str, str] | None:
    """Return the place that the thread waits for or has its turn at; anything else gives it up."""
    match event:
        case LinedUp(service=service, environment=environment):
            return (service, environment)
        case TurnCame() | StepChosen() | ReadReturned():
            return before.line
        case ApprovalRequested(request=request) if request.rule.automatic:
            return before.line
        case ApprovalGranted(by=by) if by == POLICY:
            return before.line
        case _:
            return None


def _answering(
    before: Standing, event: ApprovalReminded | ApprovalEscalated | ApprovalGranted
) -> dict[str, Any]:
    """Note who was called again, or count one more yes: approved when there are enough."""
    if isinstance(event, ApprovalReminded):
        return {"reminders": event.number}
    if isinstance(event, ApprovalEscalated):
        return {"escalated": True}
    grant = Grant.of(event)
    if not before.escalated:
        grant = grant.model_copy(update={"escalated": False})
    grants = (*before.grants, grant)
    met = before.request is not None and is_met(before.request, grants)
    return {"grants": grants, "status": Status.APPROVED if met else before.status}


def _illegal(standing: Standing, event: Event) -> str:
    where = Status.PAUSED if standing.paused else standing.status
    return f"{event.kind} cannot happen while the thread is {where}; nothing was changed."


def fold(events: Iterable[Event], standing: Standing | None = None) -> Standing:
    """Return where `events` lead, from an empty thread or from `standing`."""
    standing = standing or Standing()
    for event in events:
        standing = after(standing, event)
    return standing


@dataclass(frozen=True)
class Thread:
    """One conversation with the bot, as an append-only list of facts."""

    id: str
    events: tuple[Event, ...] = ()
    head: str = ""
    """MAC of the last stored event, hex; "" for an empty thread."""
    standing: Standing = field(default_factory=Standing)

    @property
    def status(self) -> Status:
        """Where the thread stands."""
        return Status.PAUSED if self.standing.paused else self.standing.status

    def extended(self, *events: Event, head: str) -> "Thread":
        """Return the same thread, longer, if the events may happen now."""
        standing = fold(events, self.standing)
        return Thread(self.id, (*self.events, *events), head, standing)

    def due(self, now: datetime, sweep: timedelta = SWEEP) -> datetime | None:
        """When the clock must look at this thread if nobody else has; None for never."""
        standing = self.standing
        request = standing.request
        match Status.DEPLOYING if self.is_deploying else self.status:
            case Status.APPROVED if request and request.start_at and request.start_at > now:
                return request.start_at
            case Status.WORKING | Status.EDITING | Status.APPROVED | Status.DEPLOYING:
                return now + sweep
            case Status.AWAITING_APPROVAL:
                return standing.nudges.next_at if standing.nudges else None
            case Status.SLEEPING:
                return standing.wake_at
            case _:
                return None

    def due_job(self) -> Literal["advance", "operate"]:
        """Which wake-up the clock makes once `due` has come."""
        operates = self.is_deploying or self.status is Status.APPROVED
        return "operate" if operates else self.job() or "advance"

    @property
    def is_deploying(self) -> bool:
        """Whether a claimed change runs, or died: paused or not, it must come to its end."""
        return self.standing.status is Status.DEPLOYING

    def job(self) -> Literal["advance", "operate"] | None:
        """Which wake-up the thread needs now: none while people, a timer or nobody must move."""
        request = self.standing.request
        match self.status:
            case _ if self.is_deploying and self.standing.stop is not None:
                return "operate"  # what runs elsewhere is told at once
            case Status.APPROVED if request and request.start_at and not self.standing.part:
                return None  # the clock wakes it when its time has come
            case Status.APPROVED:
                return "operate"
            case Status.EDITING:
                return "advance"
            case Status.WORKING:
                pending = self.standing.pending
                return "operate" if pending and isinstance(pending.step, RunTests) else "advance"
            case _:
                return None


def thread_id_for(*origin: str) -> str:
    """Return the id of the thread that begins at this place, the same each time."""
    return "t" + hashlib.sha256("\0".join(origin).encode()).hexdigest()[:16]
