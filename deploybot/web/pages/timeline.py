"""A thread's events as a reader sees them: who did what, when, in plain words, a page at a time.

The sentence of each event is `wording`'s; this says whose it is, how it looks and what is cut.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

from deploy.plan import SHORT
from deploybot.approvals import POLICY, ApprovalRequest
from deploybot.events import (
    AnswerRefused,
    ApprovalDenied,
    ApprovalEscalated,
    ApprovalExpired,
    ApprovalGranted,
    ApprovalReminded,
    ApprovalRequested,
    ApprovalSuperseded,
    BranchUpdated,
    DeployFailed,
    DeployOutcomeUnknown,
    DeployResolved,
    DeployStarted,
    DeploySucceeded,
    DriftFound,
    EditRefused,
    Escalated,
    Event,
    Finished,
    Forked,
    ForkMade,
    HandedOver,
    HoldForgotten,
    LinedUp,
    QuestionAsked,
    ReadReturned,
    StepChosen,
    StepFailed,
    TestsFailed,
    TestsPassed,
    TurnCame,
    Woke,
)
from deploybot.phrases import duration
from deploybot.ports import People
from deploybot.prompting.shown import intent_of
from deploybot.wording import words

PAGE = 60
"""Events on one page."""
LONGEST = 700
"""Characters of others' text, and of output, that the timeline shows of one event."""
LINES = 12
"""Lines of output that the timeline shows of one event; the newest ones."""

CHANNELS = {
    "over page": "on a page",
    "over slack": "in Slack",
    "over email": "by mail",
    "over api": "over the API",
}

_SELF_EVIDENT = (
    ApprovalExpired
    | ApprovalReminded
    | ApprovalEscalated
    | ApprovalSuperseded
    | EditRefused
    | DeployStarted
    | DeploySucceeded
    | DeployFailed
    | DeployOutcomeUnknown
    | TestsPassed
    | TestsFailed
    | StepFailed
    | DriftFound
    | HoldForgotten
    | TurnCame
    | Woke
    | BranchUpdated
    | Finished
)
"""Events whose words need nobody's name before them."""
_SMALL = StepChosen | ReadReturned | Woke | TurnCame | LinedUp | AnswerRefused
"""What the bot does by itself on the way, shown in small print."""


@dataclass(frozen=True)
class Entry:
    """One event in the timeline; `tone` is person, bot, good, bad, wait or small."""

    seq: int
    at: datetime
    kind: str
    who: str
    text: str
    tone: str
    quoted: str = ""
    lines: tuple[str, ...] = ()
    cut: bool = False
    """Whether more can be read on the event's own page."""
    link: str = ""
    other_thread: str = ""


@dataclass(frozen=True)
class Chooser:
    """What one model has chosen in a thread, and what that took."""

    model: str
    steps: int = 0
    tokens: int = 0
    ms: int = 0


@dataclass(frozen=True)
class Span:
    """Some entries of a thread, newest last; `before` is where the earlier ones end, 0 for none."""

    entries: tuple[Entry, ...] = field(default_factory=tuple)
    before: int = 0
    is_newest: bool = True


def span(events: Sequence[Event], people: People, before: int = 0) -> Span:
    """Return the page of events that ends before event number `before`; 0 for the newest page."""
    end = len(events) if before <= 0 else max(0, min(before - 1, len(events)))
    start = max(0, end - PAGE)
    requests = {e.request.id: e.request for e in events if isinstance(e, ApprovalRequested)}
    shown = tuple(
        entry(seq, event, people, requests)
        for seq, event in enumerate(events[start:end], start=start + 1)
    )
    return Span(shown, start + 1 if start else 0, end == len(events))


def entry(
    seq: int,
    event: Event,
    people: People,
    requests: Mapping[str, ApprovalRequest] = MappingProxyType({}),
) -> Entry:
    """Return one event as the timeline shows it; `requests` name what a deploy is about."""
    said = words(event)
    about = _about(event, requests)
    text = about or _where(said.text)
    who = "" if isinstance(event, _SELF_EVIDENT) else _who(event.by, people)
    if isinstance(event, ApprovalGranted) and event.by == POLICY:
        who = ""
    lines = tuple(line[:200] for line in said.detail[-LINES:])
    link = getattr(event, "link", "")
    is_said_elsewhere = said.quoted == link or isinstance(event, ApprovalRequested)
    quoted = "" if is_said_elsewhere else said.quoted
    return Entry(
        seq=seq,
        at=event.at,
        kind=event.kind,
        who=who,
        text=text if who or about else text[:1].upper() + text[1:],
        tone=_tone(event),
        quoted=quoted[:LONGEST],
        lines=() if isinstance(event, ApprovalRequested) else lines,
        cut=len(quoted) > LONGEST or len(said.detail) > LINES,
        link=link if link.startswith(("https://", "http://")) else "",
        other_thread=_other_thread(event),
    )


def choosers(events: Sequence[Event]) -> tuple[Chooser, ...]:
    """Return who chose the steps of a thread, in the order in which they first chose."""
    found: dict[str, Chooser] = {}
    for event in events:
        if isinstance(event, StepChosen):
            was = found.get(event.model, Chooser(event.model))
            found[event.model] = Chooser(
                event.model,
                was.steps + 1,
                was.tokens + event.tokens_in + event.tokens_out,
                was.ms + event.ms,
            )
    return tuple(found.values())


def choice_of(event: StepChosen) -> str:
    """Return the name of what was chosen, as the model wrote it."""
    return intent_of(event.step)


def _about(event: Event, requests: Mapping[str, ApprovalRequest]) -> str:
    """Return how a deploy goes, with the name of what is deployed, if that is known."""
    request = requests.get(getattr(event, "request_id", ""))
    part = getattr(event, "part", 0)
    if request is None or part >= len(request.plans):
        return ""
    plan = request.plans[part]
    match event:
        case DeployStarted():
            return f"The deploy of {plan.service} to {plan.environment} started"
        case DeploySucceeded(sha=sha, seconds=seconds):
            after = f"after {duration(seconds)}"
            return f"{plan.service} {sha[:SHORT]} is live on {plan.environment} {after}"
        case _:
            return ""


def _where(text: str) -> str:
    """Return a sentence with the channel as people call it."""
    for ending, name in CHANNELS.items():
        if text.endswith(ending):
            return text.removesuffix(ending) + name
    return text


def _who(by: str, people: People) -> str:
    if by.startswith("agent:") or by in ("clock", "worker", POLICY):
        return "deploybot"
    if by == "github":
        return "GitHub"
    return people.name(by)


def _tone(event: Event) -> str:  # noqa: PLR0911 - a case a tone
    match event:
        case DeploySucceeded() | TestsPassed() | ApprovalGranted() | DeployResolved():
            return "good"
        case DeployFailed() | DeployOutcomeUnknown() | TestsFailed() | Escalated() | DriftFound():
            return "bad"
        case ApprovalSuperseded(edited_by=editor) if editor:
            return "small"
        case ApprovalDenied() | StepFailed() | ApprovalExpired() | ApprovalSuperseded():
            return "bad"
        case EditRefused():
            return "bad"
        case ApprovalRequested() | QuestionAsked():
            return "wait"
        case _ if isinstance(event, _SMALL):
            return "small"
        case _:
            automatic = event.by.startswith("agent:") or event.by in ("clock", "worker", "github")
            return "bot" if automatic else "person"


def _other_thread(event: Event) -> str:
    match event:
        case Forked(from_thread=thread) | ForkMade(thread=thread) | HandedOver(from_thread=thread):
            return thread
        case _:
            return ""
