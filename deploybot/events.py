"""Everything that can happen to a thread: frozen facts in the past tense, tagged by `kind`.

Only data. What may follow what is written in `thread`; how a fact is shown to the model in
`prompting`, to people in `outbox`.
"""

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter

from deploy.locks import Hold
from deploy.plan import Plan
from deploybot.approvals import ApprovalRequest, Standing
from deploybot.next_step import Change, NextStep


class Fact(BaseModel):
    """Something that happened, when, and by whom.

    `by` is one person across all channels (`ann`), a stranger as their channel knows them
    (`slack:U024BE7LH`), or `agent:<name>`, `policy`, `clock`, `github`, `worker`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: AwareDatetime
    by: str


class Inbound(Fact):
    """Something that came from outside, once: `delivery` is the key it is told apart by."""

    delivery: str


# -- what came in ------------------------------------------------------------------


class SlackMessageReceived(Inbound):
    """Someone wrote in a Slack channel or thread, or to the bot directly."""

    kind: Literal["slack_message_received"] = "slack_message_received"
    channel: str
    ts: str
    thread_ts: str
    user: str
    name: str
    text: str
    command: str = ""
    """The slash command that it was written behind: then there is no message, and no `ts`."""


class MessageAltered(Inbound):
    """Someone edited or deleted a message in Slack after it was heard; what was heard counts."""

    kind: Literal["message_altered"] = "message_altered"
    how: Literal["edited", "deleted"]
    channel: str
    ts: str
    under_way: bool = True
    """Whether the thread had not come to its end, so that people are told."""


class EmailReceived(Inbound):
    """Someone wrote a mail; `text` is what they wrote, without what they quoted."""

    kind: Literal["email_received"] = "email_received"
    address: str
    name: str
    subject: str
    text: str
    message_id: str


class ApiMessageReceived(Inbound):
    """Someone wrote over the API, the command line or the pages."""

    kind: Literal["api_message_received"] = "api_message_received"
    text: str
    dry_run: bool = False
    """Whether what comes of it is only shown: nothing is proposed, and nothing can run."""


class BranchUpdated(Inbound):
    """A branch of a configured repository moved."""

    kind: Literal["branch_updated"] = "branch_updated"
    repository: str
    branch: str
    before: str
    after: str
    pusher: str
    subject: str = ""


class ScheduleFired(Inbound):
    """A configured time came."""

    kind: Literal["schedule_fired"] = "schedule_fired"
    name: str
    text: str


# -- what the agent did ------------------------------------------------------------


PERSON = "person"
"""What a step's `model` is when a person chose it, by editing what was asked for."""
FACTS = "facts"
"""The intent of a read that no step chose: plain code knew that a model would ask for it."""


class StepChosen(Fact):
    """The next step, and what chose it. Chosen is not taken: that is the next fact."""

    kind: Literal["step_chosen"] = "step_chosen"
    step: NextStep
    model: str
    """Who chose: a model's name, `offline` (the built-in planner), `code` or `person`."""
    prompt: str = ""
    """Digest of the prompt templates, 12 hex digits."""
    tokens_in: int = 0
    tokens_out: int = 0
    ms: int = 0
    note: str = ""
    """Which models were to choose before, and why they did not."""


class ReadReturned(Fact):
    """A read ended; `result` is plain JSON."""

    kind: Literal["read_returned"] = "read_returned"
    intent: str
    """What was read; `facts` for what plain code read before it asked a model."""
    result: Any


class StepFailed(Fact):
    """A step could not be taken: a stable code, and what happened in a sentence."""

    kind: Literal["step_failed"] = "step_failed"
    intent: str
    code: str
    error: str


class TestsPassed(Fact):
    """An environment's end-to-end tests passed against what is live there."""

    __test__ = False  # not a test, whatever its name begins with

    kind: Literal["tests_passed"] = "tests_passed"
    environment: str
    live: dict[str, str]
    """Service → SHA that was live while the tests ran."""
    summary: str
    seconds: float


class TestsFailed(Fact):
    """An environment's end-to-end tests failed; `tail` is the end of what they printed."""

    __test__ = False

    kind: Literal["tests_failed"] = "tests_failed"
    environment: str
    live: dict[str, str]
    summary: str
    tail: tuple[str, ...]
    seconds: float


class LinedUp(Fact):
    """The place is not free: the change waits in line for it, and is planned anew in its turn."""

    kind: Literal["lined_up"] = "lined_up"
    service: str
    environment: str
    position: int
    """1 for the next one."""
    why: str
    """What stands in the way, in a sentence that names it."""
    first: bool = False
    """Whether it goes before those who wait already: the way back to what worked."""


class TurnCame(Fact):
    """The place is free, and this thread is the next in line."""

    kind: Literal["turn_came"] = "turn_came"
    service: str
    environment: str


