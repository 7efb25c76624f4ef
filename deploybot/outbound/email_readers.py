"""Who reads a thread by mail, as what, and which mails they had so far; what they get is `email_letters`'s."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from deploybot.events import EmailReceived
from deploybot.mail import REACH, is_unverified
from deploybot.outbox import own_events
from deploybot.ports import People
from deploybot.telling import Asked, Card, Said
from deploybot.thread import Thread
from deploybot.votes import to_call

CHAIN = 20
"""How many mails of a conversation are named in References."""


@dataclass(frozen=True)
class Reader:
    """One person who reads the thread by mail; `id` is a person's, or a stranger's address."""

    id: str
    address: str
    answers: tuple[str, ...] = ()
    """Message-IDs of the mails that they sent, oldest first; () for people who were only asked."""
    subject: str = ""
    since: int = 0
    """The number of the event with which they came in."""


@dataclass(frozen=True)
class Readers:
    """The readers of one thread; `sent` is what was noted of each mail that went out."""

    thread: Thread
    sent: Mapping[str, str]
    people: People

    @cached_property
    def starter(self) -> Reader | None:
        """Who began the thread, if by a mail that is surely theirs."""
        return next((one for one in self.writers if one.since == 1), None)

    @cached_property
    def writers(self) -> tuple[Reader, ...]:
        """Everybody who wrote here by a mail that is surely theirs, in their order."""
        found: dict[str, Reader] = {}
        for seq, event in own_events(self.thread):
            if not isinstance(event, EmailReceived) or is_unverified(event.by):
                continue
            before = found.get(event.by) or Reader(
                event.by, event.address, subject=event.subject, since=seq
            )
            answers = (*before.answers, *((event.message_id,) if event.message_id else ()))
            found[event.by] = Reader(
                before.id, before.address, answers[-CHAIN:], before.subject, before.since
            )
        return tuple(found.values())

    def hearing(self, seq: int) -> Iterator[Reader]:
        """Yield who hears what was said at this number: whoever had written by mail before."""
        yield from (one for one in self.writers if one.since < seq)

    def asked(self, card: Card) -> tuple[Reader, ...]:
        """Return the people who may answer this request and are reached by mail."""
        request = card.request
        if request.rule.automatic:
            return ()
        return self._reached(iter(to_call(request, escalated=card.escalated)))

    def put_to(self, asked: Asked) -> tuple[Reader, ...]:
        """Return who is to answer a question, if they are reached by mail."""
        known = next((one for one in asked.to if self.people.get(one)), "")
        return self._reached(iter((known,)))

    def mentioned(self, said: Said) -> tuple[Reader, ...]:
        """Return who is called to notice something, and reached by mail."""
        named = (
            self.people.by_email(one.partition(":")[2]) if one.startswith("email:") else one
            for one in said.mention
        )
        return self._reached(named)

    def before(self, reader: Reader) -> tuple[str, ...]:
        """Return the Message-IDs of what this person was sent of the thread, oldest first."""
        return tuple(name for _, name in sorted(self._told.get(reader.id, ())))

    @cached_property
    def _told(self) -> Mapping[str, list[tuple[str, str]]]:
        """When each reader was sent which mail; what went to whoever began the thread names nobody."""
        told: dict[str, list[tuple[str, str]]] = {}
        for key, text in self.sent.items():
            whom, note = key.partition("@")[2], json.loads(text)
            if whom and note.get("id"):
                told.setdefault(whom, []).append((str(note.get("at", "")), str(note["id"])))
        return told

    def _reached(self, ids: Iterator[str]) -> tuple[Reader, ...]:
        """Return those of them who are told by mail: they want it, have no Slack, or it fails."""
        found = (self.people.get(one) for one in dict.fromkeys(ids))
        writers = {one.id: one for one in self.writers}
        return tuple(
            writers.get(one.id) or Reader(one.id, one.email)
            for one in found
            if one and one.email and (one.mail_me or not one.slack or REACH in self.sent)
        )
