"""Which trace a thread's turn belongs to, and what its events tell of it; where spans go is `otlp`'s.

No process hands a trace to the next: ids are derived from the thread, so that the web process, each
job and the clock find the same trace by themselves. A turn begins when a thread at rest is set off,
and ends when it rests again; a thread that another one handed its matter to joins that one's trace.
"""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from deploybot.approvals import POLICY
from deploybot.events import (
    ApprovalDenied,
    ApprovalExpired,
    ApprovalGranted,
    ApprovalRequested,
    ApprovalSuperseded,
    Cancelled,
    Event,
    HandedOver,
    Inbound,
)
from deploybot.thread import Standing, Status, Thread, after

Attributes = Mapping[str, str | int | float | bool]


@dataclass(frozen=True)
class Turn:
    """One turn of a thread: its trace, its own span, and the span that it hangs below, if any."""

    thread: str
    number: int
    """Counted from 1."""
    trace: int
    """128 bits."""
    span: int
    """64 bits."""
    below: int | None = None
    began: datetime | None = None


@dataclass(frozen=True)
class Told:
    """A span that is known at its end alone: what, from when until when, and of which turn."""

    turn: Turn
    name: str
    start: datetime
    end: datetime
    attributes: Attributes = field(default_factory=dict)
    failed: bool = False
    is_turn: bool = False
    """Whether it is the turn's own span."""


class Tracer(Protocol):
    """Makes spans. What cannot be exported is dropped: nothing waits for it, and nothing fails."""

    @property
    def is_on(self) -> bool:
        """Whether anybody gets the spans."""

    @contextmanager
    def job(self, name: str, thread: Thread) -> Iterator[None]:
        """Span a job on this thread, in the trace of its turn; what is spanned within is below it."""

    @contextmanager
    def span(self, name: str, attributes: Attributes | None = None) -> Iterator[dict[str, object]]:
        """Span a part of the job; what is put into the yielded dict becomes attributes."""

    def past(self, name: str, seconds: float, attributes: Attributes, *, failed: bool) -> None:
        """Span a part of the job that has just ended, after so many seconds."""

    def tell(self, *told: Told) -> None:
        """Make spans of what the events tell."""

    def flush(self) -> None:
        """Export what was gathered; called before a job's process ends."""


class NoTracer:
    """What traces nothing: the default."""

    is_on = False

    @contextmanager
    def job(self, name: str, thread: Thread) -> Iterator[None]:
        """Do nothing around the block."""
        yield

    @contextmanager
    def span(self, name: str, attributes: Attributes | None = None) -> Iterator[dict[str, object]]:
        """Do nothing around the block."""
        yield {}

    def past(self, name: str, seconds: float, attributes: Attributes, *, failed: bool) -> None:
        """Do nothing."""

    def tell(self, *told: Told) -> None:
        """Do nothing."""

    def flush(self) -> None:
        """Do nothing."""


def turn_of(thread: Thread) -> Turn:
    """Return the turn that the thread is in, or was in last."""
    standing, number, began = Standing(), 0, None
    for event in thread.events:
        grown = after(standing, event)
        if _begins(standing, grown):
            number, began = number + 1, event.at
        standing = grown
    number = max(number, 1)
    first = thread.events[0] if thread.events else None
    origin = first.from_thread if number == 1 and isinstance(first, HandedOver) else ""
    return Turn(
        thread=thread.id,
        number=number,
        trace=_number("trace", origin or thread.id, 1 if origin else number, size=16),
        span=_number("turn", thread.id, number, size=8),
        below=_number("turn", origin, 1, size=8) if origin else None,
        began=began,
    )


def told(before: Thread, grown: Thread) -> tuple[Told, ...]:
    """Return the spans that end with the events that `grown` has more than `before`."""
    known, spans = len(before.events), list[Told]()
    standing = before.standing
    for index, event in enumerate(grown.events[known:], start=known + 1):
        now = after(standing, event)
        turn = turn_of(Thread(grown.id, grown.events[:index], "", now))
        spans += _ends(turn, standing, now, event)
        standing = now
    return tuple(spans)


def _ends(turn: Turn, standing: Standing, now: Standing, event: Event) -> Iterator[Told]:
    request = standing.request
    if isinstance(event, Inbound) and event.by != POLICY:
        about: Attributes = {"deploybot.event": event.kind}
        yield Told(turn, f"hear {event.kind}", event.at, event.at, about)
    match event:
        case ApprovalRequested(request=asked):
            chosen = standing.pending
            start = chosen.at if chosen else event.at
            yield Told(turn, "propose", start, event.at, {"deploybot.request": asked.id})
        case ApprovalGranted() | ApprovalDenied() | ApprovalExpired() | ApprovalSuperseded() if (
            request is not None
            and standing.status is Status.AWAITING_APPROVAL
            and not request.rule.automatic
        ):
            if now.status is not Status.AWAITING_APPROVAL:
                start = request.expires_at - timedelta(seconds=request.rule.expires_seconds)
                answer: Attributes = {
                    "deploybot.request": request.id,
                    "deploybot.answer": event.kind,
                }
                yield Told(turn, "wait for approval", start, event.at, answer)
        case _:
            pass
    if standing.status is not Status.DONE and now.status is Status.DONE and turn.began:
        failed = isinstance(event, Cancelled | ApprovalExpired)
        ended: Attributes = {"deploybot.turn": turn.number, "deploybot.ended_by": event.kind}
        yield Told(turn, "thread", turn.began, event.at, ended, failed=failed, is_turn=True)


def _begins(before: Standing, grown: Standing) -> bool:
    return before.status is Status.DONE and grown.status is not Status.DONE


def _number(*parts: object, size: int) -> int:
    text = "\0".join(map(str, parts)).encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:size], "big") or 1
