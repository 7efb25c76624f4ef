"""What people do with a whole thread: pause it and let it go on, cancel it, stop what runs, fork it."""

from collections.abc import Callable, Sequence

from deploybot import stopping
from deploybot.answers import UNKNOWN_PERSON
from deploybot.approvals import Refusal
from deploybot.errors import ConflictError, DuplicateError, IllegalEventError, NotAllowedError
from deploybot.events import (
    Answered,
    Cancelled,
    Event,
    Forked,
    ForkMade,
    Message,
    Paused,
    Resumed,
    SlackMessageReceived,
)
from deploybot.ports import Clockwork, People, Store
from deploybot.questions import read_answer
from deploybot.stopping import SERVICE, Wish
from deploybot.thread import Status, Thread, thread_id_for

TRIES = 50
"""How often an append is tried again when others append at the same time."""


class Moves:
    """Appends what is heard and what is done with a thread: once, in order, with the wake-ups it asks for.

    Those methods that people call raise NotAllowedError for strangers, and IllegalEventError when
    it cannot happen to the thread as it stands. A delivery heard before changes nothing.
    """

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

    def pause(self, thread_id: str, *, by: str, delivery: str) -> Thread:
        """Let the thread start nothing until it is resumed; what runs comes to its end."""
        paused = Paused(at=self._clock.now(), by=by, delivery=delivery)
        return self._move(thread_id, lambda _: paused, by=by, delivery=delivery)

    def resume(self, thread_id: str, *, by: str, delivery: str) -> Thread:
        """Let a paused thread go on from where it stands."""
        resumed = Resumed(at=self._clock.now(), by=by, delivery=delivery)
        return self._move(thread_id, lambda _: resumed, by=by, delivery=delivery)

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

    def fork(self, thread_id: str, at: int, *, by: str, delivery: str) -> Thread:
        """Begin a thread with the first `at` events of another, and nothing open; link them both.

        What was copied is told to nobody again, and nothing of it runs. Raises IllegalEventError
        when there are no such events, too.
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

    def _stopped(self, thread: Thread, wish: Wish) -> Event:
        match stopping.stop(thread, wish, self._people):
            case None:
                raise IllegalEventError("Nothing runs here or is about to, so nothing was stopped.")
            case Refusal(text=text, reason_code=code):
                raise NotAllowedError(text, reason_code=code)
            case event:
                return event

    def _move(
        self, thread_id: str, event: Callable[[Thread], Event], *, by: str, delivery: str
    ) -> Thread:
        """Store what is to happen to the thread as it then stands, once."""
        self._require_known(by)
        thread = self._store.load(thread_id)
        for _ in range(TRIES):
            if was_heard(thread, delivery):
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


def was_heard(thread: Thread, delivery: str) -> bool:
    """Tell whether the thread holds what came with this delivery: it may have made itself illegal."""
    return any(getattr(event, "delivery", None) == delivery for event in thread.events)


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