class PlansShown(Fact):
    """What would run was shown to whoever asked for a dry run; nothing runs, and nothing waits."""

    kind: Literal["plans_shown"] = "plans_shown"
    plans: tuple[Plan, ...]
    start_at: AwareDatetime | None = None


class DriftFound(Fact):
    """What is live is not what was last put there by a deploy of ours."""

    kind: Literal["drift_found"] = "drift_found"
    service: str
    environment: str
    live: str | None
    expected: str | None


# -- people ------------------------------------------------------------------------


class QuestionAsked(Fact):
    """The agent asked people something."""

    kind: Literal["question_asked"] = "question_asked"
    question_id: str
    question: str
    context: str = ""
    urgency: Literal["low", "medium", "high"] = "low"
    format: Literal["free_text", "yes_no", "multiple_choice"] = "free_text"
    choices: tuple[str, ...] = ()


class Answered(Inbound):
    """A person answered the open question by a button, a form or a reply."""

    kind: Literal["answered"] = "answered"
    question_id: str
    answer: str


class ApprovalRequested(Fact):
    """People were asked to approve exactly this."""

    kind: Literal["approval_requested"] = "approval_requested"
    request: ApprovalRequest


class ApprovalGranted(Inbound, Standing):
    """A person who may, or the environment's standing rule, approved the open request."""

    kind: Literal["approval_granted"] = "approval_granted"
    request_id: str
    digest: str
    channel: str
    comment: str = ""


class ApprovalDenied(Inbound):
    """A person who may said no, and why; the agent reads it."""

    kind: Literal["approval_denied"] = "approval_denied"
    request_id: str
    digest: str
    channel: str
    feedback: str


class ApprovalReminded(Fact):
    """Those who can still approve were called again; each time after twice as long."""

    kind: Literal["approval_reminded"] = "approval_reminded"
    request_id: str
    number: int
    """1 for the first time."""


class ApprovalEscalated(Fact):
    """Nobody approved for long: the next people may, too, and were called."""

    kind: Literal["approval_escalated"] = "approval_escalated"
    request_id: str
    to: tuple[str, ...]
    """Who they are, as looked up then."""


class ApprovalExpired(Fact):
    """Nobody answered in time; nothing ran."""

    kind: Literal["approval_expired"] = "approval_expired"
    request_id: str


class ApprovalSuperseded(Fact):
    """What was shown no longer holds; nothing ran. `changes` says what differs."""

    kind: Literal["approval_superseded"] = "approval_superseded"
    request_id: str
    changes: tuple[str, ...]
    edited_by: str = ""
    """Whose edit took its place; they are one of those who asked from here on."""


class EditRequested(Inbound):
    """Somebody wants another change instead; until that is planned, nobody can approve."""

    kind: Literal["edit_requested"] = "edit_requested"
    request_id: str
    digest: str
    step: Annotated[Change, Field(discriminator="intent")]
    """What they want instead, whole."""
    channel: str
    comment: str = ""


class EditRefused(Fact):
    """What somebody wanted instead cannot be had, or is what was shown: the request is open as it was."""

    kind: Literal["edit_refused"] = "edit_refused"
    request_id: str
    reason_code: str
    error: str


class AnswerRefused(Inbound):
    """Somebody tried to answer and may not, or too late; they were told privately."""

    kind: Literal["answer_refused"] = "answer_refused"
    request_id: str
    reason_code: str
    text: str
    channel: str
    address: str = ""
    """Where to tell them: a Slack user id or a mail address."""


class MailBounced(Inbound):
    """A mail of the bot did not reach its reader; until then, they are asked by other ways."""

    kind: Literal["mail_bounced"] = "mail_bounced"
    person: str
    """Whose mail it was: a known person, or a stranger as mail knows them."""
    address: str
    until: AwareDatetime


# -- deploys -----------------------------------------------------------------------


class DeployStarted(Fact):
    """The approved change was claimed: from here it runs once, or not at all."""

    kind: Literal["deploy_started"] = "deploy_started"
    request_id: str
    digest: str
    operation: str
    fence: int
    part: int = 0
    """Which of the request's changes, counted from 0."""


class DeploySucceeded(Fact):
    """The approved commit is live."""

    kind: Literal["deploy_succeeded"] = "deploy_succeeded"
    request_id: str
    sha: str
    seconds: float
    recovered: bool = False
    """True when a worker died and the target's journal told how it ended."""
    part: int = 0
    link: str = ""
    """Where the target shows the run, if it does."""


class DeployFailed(Fact):
    """The change did not go live; `live` is what is."""

    kind: Literal["deploy_failed"] = "deploy_failed"
    request_id: str
    step: str
    error: str
    live: str | None
    began: bool = True
    tail: tuple[str, ...] = ()
    recovered: bool = False
    part: int = 0
    link: str = ""
    held: bool = False
    """Whether nothing is deployed there until an approver frees it: the way back failed, too."""


