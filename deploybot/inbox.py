"""Takes what people and machines send, once, and decides who may say what.

No I/O of its own: the store and the clock are given. `inbound` turns payloads into what comes in
here; `agent` goes on from what is stored.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from deploybot.answers import closed_question, judge, judge_settling, last_seen_live
from deploybot.errors import ConflictError, DuplicateError, IllegalEventError
from deploybot.events import (
    Answered,
    AnswerRefused,
    ApprovalDenied,
    ApprovalGranted,
    DeployResolved,
    Event,
)
from deploybot.ports import Clockwork, Operation, People, Store
from deploybot.thread import Thread

TRIES = 50
"""How often an append is tried again when others append at the same time."""
REFUSALS_KEPT = 5
"""Refused answers of one person to one request that are stored; further ones only get words."""


@dataclass(frozen=True)
class Answer:
    """One person's yes or no to one request, as their channel delivered it."""

    thread: str
    request_id: str
    digest: str
    approved: bool
    comment: str
    by: str
    channel: str
    address: str
    delivery: str


@dataclass(frozen=True)
class Settling:
    """One person's word on how a change ended that a worker died with, as their channel delivered it."""

    thread: str
    request_id: str
    outcome: Literal["succeeded", "failed"]
    by: str
    delivery: str
    comment: str = ""
    live: str | None = None
    """What the target says is live now, if somebody has asked it."""
    channel: str = "api"
    address: str = ""


@dataclass(frozen=True)
class Receipt:
    """What became of an answer, in words for the person who gave it."""

    accepted: bool
    text: str
    reason_code: str = ""


