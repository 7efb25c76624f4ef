"""What somebody's word amounts to on a thread as it stands: an event of what they want, or of a refusal.

Rights are looked up anew for each word; nothing is stored here.
"""

from datetime import datetime
from typing import Any

from deploy.catalog import Catalog
from deploybot.answers import (
    Said,
    judge,
    judge_settling,
    last_seen_live,
    standing_against,
    unconfirmed,
)
from deploybot.approvals import Refusal, Rights, Standing, standing_of
from deploybot.closed import closed_question
from deploybot.directory import rights_now, stand_ins_now
from deploybot.editing import Edit, against, judge_edit, wanted
from deploybot.errors import LookupFailedError
from deploybot.events import (
    Answered,
    AnswerRefused,
    ApprovalDenied,
    ApprovalGranted,
    DeployResolved,
    EditRequested,
    Event,
)
from deploybot.inbox.said import Answer, Receipt, Reply, Settling, Word
from deploybot.ports import Clockwork, Directory, Operation, People, Store
from deploybot.questions import kept_of
from deploybot.thread import Thread


class Judge:
    """Judges words by the people, their rights, and what freezes, locks and the configuration say now."""

    def __init__(
        self,
        store: Store,
        people: People,
        clock: Clockwork,
        directory: Directory,
        catalog: Catalog | None,
    ) -> None:
        self._store = store
        self._people = people
        self._clock = clock
        self._directory = directory
        self._catalog = catalog

    # -- yes and no ----------------------------------------------------------------

    def refusal(self, thread: Thread, answer: Answer) -> Refusal | None:
        """Return why this answer would not count now, or None."""
        return self._refusal(thread, answer, self._clock.now())[0]

    def answered(self, thread: Thread, answer: Answer) -> Word:
        """Return a grant or a denial of the open request, or why it is neither."""
        now = self._clock.now()
        refusal, rights = self._refusal(thread, answer, now)
        if refusal:
            return _refused(answer, answer.request_id, refusal.reason_code, refusal.text, now)
        if not answer.approved:
            denied = ApprovalDenied(
                at=now,
                by=answer.by,
                delivery=answer.delivery,
                request_id=answer.request_id,
                digest=answer.digest,
                channel=answer.channel,
                feedback=answer.comment,
            )
            return Word(denied, "Denied.")
        if against := self._against_approving(thread, answer, now):
            return _refused(answer, answer.request_id, *against, now)
        granted = ApprovalGranted(
            at=now,
            by=answer.by,
            delivery=answer.delivery,
            request_id=answer.request_id,
            digest=answer.digest,
            channel=answer.channel,
            comment=answer.comment,
            **_as_whom(thread, answer, rights),
        )
        return Word(granted, "Approved.")

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
        return judge(thread, said, people=self._people, now=now, rights=rights), rights

    def _against_approving(
        self, thread: Thread, answer: Answer, now: datetime
    ) -> tuple[str, str] | tuple[()]:
        """Return what must be confirmed first, or what forbids the change now, as code and words."""
        if not answer.confirmed and (asked := unconfirmed(thread)):
            return "confirmation_needed", asked
        if self._catalog is None:
            return ()
        glass = bool(answer.break_glass)
        holds = self._store.holds()
        return standing_against(thread, self._catalog, holds, now, breaks_glass=glass)

    # -- something else instead ----------------------------------------------------

    def edit_refusal(self, thread: Thread, edit: Edit) -> Refusal | None:
        """Return why this person may not edit the request now, or None."""
        rights = self._rights(thread, edit.request_id, edit.by, edit.channel)
        return judge_edit(thread, edit, people=self._people, rights=rights, now=self._clock.now())

    def edited(self, thread: Thread, edit: Edit) -> Receipt | Event:
        """Return the wish to have it otherwise, if this person may and it makes sense."""
        now, request = self._clock.now(), thread.standing.request
        if refusal := self.edit_refusal(thread, edit):
            return Receipt(accepted=False, text=refusal.text, reason_code=refusal.reason_code)
        if request is None or self._catalog is None:
            text = "Nothing can be edited here, so nothing changed."
            return Receipt(accepted=False, text=text, reason_code="closed")
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

    # -- questions, and outcomes that nobody knew ----------------------------------

    def replied(self, thread: Thread, reply: Reply) -> Word:
        """Return the answer to the open question, or why it is none."""
        now, question = self._clock.now(), thread.standing.question
        if question is None or question.question_id != reply.question_id:
            text = closed_question(thread, reply.question_id, self._people)
            return _refused(reply, reply.question_id, "closed", text, now)
        answered = Answered(
            at=now,
            by=reply.by,
            delivery=reply.delivery,
            question_id=reply.question_id,
            answer=kept_of(question, reply.answer),
        )
        return Word(answered, "Answered.")

    def settled(self, thread: Thread, settling: Settling) -> Word:
        """Return how the change ended, and the operation whose place becomes free by it."""
        now, live = self._clock.now(), settling.live or last_seen_live(thread)
        about, outcome = settling.request_id, settling.outcome
        rights = self._rights(thread, about, settling.by, settling.channel)
        refusal = judge_settling(
            thread, about, outcome, by=settling.by, live=live, people=self._people, rights=rights
        )
        if refusal:
            return _refused(settling, about, refusal.reason_code, refusal.text, now)
        request, started = thread.standing.request, thread.standing.started
        if request is None or started is None:
            text = "Nothing is to be settled; nothing changed."
            return _refused(settling, about, "closed", text, now)
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
        return Word(resolved, f"Settled as {how}.", release)

    # -- rights --------------------------------------------------------------------

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


def _refused(
    said: Answer | Settling | Reply, about: str, code: str, text: str, now: datetime
) -> Word:
    """Return the note that this word did not count, with where to tell whoever said it."""
    refused = AnswerRefused(
        at=now,
        by=said.by,
        delivery=said.delivery,
        request_id=about,
        reason_code=code,
        text=text,
        channel=said.channel,
        address=said.address,
    )
    return Word(refused)


def _as_whom(thread: Thread, answer: Answer, rights: Rights | Refusal) -> dict[str, Any]:
    """Return what was found out for this approval, to be kept with it."""
    request = thread.standing.request
    if request is None or isinstance(rights, Refusal):
        return {}
    escalated = thread.standing.escalated
    found = standing_of(request, answer.by, rights, escalated=escalated) or Standing()
    return dict(found.model_copy(update={"break_glass": answer.break_glass}))