class DeployOutcomeUnknown(Fact):
    """A worker died in the middle and the target cannot tell; nothing runs there until resolved."""

    kind: Literal["deploy_outcome_unknown"] = "deploy_outcome_unknown"
    request_id: str
    step: str
    live: str | None
    part: int = 0
    link: str = ""


class DeployResolved(Fact):
    """A probe or a person settled an unknown outcome."""

    kind: Literal["deploy_resolved"] = "deploy_resolved"
    request_id: str
    outcome: Literal["succeeded", "failed"]
    live: str | None
    comment: str = ""
    part: int = 0


class StopRequested(Inbound):
    """A person wants the running deploy to stop at its next safe step."""

    kind: Literal["stop_requested"] = "stop_requested"
    reason: str = ""


class HoldPlaced(Inbound):
    """A person locked a service, or changed a lock: for longer, for another owner."""

    kind: Literal["hold_placed"] = "hold_placed"
    hold: Hold
    how: Literal["locked", "extended", "handed_over", "taken_over"] = "locked"
    was_owner: str = ""
    """Whose it was before it changed hands."""


class HoldForgotten(Fact):
    """A lock has stood for long without a word; its owner is reminded."""

    kind: Literal["hold_forgotten"] = "hold_forgotten"
    hold: Hold


class HoldReleased(Fact):
    """A person who may freed a service, or a whole environment (service ""), that was held."""

    kind: Literal["hold_released"] = "hold_released"
    service: str
    environment: str
    was: str
    """Why it had been held; "" when it was not."""
    delivery: str = ""
    was_owner: str = ""
    """Whose lock it was."""


# -- the thread itself -------------------------------------------------------------


class Slept(Fact):
    """The agent chose to look again later."""

    kind: Literal["slept"] = "slept"
    until: AwareDatetime
    reason: str


class Woke(Fact):
    """The time came."""

    kind: Literal["woke"] = "woke"


class Paused(Fact):
    """A person stopped the thread; it hears, and starts nothing."""

    kind: Literal["paused"] = "paused"
    delivery: str = ""


class Resumed(Fact):
    """A person let the thread go on from where it stood."""

    kind: Literal["resumed"] = "resumed"
    delivery: str = ""


class Cancelled(Fact):
    """A person ended it."""

    kind: Literal["cancelled"] = "cancelled"
    delivery: str = ""
    reason: str = ""


class Escalated(Fact):
    """The agent cannot go on; people must."""

    kind: Literal["escalated"] = "escalated"
    reason: str


class HandedOver(Fact):
    """The matter went to an agent, with what it needs already fetched."""

    kind: Literal["handed_over"] = "handed_over"
    agent: str
    text: str
    requesters: tuple[str, ...] = ()
    from_thread: str = ""
    context: Any = None
    delivery: str = ""


class Forked(Fact):
    """Everything before this is a copy: the first `length` events of another thread, with nothing open."""

    kind: Literal["forked"] = "forked"
    from_thread: str
    length: int


class ForkMade(Fact):
    """Somebody began another thread with the first `length` events of this one."""

    kind: Literal["fork_made"] = "fork_made"
    thread: str
    length: int


class Finished(Fact):
    """Nothing is left to do; `message` is told to people unless `silent`."""

    kind: Literal["finished"] = "finished"
    message: str
    silent: bool = False


Event = Annotated[
    SlackMessageReceived
    | MessageAltered
    | EmailReceived
    | ApiMessageReceived
    | BranchUpdated
    | ScheduleFired
    | StepChosen
    | ReadReturned
    | StepFailed
    | TestsPassed
    | TestsFailed
    | LinedUp
    | TurnCame
    | PlansShown
    | DriftFound
    | QuestionAsked
    | Answered
    | ApprovalRequested
    | ApprovalGranted
    | ApprovalDenied
    | ApprovalReminded
    | ApprovalEscalated
    | ApprovalExpired
    | ApprovalSuperseded
    | EditRequested
    | EditRefused
    | AnswerRefused
    | MailBounced
    | DeployStarted
    | DeploySucceeded
    | DeployFailed
    | DeployOutcomeUnknown
    | DeployResolved
    | StopRequested
    | HoldPlaced
    | HoldForgotten
    | HoldReleased
    | Slept
    | Woke
    | Paused
    | Resumed
    | Cancelled
    | Escalated
    | HandedOver
    | Forked
    | ForkMade
    | Finished,
    Field(discriminator="kind"),
]
EVENT: TypeAdapter[Event] = TypeAdapter(Event)

Message = SlackMessageReceived | EmailReceived | ApiMessageReceived
"""A person's words."""