class Inbox:
    """Appends what comes in: deduplicated, in order, with the wake-ups it asks for."""

    def __init__(self, store: Store, people: People, clock: Clockwork) -> None:
        self._store = store
        self._people = people
        self._clock = clock

    def hear(
        self,
        thread_id: str,
        event: Event,
        *,
        dedupe: Sequence[str] = (),
        aliases: Sequence[str] = (),
    ) -> Thread:
        """Store an event once; a delivery heard before changes nothing.

        Raises IllegalEventError when it cannot happen to the thread as it stands.
        """
        thread = self._store.load(thread_id)
        for _ in range(TRIES):
            try:
                return self._store.append(thread, event, dedupe=dedupe, aliases=aliases)
            except DuplicateError as error:
                return self._store.load(error.thread)
            except ConflictError:
                thread = self._store.load(thread_id)
        raise ConflictError(thread_id, len(thread.events), len(thread.events))

    def answer(self, answer: Answer) -> Receipt:
        """Grant or deny the open request, or refuse in words and keep a note of it."""
        thread = self._store.load(answer.thread)
        for _ in range(TRIES):
            now = self._clock.now()
            event = self._judge(thread, answer, now)
            if isinstance(event, AnswerRefused) and _refused_often(thread, event):
                return Receipt(accepted=False, text=event.text, reason_code=event.reason_code)
            try:
                self._store.append(thread, event, dedupe=(answer.delivery,))
            except DuplicateError:
                return Receipt(accepted=True, text="Heard already.", reason_code="duplicate")
            except ConflictError:
                thread = self._store.load(answer.thread)
                continue
            if isinstance(event, AnswerRefused):
                return Receipt(accepted=False, text=event.text, reason_code=event.reason_code)
            verb = "Approved" if answer.approved else "Denied"
            return Receipt(accepted=True, text=f"{verb}.")
        raise ConflictError(answer.thread, len(thread.events), len(thread.events))

    def settle(self, settling: Settling) -> Receipt:
        """Say how a change of unknown outcome ended, and free its place; or refuse in words."""
        thread = self._store.load(settling.thread)
        for _ in range(TRIES):
            event, release = self._settled(thread, settling)
            if isinstance(event, AnswerRefused) and _refused_often(thread, event):
                return Receipt(accepted=False, text=event.text, reason_code=event.reason_code)
            try:
                self._store.append(thread, event, dedupe=(settling.delivery,), release=release)
            except DuplicateError:
                return Receipt(accepted=True, text="Heard already.", reason_code="duplicate")
            except ConflictError:
                thread = self._store.load(settling.thread)
                continue
            if isinstance(event, AnswerRefused):
                return Receipt(accepted=False, text=event.text, reason_code=event.reason_code)
            how = "live" if settling.outcome == "succeeded" else "failed"
            return Receipt(accepted=True, text=f"Settled as {how}.")
        raise ConflictError(settling.thread, len(thread.events), len(thread.events))

    def _settled(self, thread: Thread, settling: Settling) -> tuple[Event, Operation | None]:
        """Return what the word amounts to, and the operation whose place becomes free by it."""
        now, live = self._clock.now(), settling.live or last_seen_live(thread)
        about, outcome = settling.request_id, settling.outcome
        refusal = judge_settling(
            thread, about, outcome, by=settling.by, live=live, people=self._people
        )
        request, started = thread.standing.request, thread.standing.started
        if refusal or request is None or started is None:
            return AnswerRefused(
                at=now,
                by=settling.by,
                delivery=settling.delivery,
                request_id=about,
                reason_code=refusal.reason_code if refusal else "closed",
                text=refusal.text if refusal else "Nothing is to be settled; nothing changed.",
                channel=settling.channel,
                address=settling.address,
            ), None
        plan = request.plan
        resolved = DeployResolved(
            at=now,
            by=settling.by,
            request_id=request.id,
            outcome=outcome,
            live=plan.sha if outcome == "succeeded" else live,
            comment=settling.comment,
        )
        return resolved, Operation(
            id=started.operation,
            service=plan.service,
            environment=plan.environment,
            thread=thread.id,
            request_id=request.id,
            fence=started.fence,
        )

    def answer_question(
        self,
        thread_id: str,
        question_id: str,
        answer: str,
        *,
        by: str,
        delivery: str,
        channel: str = "api",
        address: str = "",
    ) -> Receipt:
        """Answer the open question, or refuse in words."""
        thread = self._store.load(thread_id)
        for _ in range(TRIES):
            now = self._clock.now()
            event: Event = Answered(
                at=now, by=by, delivery=delivery, question_id=question_id, answer=answer
            )
            question = thread.standing.question
            accepted = question is not None and question.question_id == question_id
            text = "Answered."
            if not accepted:
                text = closed_question(thread, question_id, self._people)
                event = AnswerRefused(
                    at=now,
                    by=by,
                    delivery=delivery,
                    request_id=question_id,
                    reason_code="closed",
                    text=text,
                    channel=channel,
                    address=address,
                )
            try:
                self._store.append(thread, event, dedupe=(delivery,))
            except DuplicateError:
                return Receipt(accepted=True, text="Heard already.", reason_code="duplicate")
            except (ConflictError, IllegalEventError):
                thread = self._store.load(thread_id)
                continue
            return Receipt(accepted, text, "" if accepted else "closed")
        raise ConflictError(thread_id, len(thread.events), len(thread.events))

    def _judge(self, thread: Thread, answer: Answer, now: datetime) -> Event:
        refusal = judge(
            thread,
            answer.request_id,
            answer.digest,
            by=answer.by,
            approved=answer.approved,
            people=self._people,
            now=now,
        )
        if refusal:
            return AnswerRefused(
                at=now,
                by=answer.by,
                delivery=answer.delivery,
                request_id=answer.request_id,
                reason_code=refusal.reason_code,
                text=refusal.text,
                channel=answer.channel,
                address=answer.address,
            )
        if answer.approved:
            return ApprovalGranted(
                at=now,
                by=answer.by,
                delivery=answer.delivery,
                request_id=answer.request_id,
                digest=answer.digest,
                channel=answer.channel,
                comment=answer.comment,
            )
        return ApprovalDenied(
            at=now,
            by=answer.by,
            delivery=answer.delivery,
            request_id=answer.request_id,
            digest=answer.digest,
            channel=answer.channel,
            feedback=answer.comment,
        )


def _refused_often(thread: Thread, refused: AnswerRefused) -> bool:
    """Tell whether this person's refusals about this request are on record often enough."""
    kept = sum(
        isinstance(event, AnswerRefused)
        and event.by == refused.by
        and event.request_id == refused.request_id
        for event in thread.events
    )
    return kept >= REFUSALS_KEPT
