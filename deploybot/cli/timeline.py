"""Draws a thread for a terminal: one event after the other, in words; which words is `wording`'s."""

from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError
from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from deploybot.cli.terminal import harmless, one_line
from deploybot.events import (
    EVENT,
    Answered,
    ApprovalDenied,
    ApprovalGranted,
    Cancelled,
    DeployFailed,
    DeployOutcomeUnknown,
    DeploySucceeded,
    Event,
    Message,
    StepFailed,
    TestsFailed,
    TestsPassed,
)
from deploybot.wording import Words, words

LONGEST = 400
"""Letters of a paragraph before the rest is left to --json."""
MOST_LINES = 20

_STYLES: tuple[tuple[Any, str], ...] = (
    (DeploySucceeded | TestsPassed | ApprovalGranted, "green"),
    (DeployFailed | DeployOutcomeUnknown | TestsFailed, "bold red"),
    (StepFailed | ApprovalDenied | Cancelled, "yellow"),
    (Message | Answered, "bold"),
)


def read(stored: Any) -> Event | None:
    """Return the event that the API showed; None when this version does not know its kind."""
    try:
        return EVENT.validate_python(stored, strict=False)
    except ValidationError:
        return None


def entry(seq: int, event: Event) -> Iterator[RenderableType]:
    """Yield the lines of one event: when, what and who, then the words below it."""
    said = words(event)
    style = next((style for kind, style in _STYLES if isinstance(event, kind)), "")
    yield Text(f"{seq:>3} {event.at:%H:%M:%S} {event.kind} · {one_line(event.by)}", style="dim")
    yield _below_it(Text(one_line(said.text), style=style))
    for line in _paragraph(said):
        yield _below_it(Text(line, style="" if said.quoted else "dim"))


def unknown(seq: int, stored: dict[str, Any]) -> Text:
    """Return the line of an event of a newer version."""
    kind = one_line(str(stored.get("kind", "?")))
    return Text(f"{seq:>3} {kind}: this version does not know it; --json shows it", style="dim")


def _paragraph(said: Words) -> Iterator[str]:
    quoted = harmless(said.quoted.strip())
    if len(quoted) > LONGEST:
        quoted = f"{quoted[:LONGEST].rstrip()}… ({len(said.quoted)} letters)"
    lines = f"“{quoted}”".splitlines() if quoted else []
    yield from lines[:MOST_LINES]
    if len(lines) > MOST_LINES:
        yield f"… {len(lines) - MOST_LINES} more lines"
    if len(said.detail) > MOST_LINES:
        yield f"… {len(said.detail) - MOST_LINES} more lines"
    for line in said.detail[-MOST_LINES:]:
        yield one_line(line)[:LONGEST]


def _below_it(text: Text) -> Padding:
    return Padding(text, (0, 0, 0, 6), expand=False)
