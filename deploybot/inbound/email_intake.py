"""What a mail does where it belongs: an answer, words for the agent, or a refusal in words.

No I/O of its own: the store and the inbox are given. Reading the mail is `email`'s, what its words
mean `email_reply`'s, and whether an answer counts the inbox's.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from deploybot.events import AnswerRefused, EmailReceived
from deploybot.inbound.email import Mail, Quarantined
from deploybot.inbound.email_place import (
    Held,
    find_held,
    find_question,
    find_referenced,
    was_stolen,
)
from deploybot.inbound.email_reading import written
from deploybot.inbound.email_refusals import (
    CONFIRM_ELSEWHERE,
    NOT_AN_ANSWER,
    NOT_BY_MAIL,
    READ_AS_WORDS,
    REVOKED,
    STOLEN,
    UNREADABLE,
    UNSURE,
)
from deploybot.inbound.email_reply import (
    Approve,
    Deny,
    Meaning,
    Misplaced,
    Nothing,
    Words,
    meaning,
)
from deploybot.inbox import Answer, Inbox
from deploybot.mail import MailSettings, message_alias, unverified
from deploybot.ports import People, Store
from deploybot.questions import choices_of, read_answer
from deploybot.telling import CODE_MISUSED, QUARANTINED
from deploybot.thread import Status, Thread, thread_id_for

NO_CODE = ("no_code", NOT_AN_ANSWER)
COMMENT = 2_000
"""Characters of a comment or a denial's words that are kept."""


@dataclass(frozen=True)
class Taken:
    """What became of a mail: its thread, "" for none, and the outcome in one word."""

    thread: str
    outcome: str
    put_aside: bool = False
    """Whether it could not be read, so that a person must look at it."""


@dataclass(frozen=True)
class _Letter:
    """A mail on the desk: who surely wrote it, what it means, and the key it is heard once by."""

    mail: Mail
    by: str
    says: Meaning
    key: str
    at: datetime


