"""Takes what people and machines send, once, and decides who may say what.

No I/O of its own: the store and the clock are given. `inbound` turns payloads into what comes in
here; `agent` goes on from what is stored.
"""

from collections.abc import Callable

from deploy.catalog import Catalog
from deploybot.approvals import Refusal
from deploybot.directory import ConfiguredDirectory
from deploybot.editing import Edit
from deploybot.errors import ConflictError, DuplicateError
from deploybot.events import AnswerRefused
from deploybot.inbox.judge import Judge
from deploybot.inbox.moves import TRIES, Moves, was_heard
from deploybot.inbox.said import Answer, Receipt, Reply, Settling, Word
from deploybot.ports import Clockwork, Directory, People, Store
from deploybot.thread import Thread

__all__ = ["REFUSALS_KEPT", "TRIES", "Answer", "Inbox", "Receipt", "Settling"]

BEING_PLANNED = "Being planned anew. A new card follows, or the thread says why there is none."
REFUSALS_KEPT = 5
"""Refused answers of one person to one request that are stored; further ones only get words."""


class Inbox(Moves):
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
        super().__init__(store, people, clock)
        directory = directory or ConfiguredDirectory(catalog.groups if catalog else {})
        self._judge = Judge(store, people, clock, directory, catalog)

    def answer(self, answer: Answer) -> Receipt:
        """Grant or deny the open request, or refuse in words and keep a note of it."""
        return self._take(answer, lambda thread: self._judge.answered(thread, answer))

    def refusal(self, answer: Answer) -> Refusal | None:
        """Return why this answer would not count now, or None; nothing is stored."""
        return self._judge.refusal(self._store.load(answer.thread), answer)

    def settle(self, settling: Settling) -> Receipt:
        """Say how a change of unknown outcome ended, and free its place; or refuse in words."""
        return self._take(settling, lambda thread: self._judge.settled(thread, settling))

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
        reply = Reply(thread_id, question_id, answer, by, delivery, channel, address)
        return self._take(reply, lambda thread: self._judge.replied(thread, reply))

    def edit(self, edit: Edit) -> Receipt:
        """Have the open request planned anew as somebody wants it instead, or say why not.

        A refusal is told to whoever tried, and stored nowhere: the request is open as it was.
        """
        thread = self._store.load(edit.thread)
        for _ in range(TRIES):
            if was_heard(thread, edit.delivery):
                return Receipt(accepted=True, text=BEING_PLANNED, reason_code="duplicate")
            judged = self._judge.edited(thread, edit)
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
        return self._judge.edit_refusal(self._store.load(edit.thread), edit)

    def _take(self, said: Answer | Settling | Reply, word: Callable[[Thread], Word]) -> Receipt:
        """Store what somebody's word amounts to, judged against the thread as it then stands."""
        thread = self._store.load(said.thread)
        for _ in range(TRIES):
            meant = word(thread)
            refused = meant.event if isinstance(meant.event, AnswerRefused) else None
            if refused is None or not _refused_often(thread, refused):
                try:
                    self._store.append(
                        thread, meant.event, dedupe=(said.delivery,), release=meant.release
                    )
                except DuplicateError:
                    return Receipt(accepted=True, text="Heard already.", reason_code="duplicate")
                except ConflictError:
                    thread = self._store.load(said.thread)
                    continue
            if refused:
                return Receipt(accepted=False, text=refused.text, reason_code=refused.reason_code)
            return Receipt(accepted=True, text=meant.text)
        raise ConflictError(said.thread, len(thread.events), len(thread.events))


def _refused_often(thread: Thread, refused: AnswerRefused) -> bool:
    """Tell whether this person's refusals about this request are on record often enough."""
    kept = sum(
        isinstance(event, AnswerRefused)
        and event.by == refused.by
        and event.request_id == refused.request_id
        for event in thread.events
    )
    return kept >= REFUSALS_KEPT
