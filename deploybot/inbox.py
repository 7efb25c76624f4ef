"""Takes what people and machines send, once, and decides who may say what.

No I/O of its own: the store and the clock are given. `inbound` turns payloads into what comes in
here; `agent` goes on from what is stored.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from deploybot.answers import closed_question, judge
from deploybot.errors import ConflictError, DuplicateError, IllegalEventError
from deploybot.events import Answered, AnswerRefused, ApprovalDenied, ApprovalGranted, Event
from deploybot.ports import Clockwork, People, Store
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
            if isinstance(event, AnswerRefused) and _refusals(thread, answer) >= REFUSALS_KEPT:
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


def _refusals(thread: Thread, answer: Answer) -> int:
    return sum(
        isinstance(event, AnswerRefused)
        and event.by == answer.by
        and event.request_id == answer.request_id
        for event in thread.events
    )
