"""Which thread and request a mail belongs to: by its reply code, or by the mail that it answers.

Only looks things up in the store that it is given; what the mail does there is `email_intake`'s.
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from deploybot.approvals import ApprovalRequest
from deploybot.events import AnswerRefused, ApprovalRequested, EmailReceived, QuestionAsked
from deploybot.inbound.email import Mail
from deploybot.mail import (
    MailSettings,
    code_alias,
    message_alias,
    message_id,
    question_key,
    reply_code,
)
from deploybot.ports import People, Store
from deploybot.telling import CODE_MISUSED
from deploybot.thread import Thread

CODES = 5
"""How many codes of one mail are looked up."""
REFERENCES = 20
"""How many of the mails that it answers are looked up."""


@dataclass(frozen=True)
class Held:
    """A reply code that is genuine: the request it answers, and whose it is."""

    thread: Thread
    request: ApprovalRequest
    person: str


def find_held(codes: Sequence[str], by: str, store: Store, settings: MailSettings) -> Held | None:
    """Find the request that one of the codes was made for; the sender's own code first."""
    found = [held for code in codes[:CODES] if (held := _owner(code, store, settings))]
    own = (held for held in found if held.person == by)
    return next(own, found[0] if found else None)


def was_stolen(held: Held, address: str) -> bool:
    """Tell whether somebody else has used this code before; `address` is its owner's."""
    return any(
        isinstance(event, AnswerRefused)
        and event.reason_code == CODE_MISUSED
        and (event.request_id, event.address) == (held.request.id, address)
        for event in held.thread.events
    )


def find_referenced(mail: Mail, by: str, store: Store, people: People) -> Thread | None:
    """Find the thread of a mail that this one answers, if its sender takes part in it."""
    for reference in mail.references[:REFERENCES]:
        for sender in ("", mail.address):
            found = store.find(message_alias(reference, sender))
            thread = store.load(found) if found else None
            if thread and _takes_part(by, thread, people):
                return thread
    return None


def find_question(
    mail: Mail, by: str, thread: Thread, settings: MailSettings
) -> QuestionAsked | None:
    """Find the question whose mail to this person this one answers, whether it is open or not."""
    asked = {
        message_id(settings, thread.id, question_key(event.question_id, by), by): event
        for event in thread.events
        if isinstance(event, QuestionAsked)
    }
    return asked.get(mail.references[0]) if mail.references else None


def _owner(code: str, store: Store, settings: MailSettings) -> Held | None:
    thread_id = store.find(code_alias(code))
    if thread_id is None:
        return None
    thread = store.load(thread_id)
    for event in reversed(thread.events):
        if isinstance(event, ApprovalRequested):
            for person in event.request.rule.everybody:
                expected = reply_code(settings.secret, event.request, person)
                if hmac.compare_digest(expected, code):
                    return Held(thread, event.request, person)
    return None


def _takes_part(by: str, thread: Thread, people: People) -> bool:
    known = people.get(by) is not None
    return known or any(
        isinstance(event, EmailReceived) and event.by == by for event in thread.events
    )
