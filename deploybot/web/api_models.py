"""What the API answers, as models: the description that clients are made from is drawn from them."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from deploy.locks import Hold
from deploy.target import Live
from deploybot.approvals import ApprovalRequest
from deploybot.events import Event
from deploybot.thread import Status, Thread

TITLE_LENGTH = 200


class _Shown(BaseModel):
    model_config = ConfigDict(frozen=True)


class Row(_Shown):
    """One thread in short."""

    id: str = Field(examples=["t7cee3df7a268bd13"])
    status: Status
    url: str = Field(description="Where people find it.")
    title: str = Field(description="How it began: the first words, or what happened, cut.")
    by: str = Field(description="Who began it: a person's id, `service:…`, `github`, `clock`.")
    agent: str
    at: AwareDatetime = Field(description="When its first event happened.")
    updated: AwareDatetime = Field(description="When its last event happened.")
    length: int = Field(description="How many events it has.")


class Rows(_Shown):
    """One page of threads."""

    threads: tuple[Row, ...]
    cursor: str = Field(description='Where the next page begins; `""` at the end.')


class OpenApproval(ApprovalRequest):
    """The open approval: everything that decides what would run, and its digest."""

    kind: Literal["approval"] = "approval"
    approved_by: tuple[str, ...] = ()


class OpenOutcome(ApprovalRequest):
    """A deploy that its worker died with, to be settled by `resolve`."""

    kind: Literal["outcome"] = "outcome"


class OpenQuestion(_Shown):
    """The open question."""

    kind: Literal["question"] = "question"
    id: str
    digest: Literal[""] = ""
    by: str
    at: AwareDatetime
    question: str
    context: str
    urgency: Literal["low", "medium", "high"]
    format: Literal["free_text", "yes_no", "multiple_choice"]
    choices: tuple[str, ...]


Open = Annotated[OpenApproval | OpenQuestion | OpenOutcome, Field(discriminator="kind")]


class Shown(Row):
    """A whole thread."""

    events: tuple[Event, ...] = Field(description="All its events; the first is number 1.")
    request: Open | None = Field(description="What waits for a person's word, if anything.")


class Told(Row):
    """A thread, and what became of the word that was given."""

    text: str = Field(description="What became of it, in a sentence.")


class Running(_Shown):
    """The change that runs somewhere now, or died there."""

    id: str
    thread: str


class Place(_Shown):
    """One service in one environment."""

    service: str
    environment: str
    live: Live | None
    hold: Hold | None
    operation: Running | None
    behind: int | None = Field(description="Commits not live there; null when it cannot be told.")
    line: tuple[str, ...] = Field(description="Threads that wait for it, the next one first.")


class Places(_Shown):
    """What is live where."""

    at: AwareDatetime | None = Field(
        description="When workers asked the targets last; null when they have not yet."
    )
    environments: tuple[Place, ...]


class Lock(_Shown):
    """Who keeps a place as it is, if anybody does."""

    hold: Hold | None = Field(description="The lock of exactly this place.")
    of_the_environment: Hold | None = Field(
        description="The lock of the whole environment, when a service was asked for."
    )


class LockTold(Lock):
    """What became of a wish about a lock, and how things stand now."""

    text: str


class Problem(_Shown):
    """Why a call was refused (RFC 9457)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str = Field(description="What happened, what did not, and what to do next.")
    field: str | None = Field(default=None, description="Which part of the request is at fault.")
    reason_code: str | None = Field(default=None, description="The same reason, for programs.")


def row_of(thread: Thread, url: str) -> Row:
    """Return a thread that has events in short."""
    first, last = thread.events[0], thread.events[-1]
    said = getattr(first, "text", "") or getattr(first, "subject", "") or first.kind
    return Row(
        id=thread.id,
        status=thread.status,
        url=url,
        title=" ".join(said.split())[:TITLE_LENGTH],
        by=first.by,
        agent=thread.standing.agent,
        at=first.at,
        updated=last.at,
        length=len(thread.events),
    )


def open_of(thread: Thread) -> OpenApproval | OpenQuestion | OpenOutcome | None:
    """Return what waits for a person's word, if anything."""
    standing = thread.standing
    request, question = standing.request, standing.question
    if request and standing.status in (
        Status.AWAITING_APPROVAL,
        Status.EDITING,
        Status.APPROVED,
    ):
        grants = tuple(grant.by for grant in standing.grants)
        return OpenApproval(**dict(request), approved_by=grants)
    if request and standing.status is Status.OUTCOME_UNKNOWN:
        return OpenOutcome(**dict(request))
    if question:
        fields = question.model_dump(exclude={"kind", "question_id"})
        return OpenQuestion(id=question.question_id, **fields)
    return None
