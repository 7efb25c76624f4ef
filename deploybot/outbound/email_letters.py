"""Who is to get which mail of a thread, and what it says; pure: nothing here renders or sends.

Whoever began the thread by mail hears what is said in it, and so does everybody who wrote to it by
mail. People who must act, and want mail or have no Slack, are asked once, and told once what became
of it. Who they are is `email_readers`'s.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from deploy.plan import SHORT
from deploybot.mail import MailSettings, message_id, question_key, reply_code
from deploybot.outbound import email_endings
from deploybot.outbound.email_content import Content, Letter, confirmations, describe
from deploybot.outbound.email_endings import ENDED
from deploybot.outbound.email_facts import line_of
from deploybot.outbound.email_readers import CHAIN, Reader, Readers
from deploybot.ports import People
from deploybot.telling import Asked, Card, CardState, Private, Said, Shown, Telling, Yours
from deploybot.thread import Thread
from deploybot.yours import told_to

SAID_ANYWAY = {CardState.FAILED, CardState.UNKNOWN}
"""Ends that are also said in the thread; whoever hears that needs no second mail."""
UNDER_WAY = {CardState.APPROVED, CardState.DEPLOYING}
ALWAYS = 10**9
"""The number of what is said of a whole thread, as of its place in a line."""


def letters(
    thread: Thread,
    tellings: tuple[Telling, ...],
    sent: Mapping[str, str],
    people: People,
    settings: MailSettings,
) -> tuple[Letter, ...]:
    """Return what is still to be sent, in the order of the tellings."""
    cards = {telling.key: telling for telling in tellings if isinstance(telling, Card)}
    desk = _Desk(thread, sent, people, settings, Readers(thread, sent, people), cards)
    wanted = [letter for telling in _without_doubles(tellings) for letter in desk.about(telling)]
    return tuple(letter for letter in wanted if letter.key not in sent)


def _without_doubles(tellings: tuple[Telling, ...]) -> tuple[Telling, ...]:
    """Leave out who waits in line for what, where the end of a request says so already."""
    waits = any(isinstance(one, Card) and one.state is CardState.IN_LINE for one in tellings)
    return tuple(one for one in tellings if not (waits and one.key.startswith("line:")))


@dataclass(frozen=True)
class _Desk:
    """One thread, as the readers of its mails see it."""

    thread: Thread
    sent: Mapping[str, str]
    people: People
    settings: MailSettings
    readers: Readers
    cards: Mapping[str, Card]

    def about(self, telling: Telling) -> Iterator[Letter]:
        """Return the mails that one telling asks for, sent or not."""
        match telling:
            case Said(tone="good"):
                pass  # such as tests that passed: the end is told anyway, and a mail is a mail
            case Said(calls_to=key) if key:
                yield from self._call(telling)
            case Said():
                yield from self._said(telling)
            case Asked():
                yield from self._question(telling)
            case Private(channel="email", address=address) if address:
                yield self._private(telling)
            case Card():
                yield from self._card(telling)
            case Yours():
                yield from self._yours(telling)
            case Shown(plans=plans) if plans:
                starter = self.readers.starter
                if starter:
                    title = f"Dry run: {describe(*plans)}"
                    yield self._to(starter, telling.key, Content(title, shown=telling))
            case _:
                pass

    def _said(self, said: Said) -> Iterator[Letter]:
        seq = said.key.removeprefix("said:")
        hearing = tuple(self.readers.hearing(int(seq) if seq.isdecimal() else ALWAYS))
        says = Content(paragraphs=(said.worded(self.people.name),), detail=said.detail)
        for reader in dict.fromkeys((*hearing, *self.readers.mentioned(said))):
            # whoever began the thread needs no name in the key
            key = said.key if reader.since == 1 else f"{said.key}@{reader.id}"
            yield self._to(reader, key, says)

    def _call(self, said: Said) -> Iterator[Letter]:
        """Call those who had the card once more, and nobody else; it can be answered like the card."""
        card = self.cards.get(said.calls_to)
        if card is None or card.state is not CardState.OPEN:
            return
        title = f"{describe(*card.request.plans)}: still waiting for approval"
        for reader in self.readers.mentioned(said):
            asked = f"{card.key}@{reader.id}"
            if asked in self.sent:  # whoever did not have it gets the card itself now
                code = self._code(card, reader)
                says = Content(title, "calm", (said.text,), about=card, calls=True, code=code)
                yield self._to(reader, f"{said.key}@{reader.id}", says, after=asked)

    def _question(self, asked: Asked) -> Iterator[Letter]:
        question, title = asked.question, line_of(asked.question.question)
        for reader in dict.fromkeys((*self.readers.writers, *self.readers.put_to(asked))):
            key = question_key(question.question_id, reader.id)
            if asked.is_open:
                context = (question.context,) if question.context else ()
                says = Content(title, paragraphs=context, asked=asked)
                yield self._to(reader, key, says)
            elif key in self.sent and asked.by != reader.id:
                over = email_endings.answered(asked, self.people)
                says = Content(title, "calm", (over,), asked=asked)
                yield self._to(reader, f"{asked.key}:over@{reader.id}", says, after=key)

    def _yours(self, yours: Yours) -> Iterator[Letter]:
        for told in told_to(yours, self.people):
            if told.by_mail:
                commits = "\n".join(told.commits)
                paragraphs = (told.text, *((commits,) if commits else ()))
                reader = Reader(told.person.id, told.person.email)
                says = Content(told.text.partition(":")[0], paragraphs=paragraphs)
                yield self._to(reader, f"{yours.key}@{told.person.id}", says)

    def _private(self, telling: Private) -> Letter:
        folded = telling.address.casefold()
        writers = (one for one in self.readers.writers if one.address.casefold() == folded)
        reader = next(writers, Reader(telling.address, telling.address, subject="Your mail"))
        says = Content("Not taken as an answer", "bad", (telling.text,))
        return self._to(reader, telling.key, says)

    def _card(self, card: Card) -> Iterator[Letter]:
        asked = self.readers.asked(card)
        for reader in asked:
            yield from self._to_approver(card, reader)
        starter = self.readers.starter
        if starter is None or starter.id in {reader.id for reader in asked}:
            return
        if card.state is CardState.OPEN and not card.request.rule.automatic:
            yield self._whole(card, starter)
        if card.state in UNDER_WAY and not card.request.rule.automatic:
            yield from self._approved(card, starter)
        if card.state in ENDED.keys() - SAID_ANYWAY and not _by_own_words(card, starter):
            yield self._end(card, starter)

    def _to_approver(self, card: Card, reader: Reader) -> Iterator[Letter]:
        if card.state is CardState.OPEN:
            yield self._whole(card, reader, self._code(card, reader))
        if f"{card.key}@{reader.id}" not in self.sent:
            return
        if card.state in UNDER_WAY:
            yield from self._approved(card, reader)
        elif card.state is CardState.OPEN and any(one.by == reader.id for one in card.grants):
            yield self._fate(card, reader, "granted", email_endings.counted(card))
        heard = card.state in SAID_ANYWAY and reader in self.readers.writers
        if card.state in ENDED and not heard and not _by_own_words(card, reader):
            yield self._end(card, reader)

    def _code(self, card: Card, reader: Reader) -> str:
        """Return the code with which the reader answers by mail; "" where that is not to be."""
        by_mail = self.settings.answers_by_mail(card.request.plan.environment)
        if not by_mail or confirmations(card.request):
            return ""
        return reply_code(self.settings.secret, card.request, reader.id)

    def _whole(self, card: Card, reader: Reader, code: str = "") -> Letter:
        says = Content(describe(*card.request.plans), card=card, code=code)
        return self._to(reader, f"{card.key}@{reader.id}", says)

    def _approved(self, card: Card, reader: Reader) -> Iterator[Letter]:
        """Say once that enough people said yes, unless it was said that it starts later."""
        if f"{card.key}:{CardState.SCHEDULED}@{reader.id}" not in self.sent:
            text = email_endings.approved(card, self.people)
            yield self._fate(card, reader, "approved", text)

    def _end(self, card: Card, reader: Reader) -> Letter:
        return self._fate(card, reader, card.state, email_endings.ending(card, self.people))

    def _fate(self, card: Card, reader: Reader, state: str, text: str) -> Letter:
        word, tone = email_endings.word_of(card, state)
        says = Content(
            f"{describe(*card.request.plans)}: {word}",
            tone,
            tuple(part for part in (text, card.note) if part),
            detail=card.detail,
            about=card,
        )
        after = f"{card.key}@{reader.id}"
        return self._to(reader, f"{card.key}:{state}@{reader.id}", says, after=after)

    def _to(self, reader: Reader, key: str, says: Content, *, after: str = "") -> Letter:
        """Address what is to be said; `after` names the mail that it goes on from, if that was sent."""
        goes_on = self._name(after, reader) if after in self.sent else ""
        earlier = (one for one in self.readers.before(reader) if one != goes_on)
        chain = (*earlier, *reader.answers[-CHAIN:], *((goes_on,) if goes_on else ()))
        return Letter(
            key=key,
            reader=reader,
            subject=_subject(reader, says, goes_on=bool(goes_on)),
            message_id=self._name(key, reader),
            answers=tuple(dict.fromkeys(chain)),
            says=says,
        )

    def _name(self, key: str, reader: Reader) -> str:
        return message_id(self.settings, self.thread.id, key, reader.id)


def _subject(reader: Reader, says: Content, *, goes_on: bool) -> str:
    """Return the subject: of the reader's own conversation, or of what this one is about."""
    if reader.subject:
        return f"Re: {_bare(reader.subject)}"
    told = says.card or says.about
    subject = says.title or line_of(" ".join(says.paragraphs))[:80] or "deploybot"
    if told:
        subject = f"{describe(*told.request.plans)} ({told.request.plan.sha[:SHORT]})"
    elif says.asked:
        urgent = says.asked.question.urgency == "high"
        subject = f"{'Urgent question' if urgent else 'Question'}: {subject}"
    return f"{'Re: ' * goes_on}{subject}"


def _by_own_words(card: Card, starter: Reader) -> bool:
    """Tell whether the reader closed the request by writing: they know already."""
    return card.state is CardState.CLOSED and card.by == starter.id


def _bare(subject: str) -> str:
    while subject[:3].casefold() == "re:":
        subject = subject[3:].strip()
    return subject
