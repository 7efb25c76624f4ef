"""Where a thread stands, as a reader sees it: a label, a tone and a title; no page is made here."""

from dataclasses import dataclass

from deploy.plan import SHORT
from deploybot.events import (
    BranchUpdated,
    DriftFound,
    EmailReceived,
    Event,
    HandedOver,
    HoldPlaced,
)
from deploybot.thread import Status

LONGEST_TITLE = 140


@dataclass(frozen=True)
class Label:
    """A status in a word or two; `tone` is wait, busy, bad, calm or done."""

    status: str
    text: str
    tone: str


LABELS = {
    Status.AWAITING_APPROVAL: Label("awaiting_approval", "Needs approval", "wait"),
    Status.AWAITING_INPUT: Label("awaiting_input", "Needs an answer", "wait"),
    Status.OUTCOME_UNKNOWN: Label("outcome_unknown", "Outcome unknown", "bad"),
    Status.EDITING: Label("editing", "Being edited", "busy"),
    Status.APPROVED: Label("approved", "Approved", "busy"),
    Status.DEPLOYING: Label("deploying", "Deploying", "busy"),
    Status.WORKING: Label("working", "Working", "busy"),
    Status.IN_LINE: Label("in_line", "In line", "calm"),
    Status.SLEEPING: Label("sleeping", "Sleeping", "calm"),
    Status.PAUSED: Label("paused", "Paused", "calm"),
    Status.DONE: Label("done", "Done", "done"),
}
"""In the order in which they matter to people."""
FOR_PEOPLE = (Status.AWAITING_APPROVAL, Status.AWAITING_INPUT, Status.OUTCOME_UNKNOWN)
"""Where nothing goes on without a person."""


def label(status: str) -> Label:
    """Return how a status is called."""
    known = LABELS.get(Status(status)) if status in set(Status) else None
    return known or Label(status, status.replace("_", " ").capitalize() or "Empty", "calm")


def title(first: Event | None) -> str:
    """Return what a thread is about, in a line: how it began."""
    match first:
        case None:
            words = "A thread that this version cannot read"
        case BranchUpdated(branch=branch, after=sha, subject=subject):
            words = f"{branch} → {sha[:SHORT]} {subject}"
        case EmailReceived(subject=subject, text=text):
            words = subject or text
        case HandedOver(text=text):
            words = text[:1].upper() + text[1:]
        case HoldPlaced(hold=hold):
            words = f"Lock on {hold.service or 'every service'}, {hold.environment}"
        case DriftFound(service=service, environment=environment):
            words = f"{service} on {environment} is not what was deployed"
        case _:
            words = getattr(first, "text", "") or first.kind.replace("_", " ").capitalize()
    line = " ".join(words.split())
    return line if len(line) <= LONGEST_TITLE else f"{line[: LONGEST_TITLE - 1]}…"
