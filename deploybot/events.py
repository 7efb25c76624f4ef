"""Everything that can happen to a thread: frozen facts in the past tense, tagged by `kind`.

Only data. What may follow what is written in `thread`; how a fact is shown to the model in
`prompting`, to people in `outbox`.
"""

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter

from deploybot.approvals import ApprovalRequest
from deploybot.next_step import NextStep


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


FACTS = "facts"
"""The intent of a read that no step chose: plain code knew that a model would ask for it."""


class StepChosen(Fact):
    """The next step, and what chose it. Chosen is not taken: that is the next fact."""

    kind: Literal["step_chosen"] = "step_chosen"
    step: NextStep
    model: str
    """Who chose: a model's name, `offline` (the built-in planner) or `code`."""
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


class ApprovalGranted(Inbound):
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


class ApprovalExpired(Fact):
    """Nobody answered in time; nothing ran."""

    kind: Literal["approval_expired"] = "approval_expired"
    request_id: str


class ApprovalSuperseded(Fact):
    """What was shown no longer holds; nothing ran. `changes` says what differs."""

    kind: Literal["approval_superseded"] = "approval_superseded"
    request_id: str
    changes: tuple[str, ...]


class AnswerRefused(Inbound):
    """Somebody tried to answer and may not, or too late; they were told privately."""

    kind: Literal["answer_refused"] = "answer_refused"
    request_id: str
    reason_code: str
    text: str
    channel: str
    address: str = ""
    """Where to tell them: a Slack user id or a mail address."""


# -- deploys -----------------------------------------------------------------------


class DeployStarted(Fact):
    """The approved change was claimed: from here it runs once, or not at all."""

    kind: Literal["deploy_started"] = "deploy_started"
    request_id: str
    digest: str
    operation: str
    fence: int


class DeploySucceeded(Fact):
    """The approved commit is live."""

    kind: Literal["deploy_succeeded"] = "deploy_succeeded"
    request_id: str
    sha: str
    seconds: float
    recovered: bool = False
    """True when a worker died and the target's journal told how it ended."""


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


class DeployOutcomeUnknown(Fact):
    """A worker died in the middle and the target cannot tell; nothing runs there until resolved."""

    kind: Literal["deploy_outcome_unknown"] = "deploy_outcome_unknown"
    request_id: str
    step: str
    live: str | None


class DeployResolved(Fact):
    """A probe or a person settled an unknown outcome."""

    kind: Literal["deploy_resolved"] = "deploy_resolved"
    request_id: str
    outcome: Literal["succeeded", "failed"]
    live: str | None
    comment: str = ""


class HoldReleased(Fact):
    """A person who may approve there freed a service that was held."""

    kind: Literal["hold_released"] = "hold_released"
    service: str
    environment: str
    was: str
    """Why it had been held; "" when it was not."""


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


class Resumed(Fact):
    """A person let the thread go on from where it stood."""

    kind: Literal["resumed"] = "resumed"


class Cancelled(Fact):
    """A person ended it."""

    kind: Literal["cancelled"] = "cancelled"
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
    """This thread began as the first `length` events of another."""

    kind: Literal["forked"] = "forked"
    from_thread: str
    length: int


class Finished(Fact):
    """Nothing is left to do; `message` is told to people unless `silent`."""

    kind: Literal["finished"] = "finished"
    message: str
    silent: bool = False


Event = Annotated[
    SlackMessageReceived
    | EmailReceived
    | ApiMessageReceived
    | BranchUpdated
    | ScheduleFired
    | StepChosen
    | ReadReturned
    | StepFailed
    | TestsPassed
    | TestsFailed
    | QuestionAsked
    | Answered
    | ApprovalRequested
    | ApprovalGranted
    | ApprovalDenied
    | ApprovalExpired
    | ApprovalSuperseded
    | AnswerRefused
    | DeployStarted
    | DeploySucceeded
    | DeployFailed
    | DeployOutcomeUnknown
    | DeployResolved
    | HoldReleased
    | Slept
    | Woke
    | Paused
    | Resumed
    | Cancelled
    | Escalated
    | HandedOver
    | Forked
    | Finished,
    Field(discriminator="kind"),
]
EVENT: TypeAdapter[Event] = TypeAdapter(Event)

Message = SlackMessageReceived | EmailReceived | ApiMessageReceived
"""A person's words."""