@dataclass(frozen=True)
class MailDesk:
    """Takes mails, one by one; each is heard once, however often it is handed in."""

    inbox: Inbox
    store: Store
    people: People
    settings: MailSettings

    def take(self, mail: Mail, now: datetime) -> Taken:
        """Store what the mail says where it belongs; only a genuine code's owner can decide."""
        letter = self._opened(mail, now)
        if held := find_held(mail.codes, letter.by, self.store, self.settings):
            return self._with_code(letter, held)
        if isinstance(letter.says, Nothing):
            return Taken("", "ignored: it has no words of its own")
        if not mail.verified:
            return self._unverified(letter)
        thread = find_referenced(mail, letter.by, self.store, self.people)
        if thread is None:
            if isinstance(letter.says, Words) and not mail.codes:
                return self._heard(letter, self._own_thread(letter))
            return self._refused(letter, self._help_thread(letter), "", NO_CODE)
        return self._in_thread(letter, thread)

    def quarantine(self, mail: Quarantined, now: datetime) -> Taken:
        """Keep a note of a mail that cannot be read: its size and hash, and why."""
        text = (
            f"A mail was not read: {mail.reason}. Nothing was done with it. {mail.about} "
            f"({mail.size} bytes, SHA-256 {mail.digest})"
        )
        event = AnswerRefused(
            at=now,
            by="email:unknown",
            delivery=f"email:raw:{mail.digest}",
            request_id="",
            reason_code=QUARANTINED,
            text=text,
            channel="email",
        )
        thread = self.inbox.hear(
            thread_id_for("email", "quarantine", now.date().isoformat()),
            event,
            dedupe=(event.delivery,),
        )
        return Taken(thread.id, f"{QUARANTINED}: {mail.reason}", put_aside=True)

    def _opened(self, mail: Mail, now: datetime) -> _Letter:
        by = self.people.by_email(mail.address) if mail.verified else unverified(mail.address)
        # what nobody vouches for must never take the place of a genuine mail that comes later
        told_apart = mail.digest if mail.codes or not mail.message_id else mail.semantic
        key = f"email:msg:{mail.semantic}" if mail.verified else f"email:anybody:{told_apart}"
        says = meaning(mail.body)
        begins = not mail.codes and not mail.references
        if isinstance(says, Nothing) and begins and not mail.body.strip() and mail.subject:
            says = Words(mail.subject)
        return _Letter(mail, by, says, key, now)

    def _with_code(self, letter: _Letter, held: Held) -> Taken:
        request, says, thread = held.request, letter.says, held.thread.id
        owner = self.people.get(held.person)
        stolen = was_stolen(held, owner.email if owner else "")
        if letter.by != held.person:
            if stolen:
                return Taken(thread, "ignored: the code no longer counts")
            address = owner.email if owner else ""
            why = (CODE_MISUSED, STOLEN.format(address=letter.mail.address))
            if letter.mail.unsure and self.people.by_email(letter.mail.address) == held.person:
                why = ("unsure", UNSURE.format(why=letter.mail.unsure))
            return self._refused(letter, thread, request.id, why, address=address)
        if isinstance(says, Words):
            return self._heard_with_code(letter, held)
        if stolen:
            return self._refused(letter, thread, request.id, ("code_revoked", REVOKED))
        return self._decided(letter, held, says)

    def _heard_with_code(self, letter: _Letter, held: Held) -> Taken:
        """Hear words that came where an answer was asked for, and say so to whoever wrote them."""
        standing = held.thread.standing
        was_asked = standing.status is Status.AWAITING_APPROVAL and standing.request == held.request
        taken = self._heard(letter, held.thread.id)
        if was_asked:
            told = replace(letter, key=f"{letter.key}:told")
            self._refused(told, held.thread.id, held.request.id, ("read_as_words", READ_AS_WORDS))
        return taken

    def _decided(
        self, letter: _Letter, held: Held, says: Approve | Deny | Misplaced | Nothing
    ) -> Taken:
        environment = held.request.plan.environment
        if not self.settings.answers_by_mail(environment):
            why = ("not_by_mail", NOT_BY_MAIL.format(environment=environment))
            return self._refused(letter, held.thread.id, held.request.id, why)
        if isinstance(says, Approve) and any(plan.confirm for plan in held.request.plans):
            why = ("not_by_mail", CONFIRM_ELSEWHERE)
            return self._refused(letter, held.thread.id, held.request.id, why)
        if isinstance(says, Misplaced | Nothing):
            why = ("unreadable", UNREADABLE)
            return self._refused(letter, held.thread.id, held.request.id, why)
        return self._answered(letter, held, says)

    def _answered(self, letter: _Letter, held: Held, says: Approve | Deny) -> Taken:
        approved = isinstance(says, Approve)
        comment = says.comment if isinstance(says, Approve) else says.feedback
        receipt = self.inbox.answer(
            Answer(
                thread=held.thread.id,
                request_id=held.request.id,
                digest=held.request.digest,
                approved=approved,
                comment=comment[:COMMENT] or ("" if approved else "no, without a reason"),
                by=letter.by,
                channel="email",
                address=letter.mail.address,
                delivery=letter.key,
            )
        )
        done = "approved" if approved else "denied"
        return Taken(held.thread.id, receipt.reason_code or done)

    def _unverified(self, letter: _Letter) -> Taken:
        """Keep what may come from anybody: words in a thread of its own, and never an answer."""
        thread = thread_id_for("email", "unverified", letter.mail.digest)
        if isinstance(letter.says, Words):
            return self._heard(letter, thread)
        return self._refused(letter, thread, "", ("unverified", NOT_AN_ANSWER), address="")

    def _in_thread(self, letter: _Letter, thread: Thread) -> Taken:
        question, words = thread.standing.question, written(letter.mail.body)
        replied = find_question(letter.mail, letter.by, thread, self.settings)
        if replied and choices_of(replied) and read_answer(replied, words):
            question = replied  # which may be over: then its sender is told so
        if question and not letter.mail.codes:
            receipt = self.inbox.answer_question(
                thread.id,
                question.question_id,
                words,
                by=letter.by,
                delivery=letter.key,
                channel="email",
                address=letter.mail.address,
            )
            return Taken(thread.id, receipt.reason_code or "answered")
        answerable = (Status.AWAITING_APPROVAL, Status.EDITING, Status.APPROVED)
        open_request = thread.standing.status in answerable
        if not isinstance(letter.says, Words) and (open_request or letter.mail.codes):
            request = thread.standing.request
            about = request.id if request else ""
            return self._refused(letter, thread.id, about, NO_CODE)
        return self._heard(letter, thread.id)

    def _heard(self, letter: _Letter, thread_id: str) -> Taken:
        mail = letter.mail
        event = EmailReceived(
            at=letter.at,
            by=letter.by,
            delivery=letter.key,
            address=mail.address,
            name=mail.name,
            subject=mail.subject,
            text=letter.says.text if isinstance(letter.says, Words) else written(mail.body),
            message_id=mail.message_id,
        )
        named = mail.verified and bool(mail.message_id)
        aliases = (message_alias(mail.message_id, mail.address),) if named else ()
        thread = self.inbox.hear(thread_id, event, dedupe=(letter.key,), aliases=aliases)
        return Taken(thread.id, "heard" if event in thread.events else "duplicate")

    def _refused(
        self,
        letter: _Letter,
        thread_id: str,
        request_id: str,
        why: tuple[str, str],
        *,
        address: str | None = None,
    ) -> Taken:
        """Note that the mail did not count: `why` is a stable code and a sentence for `address`."""
        reason_code, text = why
        event = AnswerRefused(
            at=letter.at,
            by=letter.by,
            delivery=letter.key,
            request_id=request_id,
            reason_code=reason_code,
            text=text,
            channel="email",
            address=letter.mail.address if address is None else address,
        )
        thread = self.inbox.hear(thread_id, event, dedupe=(letter.key,))
        return Taken(thread.id, reason_code if event in thread.events else "duplicate")

    def _own_thread(self, letter: _Letter) -> str:
        return thread_id_for("email", letter.mail.address, letter.key)

    def _help_thread(self, letter: _Letter) -> str:
        """Return where one sender's answers to nothing are noted: one thread a day."""
        return thread_id_for("email", "help", letter.by, letter.at.date().isoformat())
