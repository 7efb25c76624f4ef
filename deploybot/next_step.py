"""What an agent may choose next: one frozen class per intent, imperative, and their wire form.

Only data. What a step does when it is taken is written in `agent`; which of them a model may
choose, and the schema it is held to, in `prompting`.
"""

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter


class _Intent(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ListGitCommits(_Intent):
    """Read the newest commits of a branch, tag or commit."""

    intent: Literal["list_git_commits"] = "list_git_commits"
    service: str | None = Field(default=None, description="whose repository; null for the first")
    ref: str | None = Field(default=None, description="branch, tag or SHA; null for main")
    limit: int = Field(default=10, description="how many, 1 to 50")


class ListGitTags(_Intent):
    """Read the newest tags."""

    intent: Literal["list_git_tags"] = "list_git_tags"
    service: str | None = Field(default=None, description="whose repository; null for the first")
    limit: int = Field(default=10, description="how many, 1 to 50")


class CheckDeployments(_Intent):
    """Read what is live where, what is held, and what is running."""

    intent: Literal["check_deployments"] = "check_deployments"
    environment: str | None = Field(default=None, description="null for all")


class Deploy(_Intent):
    """Put one commit of a service live. Never runs without an approval."""

    intent: Literal["deploy"] = "deploy"
    service: str
    ref: str = Field(description="branch, tag or SHA that exists in the repository")
    environment: str
    reason: str = Field(description="why, in a few words")
    at: str | None = Field(
        default=None,
        description="when it is to start, as HH:MM or YYYY-MM-DD HH:MM; null for at once",
    )


class Part(BaseModel):
    """One service of several that go live together."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    service: str
    ref: str = Field(description="branch, tag or SHA that exists in its repository")


class DeployTogether(_Intent):
    """Put several services live, one after the other, under one approval. Stops at the first failure."""

    intent: Literal["deploy_together"] = "deploy_together"
    parts: tuple[Part, ...]
    environment: str
    reason: str = Field(description="why, in a few words")
    at: str | None = Field(
        default=None,
        description="when it is to start, as HH:MM or YYYY-MM-DD HH:MM; null for at once",
    )
    in_this_order: bool = False
    """Whether a person said in which order, instead of the configuration; no model may."""


class RollBack(_Intent):
    """Put an earlier, verified release of a service live again. Never runs without an approval."""

    intent: Literal["roll_back"] = "roll_back"
    service: str
    environment: str
    to: str | None = Field(default=None, description="null for the last verified release")
    reason: str = Field(description="why, in a few words")


class RequestHumanInput(_Intent):
    """Ask people a question, and wait for the answer."""

    intent: Literal["request_human_input"] = "request_human_input"
    question: str
    context: str = Field(default="", description="what they need to know to answer")
    urgency: Literal["low", "medium", "high"] = "low"
    format: Literal["free_text", "yes_no", "multiple_choice"] = "free_text"
    choices: tuple[str, ...] = Field(default=(), description="for multiple_choice only")


class Wait(_Intent):
    """Sleep, and look again."""

    intent: Literal["wait"] = "wait"
    seconds: int = Field(description="1 to 604800")
    reason: str


class DoneForNow(_Intent):
    """Nothing is left to do; tell people so."""

    intent: Literal["done_for_now"] = "done_for_now"
    message: str = Field(description="what people read, in one or two sentences")


class NothingToDo(_Intent):
    """Nothing was asked of the bot; keep silent."""

    intent: Literal["nothing_to_do"] = "nothing_to_do"
    message: str = Field(description="why, for the record")


class RunTests(_Intent):
    """Run an environment's end-to-end tests. Chosen by plain code only."""

    intent: Literal["run_tests"] = "run_tests"
    environment: str


class HandOver(_Intent):
    """Give the matter to another agent, with what it needs. Chosen by plain code only."""

    intent: Literal["hand_over"] = "hand_over"
    agent: str
    text: str
    new_thread: bool = False


class ReleaseHold(_Intent):
    """Free a service that was held. Chosen by plain code only, when an approver says just that."""

    intent: Literal["release_hold"] = "release_hold"
    service: str | None
    environment: str
    by: str


class ListHolds(_Intent):
    """Read what is locked and held. Chosen by plain code only, when somebody asks just that."""

    intent: Literal["list_holds"] = "list_holds"


class PlaceHold(_Intent):
    """Lock a service, or change its lock. Chosen by plain code only, when somebody says just that."""

    intent: Literal["place_hold"] = "place_hold"
    service: str | None
    environment: str
    by: str
    how: Literal["locked", "extended", "handed_over", "taken_over"] = "locked"
    reason: str = ""
    seconds: int | None = None
    """How long it lasts from now; how much longer, for `extended`."""
    until: AwareDatetime | None = None
    warn_only: bool = False
    to: str = ""
    """Who gets it, for `handed_over`."""


Change = Deploy | DeployTogether | RollBack
Read = ListGitCommits | ListGitTags | CheckDeployments

NextStep = Annotated[
    ListGitCommits
    | ListGitTags
    | CheckDeployments
    | Deploy
    | DeployTogether
    | RollBack
    | RequestHumanInput
    | Wait
    | DoneForNow
    | NothingToDo
    | RunTests
    | HandOver
    | PlaceHold
    | ReleaseHold
    | ListHolds,
    Field(discriminator="intent"),
]
NEXT_STEP: TypeAdapter[NextStep] = TypeAdapter(NextStep)

BY_MODEL: tuple[type[_Intent], ...] = (
    ListGitCommits,
    ListGitTags,
    CheckDeployments,
    Deploy,
    DeployTogether,
    RollBack,
    RequestHumanInput,
    Wait,
    DoneForNow,
    NothingToDo,
)
"""The intents a model may ever choose; the others belong to plain code."""


def to_wire(step: NextStep) -> dict[str, Any]:
    """Return the step as the model writes it: `deploy` of `backend` is `deploy_backend`."""
    wire = step.model_dump(mode="json")
    if isinstance(step, Deploy | RollBack):
        wire["intent"] = f"{wire['intent']}_{wire.pop('service')}"
    if isinstance(step, Deploy | DeployTogether) and step.at is None:
        wire.pop("at")
    if not wire.get("in_this_order"):
        wire.pop("in_this_order", None)
    return wire


def from_wire(wire: dict[str, Any], services: tuple[str, ...]) -> NextStep:
    """Return the step that the model wrote; pydantic's ValidationError when it is none."""
    intent = str(wire.get("intent", ""))
    for prefix in ("deploy", "roll_back"):
        service = intent.removeprefix(f"{prefix}_")
        if service != intent and service in services:
            wire = {**wire, "intent": prefix, "service": service}
    return NEXT_STEP.validate_python(wire)
