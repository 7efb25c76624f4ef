"""Any answers to any cards at any time: what counts, what runs and what people are told is what a page of dicts says."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from fakes import PEOPLE, catalog, sha_of
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from oracle import violations
from story import Story
from strategies import MANY_STEPS

from deploybot import answers
from deploybot.errors import DeploybotError
from deploybot.events import (
    AnswerRefused,
    ApiMessageReceived,
    ApprovalRequested,
    ApprovalSuperseded,
    DeployStarted,
    ForkMade,
    Paused,
    Resumed,
    StepChosen,
)
from deploybot.inbox import Answer
from deploybot.next_step import Deploy, DoneForNow
from deploybot.ports import Choice, Prompt
from deploybot.thread import Status

SERVICES = {"t1": "backend", "t2": "frontend"}
APPROVERS, QUORUM, OPEN_MINUTES = {"ann", "ben", "mia"}, 2, 30
KNOWN = {"ann", "ben", "mia", "eve"}
QUIET = (Paused, Resumed, AnswerRefused, ForkMade, StepChosen)


class Proposer:
    """A model that proposes main whenever it is spoken to, or what it proposed has changed."""

    def next_step(self, prompt: Prompt) -> Choice:
        last = next(e for e in reversed(prompt.thread.events) if not isinstance(e, QUIET))
        step: Any = DoneForNow(message="Done.")
        if isinstance(last, ApiMessageReceived | ApprovalSuperseded):
            service = SERVICES[prompt.thread.id]
            step = Deploy(service=service, ref="main", environment="production", reason="asked")
        return Choice(step, model="scripted")


@dataclass
class Card:
    """One request, as its readers understand it."""

    thread: str
    requesters: tuple[str, ...]
    sha: str
    instead_of: str | None
    closes: float
    yes: set[str] = field(default_factory=set)
    approved: bool = False


@dataclass
class Talk:
    """One thread: which card is open, whether it is paused, who asked, and what it waits for."""

    card: str | None = None
    paused: bool = False
    requesters: tuple[str, ...] = ()
    todo: str = ""
    """What the bot owes it once it is not paused: to propose, or to end."""


class Answers(RuleBasedStateMachine):
    """Two threads, everybody, and a clock; the dicts say at each step what must come of it."""

    @initialize()
    def begins(self) -> None:
        table = catalog(quorum=QUORUM, verified_in=None)
        self.story = Story(model=Proposer(), table=table)
        self.talks = {name: Talk() for name in SERVICES}
        self.cards: dict[str, Card] = {}
        self.live: dict[str, str] = {}
        self.ran: list[str] = []
        self.main = "main"

    # -- what people do ------------------------------------------------------------

    @rule(name=st.sampled_from(["t1", "t2"]), by=st.sampled_from(["ann", "eve", "slack:U1"]))
    def someone_asks(self, name, by):
        talk = self.talks[name]
        waits = talk.card is not None and self.cards[talk.card].approved
        if talk.card is None and by not in talk.requesters:
            talk.requesters = (*talk.requesters, by)
        if not waits:
            talk.card, talk.todo = None, "propose"
        self.story.thread_id = name
        self.story.person_says("deploy it", by=by)
        self._goes_on(name)

    @rule(
        by=st.sampled_from(["ann", "ben", "ben", "mia", "mia", "eve", "slack:U1"]),
        approved=st.sampled_from([True, True, True, False]),
        old=st.integers(0, 5),
        genuine=st.sampled_from([True, True, True, True, False]),
    )
    def someone_answers(self, by, approved, old, genuine):
        if not self.cards:
            return
        newest_first = sorted(self.cards, key=lambda name: -int(name[1:]))
        name = newest_first[old % len(newest_first)]
        card, talk = self.cards[name], self.talks[self.cards[name].thread]
        counts = genuine and talk.card == name and by in KNOWN
        if approved:
            counts = counts and not card.approved and by not in card.yes
        stops = card.approved and by in card.requesters and not approved
        counts = counts and (stops or (by in APPROVERS and by not in card.requesters))
        counts = counts and (card.approved or self._now() < card.closes)
        if counts and approved:
            card.yes.add(by)
            card.approved = len(card.yes) == QUORUM
        elif counts:
            talk.card, talk.todo = None, "end"

        assert self._answered(name, by, approved=approved, genuine=genuine) == counts
        if counts:
            self._goes_on(card.thread)

    @rule(name=st.sampled_from(["t1", "t2"]))
    def someone_pauses_or_resumes(self, name):
        talk = self.talks[name]
        talk.paused = not talk.paused
        act = self.story.inbox.pause if talk.paused else self.story.inbox.resume
        act(name, by="eve", delivery=self.story._delivery())
        self.story.bot_works()
        self._goes_on(name)

    @rule(name=st.sampled_from(["t1", "t2"]))
    def someone_cancels(self, name):
        talk = self.talks[name]
        possible = talk.card is not None or talk.todo != ""
        try:
            self.story.inbox.cancel(name, by="eve", delivery=self.story._delivery())
        except DeploybotError:
            assert not possible
            return
        assert possible
        self.story.bot_works()
        talk.card, talk.todo, talk.requesters = None, "", ()

    @rule(name=st.sampled_from(["t1", "t2"]), at=st.integers(1, 40))
    def someone_forks(self, name, at):
        length = len(self.story.store.load(name).events)
        try:
            delivery = self.story._delivery()
            fork = self.story.inbox.fork(name, at, by="eve", delivery=delivery)
        except DeploybotError:
            assert at > length
            return
        self.story.bot_works()
        assert self.story.store.load(fork.id).status is Status.DONE
        for card in self.cards:
            assert not self._answered(card, "ben", approved=True, genuine=True, thread=fork.id)

    # -- what the world does -------------------------------------------------------

    @rule(sevens=st.integers(1, 6))
    def time_passes(self, sevens):
        """Seven minutes at a time: no sum of them falls on the end of half an hour."""
        self.story.clock.passes(minutes=7 * sevens)
        self.story.bot_works()
        for name in SERVICES:
            self._goes_on(name)

    @rule(ref=st.sampled_from(["main", "main-2", "main-3"]))
    def main_moves(self, ref):
        self.main = self.story.deployer.main = ref

    # -- what must hold ------------------------------------------------------------

    @invariant()
    def what_is_open_and_what_ran_is_what_the_dicts_say(self):
        if not hasattr(self, "story"):
            return
        for name, talk in self.talks.items():
            thread = self.story.store.load(name)
            request = thread.standing.request
            assert (request.id if request else None) == talk.card
            assert violations(thread.events) == []
            if request is not None:
                card = self.cards[request.id]
                assert {grant.by for grant in thread.standing.grants} == card.yes
                assert request.plan.sha == card.sha
        assert [run.split()[1] for run in self._changes()] == [
            SERVICES[self.cards[name].thread] for name in self.ran
        ]
        assert self.story.deployer.began == set(self.ran)

    # -- how -----------------------------------------------------------------------

    def _now(self) -> float:
        return self.story.clock.time.timestamp()

    def _changes(self) -> list[str]:
        return [ran for ran in self.story.deployer.ran if not ran.startswith("test")]

    def _answered(self, card, by, *, approved, genuine, thread="") -> bool:
        request = next(
            event.request
            for name in SERVICES
            for event in self.story.store.load(name).events
            if isinstance(event, ApprovalRequested) and event.request.id == card
        )
        answer = Answer(
            thread=thread or request.thread, request_id=card,
            digest=request.digest if genuine else "0" * 64, approved=approved, comment="",
            by=by, channel="api", address=by, delivery=self.story._delivery(),
        )  # fmt: skip
        receipt = self.story.inbox.answer(answer)
        assert receipt.text
        self.story.bot_works()
        return receipt.accepted

    def _goes_on(self, name: str) -> None:
        """Say what the bot does with a thread that nobody paused, and adopt the card it makes."""
        talk = self.talks[name]
        if talk.paused:
            return
        card = self.cards[talk.card] if talk.card else None
        if card and self._now() >= card.closes:
            talk.card, talk.todo = None, "end"
        elif card and card.approved and (card.sha, card.instead_of) != self._would_be(name):
            talk.card, talk.todo = None, "propose"
        elif card and card.approved:
            self.ran.append(talk.card)
            self.live[SERVICES[name]] = card.sha
            talk.card, talk.todo = None, "end"
        if talk.todo == "propose":
            self._proposed(name)
        elif talk.todo == "end":
            talk.requesters = ()
        talk.todo = ""

    def _would_be(self, name: str) -> tuple[str, str | None]:
        return sha_of(self.main), self.live.get(SERVICES[name])

    def _proposed(self, name: str) -> None:
        talk = self.talks[name]
        sha, before = self._would_be(name)
        request = self.story.store.load(name).standing.request
        if sha == before:
            assert request is None  # it is live already, which is said instead
            talk.requesters = ()
            return
        assert request is not None
        assert request.id not in self.cards
        talk.card = request.id
        closes = request.expires_at.timestamp()
        assert abs(closes - self._now() - 60 * OPEN_MINUTES) < 1
        self.cards[request.id] = Card(name, talk.requesters, sha, before, closes)
        assert request.requesters == talk.requesters


SETTINGS = settings(MANY_STEPS, max_examples=35)
Answers.TestCase.settings = SETTINGS
TestAnswers = Answers.TestCase


@pytest.mark.long
class TestManyAnswers(Answers.TestCase):
    settings = settings(SETTINGS, max_examples=3000)


def test_a_requester_who_may_approve_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "may_answer", lambda *_, **__: None)
    machine = Answers()
    machine.begins()
    machine.someone_asks("t1", "ann")

    with pytest.raises(AssertionError):
        machine.someone_answers("ann", approved=True, old=0, genuine=True)
    assert {person.id for person in PEOPLE.known} == KNOWN
    assert not any(isinstance(e, DeployStarted) for e in machine.story.thread.events)
