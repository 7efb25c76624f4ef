"""Takes what people and machines send, once, and decides who may say what.

No I/O of its own: the store and the clock are given. `inbound` turns payloads into what comes in
here; `agent` goes on from what is stored.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from deploy.catalog import Catalog
from deploybot import stopping
from deploybot.answers import (
    UNKNOWN_PERSON,
    Said,
    judge,
    judge_settling,
    last_seen_live,
    standing_against,
    unconfirmed,
)
from deploybot.approvals import Refusal, Rights, Standing, standing_of
from deploybot.closed import closed_question
from deploybot.directory import ConfiguredDirectory, rights_now, stand_ins_now
from deploybot.editing import Edit, against, judge_edit, wanted
from deploybot.errors import (
    ConflictError,
    DuplicateError,
    IllegalEventError,
    LookupFailedError,
    NotAllowedError,
)
from deploybot.events import (
    Answered,
    AnswerRefused,
    ApprovalDenied,
    ApprovalGranted,
    Cancelled,
    DeployResolved,
    EditRequested,
    Event,
    Forked,
    ForkMade,
    Message,
    Paused,
    Resumed,
    SlackMessageReceived,
)
from deploybot.ports import Clockwork, Directory, Operation, People, Store
from deploybot.questions import read_answer
from deploybot.stopping import SERVICE, Wish
from deploybot.thread import Status, Thread, thread_id_for

TRIES = 50
"""How often an append is tried again when others append at the same time."""
BEING_PLANNED = "Being planned anew. A new card follows, or the thread says why there is none."
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
    confirmed: bool = False
    """Whether what must be confirmed on its own was."""
    break_glass: str = ""
    """Why it is to be approved alone, in an emergency; "" for an ordinary answer."""


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


@dataclass(frozen=True)
class _Word:
    """What somebody's word amounts to: an event, what they are told, and what becomes free by it."""

    event: Event
    text: str = ""
    release: Operation | None = None


