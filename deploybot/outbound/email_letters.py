"""Who is to get which mail of a thread, and what it says; pure: nothing here renders or sends.

Whoever began the thread by mail hears what is said in it. People who may approve, and want mail or
have no Slack, are asked once by a mail with a reply code, and told once how it ended.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from deploy.plan import SHORT, Plan
from deploybot.approvals import ApprovalRequest, may_answer
from deploybot.events import EmailReceived
from deploybot.mail import MailSettings, is_unverified, message_id, reply_code
from deploybot.outbound.email_endings import ENDED, ended_as, ending
from deploybot.ports import People
from deploybot.telling import Asked, Card, CardState, Private, Said, Shown, Telling
from deploybot.thread import Thread

SEVERAL = 4
"""Of more changes the number is told, and not their names."""
SAID_ANYWAY = {CardState.FAILED, CardState.UNKNOWN}
"""Ends that are also said in the thread; whoever hears that needs no second mail."""


@dataclass(frozen=True)
class Reader:
    """One person who reads the thread by mail; `id` is a person's, or a stranger's address."""

    id: str
    address: str
    answers: str = ""
    """Message-ID of the last mail they sent, "" for people who were only asked."""
    subject: str = ""


@dataclass(frozen=True)
class Letter:
    """One mail: `key` is noted once it is sent, and names it for good."""

    key: str
    reader: Reader
    subject: str
    message_id: str
    answers: tuple[str, ...] = ()
    """Message-IDs of the conversation so far, oldest first."""
    title: str = ""
    paragraphs: tuple[str, ...] = ()
    detail: tuple[str, ...] = ()
    card: Card | None = None
    """Set when the mail shows a whole request."""
    shown: Shown | None = None
    """Set when the mail shows a dry run."""
    code: str = ""
    """Set when the reader may answer by mail."""


def letters(
    thread: Thread,
    tellings: tuple[Telling, ...],
    sent: Mapping[str, str],
    people: People,
    settings: MailSettings,
) -> tuple[Letter, ...]:
    """Return what is still to be sent, in the order of the tellings."""
    desk = _Desk(thread, sent, people, settings)
    wanted = [letter for telling in _without_doubles(tellings) for letter in desk.about(telling)]
    return tuple(letter for letter in wanted if letter.key not in sent)


def _without_doubles(tellings: tuple[Telling, ...]) -> tuple[Telling, ...]:
    """Leave out who waits in line for what, where the end of a request says so already."""
    waits = any(isinstance(one, Card) and one.state is CardState.IN_LINE for one in tellings)
    return tuple(one for one in tellings if not (waits and one.key.startswith("line:")))


def describe(plan: Plan, *more: Plan) -> str:
    """Return a change, or several, in one line: `Deploy backend, then frontend to production`."""
    verb, where = ("Roll back", "on") if plan.action == "roll_back" else ("Deploy", "to")
    services = ", then ".join(one.service for one in (plan, *more))
    if len(more) >= SEVERAL:
        services = f"{1 + len(more)} services"
    return f"{verb} {services} {where} {plan.environment}"


def confirmations(request: ApprovalRequest) -> tuple[str, ...]:
    """Return what must be confirmed on its own, and so is not decided by mail."""
    return tuple(dict.fromkeys(one for plan in request.plans for one in plan.confirm))


@dataclass(frozen=True)
class _Desk:
    """One thread, as the readers of its mails see it."""

    thread: Thread
    sent: Mapping[str, str]
    people: People
    settings: MailSettings

    def about(self, telling: Telling) -> Iterator[Letter]:
        """Return the mails that one telling asks for, sent or not."""
        match telling:
            case Said(detail=detail):
                text = telling.worded(self.people.name)
                yield from self._to_starter(telling.key, "", (text,), detail)
            case Asked():
                yield from self._question(telling)
            case Private(channel="email", address=address) if address:
                yield self._private(telling)
            case Card():
                yield from self._card(telling)
            case Shown(plans=plans) if plans:
                reader = self._starter()
                if reader:
                    title = f"Dry run: {describe(*plans)}"
                    yield self._letter(telling.key, reader, title=title, shown=telling)
            case _:
                pass

    def _starter(self) -> Reader | None:
        """Return who began the thread, if by a mail that is surely theirs."""
        first = self.thread.events[0] if self.thread.events else None
        if not isinstance(first, EmailReceived) or is_unverified(first.by):
            return None
        theirs = [
            event
            for event in self.thread.events
            if isinstance(event, EmailReceived) and event.by == first.by
        ]
        return Reader(first.by, first.address, theirs[-1].message_id, first.subject)

    def _to_starter(
        self, key: str, title: str, paragraphs: tuple[str, ...], detail: tuple[str, ...] = ()
    ) -> Iterator[Letter]:
        reader = self._starter()
        if reader:
            yield self._letter(key, reader, title=title, paragraphs=paragraphs, detail=detail)

    def _question(self, asked: Asked) -> Iterator[Letter]:
        if asked.answer is not None or asked.closed:
            return
        question = asked.question
        choices = {"yes_no": ("yes", "no"), "multiple_choice": question.choices}
        offered = choices.get(question.format, ())
        how = f"Reply with one of: {', '.join(offered)}." if offered else "Reply with your answer."
        text = (question.question, question.context, how)
        yield from self._to_starter(asked.key, "A question", tuple(part for part in text if part))

    def _private(self, telling: Private) -> Letter:
        reader = self._starter()
        if reader is None or reader.address.casefold() != telling.address.casefold():
            reader = Reader(telling.address, telling.address, subject="Your mail")
        return self._letter(
            telling.key, reader, title="Not taken as an answer", paragraphs=(telling.text,)
        )

    def _card(self, card: Card) -> Iterator[Letter]:
        starter = self._starter()
        asked = self._asked(card)
        for reader in asked:
            yield from self._to_approver(card, reader)
        if starter is None or starter.id in {reader.id for reader in asked}:
            return
        if card.state is CardState.OPEN and not card.request.rule.automatic:
            yield self._letter(f"{card.key}@{starter.id}", starter, card=card)
        if card.state in ENDED.keys() - SAID_ANYWAY and not _by_own_words(card, starter):
            yield self._end(card, starter)

    def _asked(self, card: Card) -> tuple[Reader, ...]:
        """Return the people who may answer this request and are reached by mail."""
        request = card.request
        if request.rule.automatic:
            return ()
        found = (self.people.get(person) for person in request.rule.approvers)
        return tuple(
            Reader(person.id, person.email)
            for person in found
            if person and person.email and (person.mail_me or not person.slack)
            if may_answer(request, person.id) is None
        )

    def _to_approver(self, card: Card, reader: Reader) -> Iterator[Letter]:
        key = f"{card.key}@{reader.id}"
        if card.state is CardState.OPEN:
            by_mail = self.settings.answers_by_mail(card.request.plan.environment)
            by_mail = by_mail and not confirmations(card.request)
            code = reply_code(self.settings.secret, card.request, reader.id) if by_mail else ""
            yield self._letter(key, reader, card=card, code=code)
        if card.state in ENDED and key in self.sent:
            yield self._end(card, reader)

    def _end(self, card: Card, reader: Reader) -> Letter:
        key = f"{card.key}:{card.state}@{reader.id}"
        title = f"{describe(*card.request.plans)}: {ended_as(card)}"
        text = tuple(part for part in (ending(card, self.people), card.note) if part)
        before = message_id(self.settings, self.thread.id, f"{card.key}@{reader.id}", reader.id)
        chain = (before,) if f"{card.key}@{reader.id}" in self.sent else ()
        return self._letter(
            key, reader, title=title, paragraphs=text, detail=card.detail, chain=chain, about=card
        )

    def _letter(  # noqa: PLR0913 - the fields of a letter that differ
        self,
        key: str,
        reader: Reader,
        *,
        title: str = "",
        paragraphs: tuple[str, ...] = (),
        detail: tuple[str, ...] = (),
        card: Card | None = None,
        code: str = "",
        chain: tuple[str, ...] = (),
        about: Card | None = None,
        shown: Shown | None = None,
    ) -> Letter:
        told = card or about
        subject = f"Re: {_bare(reader.subject)}" if reader.subject else title
        if told and not reader.answers:
            about_it = f"{describe(*told.request.plans)} ({told.request.plan.sha[:SHORT]})"
            subject = f"{'Re: ' * bool(chain)}{about_it}"
        return Letter(
            key=key,
            reader=reader,
            subject=subject,
            message_id=message_id(self.settings, self.thread.id, key, reader.id),
            answers=tuple(part for part in (reader.answers, *chain) if part),
            title=title or (describe(*card.request.plans) if card else ""),
            paragraphs=paragraphs,
            detail=detail,
            card=card,
            shown=shown,
            code=code,
        )


def _by_own_words(card: Card, starter: Reader) -> bool:
    """Tell whether the reader closed the request by writing: they know already."""
    return card.state is CardState.CLOSED and card.by == starter.id


def _bare(subject: str) -> str:
    while subject[:3].casefold() == "re:":
        subject = subject[3:].strip()
    return subject