class Inbox:
    """Appends what comes in: deduplicated, in order, with the wake-ups it asks for.

    With a `catalog`, nobody approves what a freeze, a lock or a changed configuration forbids now.
    """

    def __init__(
        self,
        store: Store,
        people: People,
        clock: Clockwork,
        catalog: Catalog | None = None,
        *,
        directory: Directory | None = None,
    ) -> None:
        self._directory = directory or ConfiguredDirectory(catalog.groups if catalog else {})
        self._store = store
        self._people = people
        self._clock = clock
        self._catalog = catalog

    def hear(
        self,
        thread_id: str,
        event: Event,
        *,
        dedupe: Sequence[str] = (),
        aliases: Sequence[str] = (),
    ) -> Thread:
        """Store an event once; a delivery heard before changes nothing.

        A message that says nothing but stop stops what was approved, or runs, if its sender may.
        What is written in Slack below an open question is its answer, if it fits.
        Raises IllegalEventError when it cannot happen to the thread as it stands.
        """
        thread = self._store.load(thread_id)
        for _ in range(TRIES):
            also = stopping.said(thread, event, self._people) if isinstance(event, Message) else ()
            heard = _as_an_answer(thread, event)
            try:
                return self._store.append(thread, heard, *also, dedupe=dedupe, aliases=aliases)
            except DuplicateError as error:
                return self._store.load(error.thread)
            except ConflictError:
                thread = self._store.load(thread_id)
        raise ConflictError(thread_id, len(thread.events), len(thread.events))

    def answer(self, answer: Answer) -> Receipt:
        """Grant or deny the open request, or refuse in words and keep a note of it."""

        def word(thread: Thread) -> _Word:
            said = "Approved." if answer.approved else "Denied."
            return _Word(self._judge(thread, answer, self._clock.now()), said)

        return self._take(answer.thread, answer.delivery, word)

    def refusal(self, answer: Answer) -> Refusal | None:
        """Return why this answer would not count now, or None; nothing is stored."""
        thread = self._store.load(answer.thread)
        return self._refusal(thread, answer, self._clock.now())[0]

    def edit(self, edit: Edit) -> Receipt:
        """Have the open request planned anew as somebody wants it instead, or say why not.

        A refusal is told to whoever tried, and stored nowhere: the request is open as it was.
        """
        thread = self._store.load(edit.thread)
        for _ in range(TRIES):
            if _was_heard(thread, edit.delivery):
                return Receipt(accepted=True, text=BEING_PLANNED, reason_code="duplicate")
            judged = self._edited(thread, edit)
            if isinstance(judged, Receipt):
                return judged
            try:
                self._store.append(thread, judged, dedupe=(edit.delivery,))
            except DuplicateError:
                return Receipt(accepted=True, text=BEING_PLANNED, reason_code="duplicate")
            except ConflictError:
                thread = self._store.load(edit.thread)
            else:
                return Receipt(accepted=True, text=BEING_PLANNED)
        raise ConflictError(edit.thread, len(thread.events), len(thread.events))

    def edit_refusal(self, edit: Edit) -> Refusal | None:
        """Return why this person may not edit the request now, or None; nothing is stored."""
        return self._edit_refusal(self._store.load(edit.thread), edit, self._clock.now())

    def _edit_refusal(self, thread: Thread, edit: Edit, now: datetime) -> Refusal | None:
        rights = self._rights(thread, edit.request_id, edit.by, edit.channel)
        return judge_edit(thread, edit, people=self._people, rights=rights, now=now)

    def _edited(self, thread: Thread, edit: Edit) -> Receipt | Event:
        """Return the wish to have it otherwise, if this person may and it makes sense."""
        now, request = self._clock.now(), thread.standing.request
        refusal = self._edit_refusal(thread, edit, now)
        if refusal is not None or request is None or self._catalog is None:
            text = refusal.text if refusal else "Nothing can be edited here, so nothing changed."
            code = refusal.reason_code if refusal else "closed"
            return Receipt(accepted=False, text=text, reason_code=code)
        step = wanted(request, edit, self._catalog, now)
        if isinstance(step, Refusal):
            return Receipt(accepted=False, text=step.text, reason_code=step.reason_code)
        if why := against(request, edit, step, self._catalog, self._store.holds(), now):
            return Receipt(accepted=False, text=why[1], reason_code=why[0])
        return EditRequested(
            at=now,
            by=edit.by,
            delivery=edit.delivery,
            request_id=request.id,
            digest=request.digest,
            step=step,
            channel=edit.channel,
            comment=edit.comment,
        )

    def settle(self, settling: Settling) -> Receipt:
        """Say how a change of unknown outcome ended, and free its place; or refuse in words."""
        return self._take(
            settling.thread, settling.delivery, lambda thread: self._settled(thread, settling)
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

        def word(thread: Thread) -> _Word:
            now, question = self._clock.now(), thread.standing.question
            if question is not None and question.question_id == question_id:
                answered = Answered(
                    at=now, by=by, delivery=delivery, question_id=question_id, answer=answer
                )
                return _Word(answered, "Answered.")
            refused = AnswerRefused(
                at=now,
                by=by,
                delivery=delivery,
                request_id=question_id,
                reason_code="closed",
                text=closed_question(thread, question_id, self._people),
                channel=channel,
                address=address,
            )
            return _Word(refused)

        return self._take(thread_id, delivery, word)

    def _take(self, thread_id: str, delivery: str, word: Callable[[Thread], _Word]) -> Receipt:
        """Store what somebody's word amounts to, judged against the thread as it then stands."""
        thread = self._store.load(thread_id)
        for _ in range(TRIES):
            said = word(thread)
            refused = said.event if isinstance(said.event, AnswerRefused) else None
            if refused is None or not _refused_often(thread, refused):
                try:
                    self._store.append(thread, said.event, dedupe=(delivery,), release=said.release)
                except DuplicateError:
                    return Receipt(accepted=True, text="Heard already.", reason_code="duplicate")
                except ConflictError:
                    thread = self._store.load(thread_id)
                    continue
            if refused:
                return Receipt(accepted=False, text=refused.text, reason_code=refused.reason_code)
            return Receipt(accepted=True, text=said.text)
        raise ConflictError(thread_id, len(thread.events), len(thread.events))

    # -- the thread itself ---------------------------------------------------------

    def pause(self, thread_id: str, *, by: str, delivery: str) -> Thread:
        """Let the thread start nothing until it is resumed; what runs comes to its end.

        This and its neighbours raise NotAllowedError for strangers, and IllegalEventError when it
        cannot happen to the thread as it stands. A delivery heard before changes nothing.
        """
        now = self._clock.now()
        return self._move(
            thread_id,
            lambda _: Paused(at=now, by=by, delivery=delivery),
            by=by,
            delivery=delivery,
        )

    def resume(self, thread_id: str, *, by: str, delivery: str) -> Thread:
        """Let a paused thread go on from where it stands."""
        now = self._clock.now()
        return self._move(
            thread_id,
            lambda _: Resumed(at=now, by=by, delivery=delivery),
            by=by,
            delivery=delivery,
        )

    def cancel(self, thread_id: str, *, by: str, delivery: str, reason: str = "") -> Thread:
        """End the thread; a deploy that runs is asked to stop at its next safe step instead."""
        wish = Wish(by=by, at=self._clock.now(), delivery=delivery, reason=reason)

        def event(thread: Thread) -> Event:
            if thread.standing.status is Status.DEPLOYING:
                return self._stopped(thread, wish)
            return Cancelled(at=wish.at, by=by, delivery=delivery, reason=reason)

        return self._move(thread_id, event, by=by, delivery=delivery)

    def stop(self, thread_id: str, *, by: str, delivery: str, reason: str = "") -> Thread:
        """Stop what runs at its next safe step, or what was approved before it starts.

        Raises NotAllowedError for who may not, too, and IllegalEventError when there is neither.
        """
        wish = Wish(by=by, at=self._clock.now(), delivery=delivery, reason=reason)
        return self._move(
            thread_id, lambda thread: self._stopped(thread, wish), by=by, delivery=delivery
        )

    def _stopped(self, thread: Thread, wish: Wish) -> Event:
        match stopping.stop(thread, wish, self._people):
            case None:
                raise IllegalEventError("Nothing runs here or is about to, so nothing was stopped.")
            case Refusal(text=text, reason_code=code):
                raise NotAllowedError(text, reason_code=code)
            case event:
                return event

    def fork(self, thread_id: str, at: int, *, by: str, delivery: str) -> Thread:
        """Begin a thread with the first `at` events of another, and nothing open; link them both.

        What was copied is told to nobody again, and nothing of it runs. Raises NotAllowedError for
        strangers, IllegalEventError when there are no such events.
        """
        self._require_known(by)
        origin = self._store.load(thread_id)
        if not 1 <= at <= len(origin.events):
            raise IllegalEventError(
                f"The thread has {len(origin.events)} events, so it cannot be forked after event "
                f"{at}; nothing was changed."
            )
        fork_id = thread_id_for("fork", delivery)
        forked = Forked(at=self._clock.now(), by=by, from_thread=thread_id, length=at)
        try:
            fork = self._store.append(
                Thread(fork_id), *origin.events[:at], forked, dedupe=(delivery,)
            )
        except (DuplicateError, ConflictError):
            fork = self._store.load(fork_id)
        made = ForkMade(at=forked.at, by=by, thread=fork_id, length=at)
        self.hear(thread_id, made, dedupe=(f"{delivery}/made",))
        return fork

    def _move(
        self, thread_id: str, event: Callable[[Thread], Event], *, by: str, delivery: str
    ) -> Thread:
        """Store what is to happen to the thread as it then stands, once."""
        self._require_known(by)
        thread = self._store.load(thread_id)
        for _ in range(TRIES):
            if _was_heard(thread, delivery):
                return thread
            try:
                return self._store.append(thread, event(thread), dedupe=(delivery,))
            except DuplicateError as error:
                return self._store.load(error.thread)
            except ConflictError:
                thread = self._store.load(thread_id)
        raise ConflictError(thread_id, len(thread.events), len(thread.events))

    def _require_known(self, by: str) -> None:
        if self._people.get(by) is None and not by.startswith(SERVICE):
            raise NotAllowedError(UNKNOWN_PERSON)

    def _settled(self, thread: Thread, settling: Settling) -> _Word:
        """Return what the word amounts to, and the operation whose place becomes free by it."""
        now, live = self._clock.now(), settling.live or last_seen_live(thread)
        about, outcome = settling.request_id, settling.outcome
        rights = self._rights(thread, about, settling.by, settling.channel)
        refusal = judge_settling(
            thread, about, outcome, by=settling.by, live=live, people=self._people, rights=rights
        )
        request, started = thread.standing.request, thread.standing.started
        if refusal or request is None or started is None:
            refused = AnswerRefused(
                at=now,
                by=settling.by,
                delivery=settling.delivery,
                request_id=about,
                reason_code=refusal.reason_code if refusal else "closed",
                text=refusal.text if refusal else "Nothing is to be settled; nothing changed.",
                channel=settling.channel,
                address=settling.address,
            )
            return _Word(refused)
        plan = request.plans[thread.standing.part]
        resolved = DeployResolved(
            at=now,
            by=settling.by,
            request_id=request.id,
            outcome=outcome,
            live=plan.sha if outcome == "succeeded" else live,
            comment=settling.comment,
            part=thread.standing.part,
        )
        release = Operation(
            id=started.operation,
            service=plan.service,
            environment=plan.environment,
            thread=thread.id,
            request_id=request.id,
            fence=started.fence,
        )
        how = "live" if outcome == "succeeded" else "failed"
        return _Word(resolved, f"Settled as {how}.", release)

    def _rights(
        self, thread: Thread, request_id: str, person: str, channel: str
    ) -> Rights | Refusal:
        """Look up anew who may answer the open request; a Refusal when that cannot be found out."""
        request = thread.standing.request
        if request is None or request.id != request_id:
            return Rights()  # closed: nobody's right is asked for
        try:
            stand_ins = self._stand_ins(request.plan.environment)
            return rights_now(self._directory, request.rule, [(person, channel)], stand_ins)
        except LookupFailedError as error:
            return Refusal(
                reason_code="rights_unknown",
                text=f"Whether you may answer could not be checked: {error}. Nothing was approved "
                "and nothing changed; try again in a minute.",
            )

    def _stand_ins(self, environment: str) -> dict[str, tuple[str, ...]]:
        table = self._catalog.environments.get(environment) if self._catalog else None
        zone = table.time_zone if table else "UTC"
        return stand_ins_now(self._people, zone, self._clock.now())

    def _refusal(
        self, thread: Thread, answer: Answer, now: datetime
    ) -> tuple[Refusal | None, Rights | Refusal]:
        """Return why the answer does not count, if it does not, and the rights it was judged by."""
        rights = self._rights(thread, answer.request_id, answer.by, answer.channel)
        said = Said(
            answer.request_id,
            answer.digest,
            answer.by,
            answer.approved,
            breaks_glass=bool(answer.break_glass),
        )
        refusal = judge(thread, said, people=self._people, now=now, rights=rights)
        return refusal, rights

    def _judge(self, thread: Thread, answer: Answer, now: datetime) -> Event:
        refusal, rights = self._refusal(thread, answer, now)
        against: tuple[str, str] | tuple[()] = ()
        if refusal:
            against = (refusal.reason_code, refusal.text)
        elif answer.approved and not answer.confirmed and (asked := unconfirmed(thread)):
            against = ("confirmation_needed", asked)
        elif answer.approved and self._catalog:
            against = standing_against(
                thread,
                self._catalog,
                self._store.holds(),
                now,
                breaks_glass=bool(answer.break_glass),
            )
        if against:
            code, text = against
            return AnswerRefused(
                at=now,
                by=answer.by,
                delivery=answer.delivery,
                request_id=answer.request_id,
                reason_code=code,
                text=text,
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
                **_as_whom(thread, answer, rights),
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


def _as_an_answer(thread: Thread, event: Event) -> Event:
    """Return what is written below an open question as its answer, if it is one; else the event."""
    question = thread.standing.question
    if question is None or not isinstance(event, SlackMessageReceived):
        return event
    answer = read_answer(question, event.text)
    if answer is None:
        return event
    return Answered(
        at=event.at,
        by=event.by,
        delivery=event.delivery,
        question_id=question.question_id,
        answer=answer,
    )


def _as_whom(thread: Thread, answer: Answer, rights: Rights | Refusal) -> dict[str, Any]:
    """Return what was found out for this approval, to be kept with it."""
    request = thread.standing.request
    if request is None or isinstance(rights, Refusal):
        return {}
    escalated = thread.standing.escalated
    found = standing_of(request, answer.by, rights, escalated=escalated) or Standing()
    return dict(found.model_copy(update={"break_glass": answer.break_glass}))


def _was_heard(thread: Thread, delivery: str) -> bool:
    """Tell whether the thread holds what came with this delivery: it may have made itself illegal."""
    return any(getattr(event, "delivery", None) == delivery for event in thread.events)


def _refused_often(thread: Thread, refused: AnswerRefused) -> bool:
    """Tell whether this person's refusals about this request are on record often enough."""
    kept = sum(
        isinstance(event, AnswerRefused)
        and event.by == refused.by
        and event.request_id == refused.request_id
        for event in thread.events
    )
    return kept >= REFUSALS_KEPT
