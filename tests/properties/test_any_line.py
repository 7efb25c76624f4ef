"""Locks and the line before them, whoever says what when: who waits, who goes and in which order is what a list says."""

from dataclasses import dataclass
from typing import Any

import pytest
from fakes import PEOPLE, catalog, sha_of
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from oracle import violations
from story import Story
from strategies import MANY_STEPS

from deploybot import memory
from deploybot.errors import DeploybotError
from deploybot.events import ApiMessageReceived, Paused, Resumed, StepChosen, TurnCame
from deploybot.holding import Holding
from deploybot.next_step import Deploy, DoneForNow
from deploybot.ports import Choice, Prompt
from deploybot.thread import Status

THREADS = ("t1", "t2", "t3", "t4")
PLACE = ("backend", "staging")
KNOWN = ("ann", "ben", "eve")

names = st.sampled_from(THREADS)
people = st.sampled_from(KNOWN)


class Obedient:
    """A model that deploys what the last words name, and ends on any other."""

    def next_step(self, prompt: Prompt) -> Choice:
        quiet = (Paused, Resumed, StepChosen, TurnCame)
        last = next(e for e in reversed(prompt.thread.events) if not isinstance(e, quiet))
        step: Any = DoneForNow(message="Done.")
        if isinstance(last, ApiMessageReceived) and last.text.startswith("deploy "):
            ref = last.text.removeprefix("deploy ")
            step = Deploy(service=PLACE[0], ref=ref, environment=PLACE[1], reason="asked")
        return Choice(step, model="scripted")


@dataclass
class Wish:
    """One thread that wants a ref deployed, and whose wish it is."""

    ref: str
    by: tuple[str, ...]


class Line(RuleBasedStateMachine):
    """One place, four threads, three people and a clock."""

    @initialize()
    def begins(self) -> None:
        self.story = Story(model=Obedient(), table=catalog())
        clock = self.story.clock.clockwork
        self.holding = Holding(self.story.store, self.story.table, PEOPLE, clock)
        self.line: list[str] = []
        self.wishes: dict[str, Wish] = {}
        self.paused: set[str] = set()
        self.owner = ""
        self.until: float | None = None
        self.went: list[str] = []
        self.number = 0

    # -- what people do ------------------------------------------------------------

    @rule(name=names, by=people)
    def someone_asks(self, name, by):
        if name in self.paused:
            return
        self.number += 1
        before = self.wishes.get(name, Wish("", ()))
        wish = Wish(f"commit-{self.number}", (*before.by, *({by} - set(before.by))))
        self._leaves(name)
        self.wishes[name] = wish
        self.line.append(name)
        self._says(name, f"deploy {wish.ref}", by)

    @rule(name=names, by=people)
    def someone_changes_their_mind(self, name, by):
        if name in self.paused:
            return
        self._leaves(name)
        self._says(name, "never mind", by)

    @rule(name=names)
    def someone_cancels(self, name):
        possible = name in self.wishes
        try:
            self.story.inbox.cancel(name, by="eve", delivery=self.story._delivery())
        except DeploybotError:
            assert not possible
            return
        assert possible
        self._leaves(name)
        self._moves()

    @rule(name=names)
    def someone_pauses_or_resumes(self, name):
        delivery = self.story._delivery()
        if name in self.paused:
            self.paused.remove(name)
            if name in self.wishes:
                self.line.append(name)
            self.story.inbox.resume(name, by="eve", delivery=delivery)
        else:
            self.paused.add(name)
            if name in self.line:
                self.line.remove(name)
            self.story.inbox.pause(name, by="eve", delivery=delivery)
        self._moves()

    @rule(by=people, hours=st.none() | st.integers(1, 3))
    def someone_locks(self, by, hours):
        taken = self._locked_by() in ("", by)
        receipt = self.holding.lock(
            *PLACE, by=by, delivery=self.story._delivery(), seconds=hours and 3600 * hours
        )
        assert receipt.accepted == taken
        if taken:
            self.owner = by
            self.until = self._now() + 3600 * hours if hours else None
        self._moves()

    @rule(by=people, way=st.sampled_from(["unlock", "take over", "hand over"]), to=people)
    def someone_changes_the_lock(self, by, way, to):
        how: dict[str, Any] = {"by": by, "delivery": self.story._delivery()}
        owner = self._locked_by()
        match way:
            case "unlock":
                assert self.holding.unlock(*PLACE, **how).accepted
                self.owner = ""
            case "take over":
                taken = owner not in ("", by)
                assert self.holding.take_over(*PLACE, **how).accepted == taken
                self.owner = by if taken else self.owner
            case _:
                taken = owner not in ("", to)
                assert self.holding.hand_over(*PLACE, to=to, **how).accepted == taken
                self.owner = to if taken else self.owner
        self._moves()

    @rule(minutes=st.sampled_from([7, 67, 187]))
    def time_passes(self, minutes):
        self.story.clock.passes(minutes=minutes)
        self._moves()

    # -- what must hold ------------------------------------------------------------

    @invariant()
    def who_waits_and_who_went_is_what_the_list_says(self):
        if not hasattr(self, "story"):
            return
        ran = [run.split()[2] for run in self.story.deployer.ran if not run.startswith("test")]
        assert ran == [sha_of(ref)[:7] for ref in self.went]
        assert self.story.store.line(*PLACE) == tuple(self.line)
        holds = self.story.store.holds()
        assert [hold.owner for hold in holds] == [self._locked_by()] * bool(self._locked_by())
        for name in THREADS:
            thread = self.story.store.load(name)
            assert violations(thread.events) == []
            status = thread.standing.status
            assert status is (Status.IN_LINE if name in self.wishes else Status.DONE)
            assert (thread.status is Status.PAUSED) == (name in self.paused)

    # -- how -----------------------------------------------------------------------

    def _now(self) -> float:
        return self.story.clock.time.timestamp()

    def _locked_by(self) -> str:
        over = self.until is not None and self._now() >= self.until
        return "" if over else self.owner

    def _says(self, name: str, text: str, by: str) -> None:
        self.story.thread_id = name
        self.story.person_says(text, by=by)
        self._moves()

    def _leaves(self, name: str) -> None:
        self.wishes.pop(name, None)
        if name in self.line:
            self.line.remove(name)

    def _moves(self) -> None:
        """Let the bot work, and say who goes meanwhile: the first, while no lock of others stands."""
        self.story.bot_works()
        while self.line and self._locked_by() in ("", *self.wishes[self.line[0]].by):
            first = self.line.pop(0)
            self.went.append(self.wishes.pop(first).ref)


SETTINGS = settings(MANY_STEPS, max_examples=20)
Line.TestCase.settings = SETTINGS
TestLine = Line.TestCase


@pytest.mark.long
class TestManyLines(Line.TestCase):
    settings = settings(SETTINGS, max_examples=3000)


def test_a_paused_thread_that_keeps_others_waiting_is_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory, "waits_for", lambda thread: thread.standing.line)
    machine = Line()
    machine.begins()
    machine.someone_locks("ann", None)
    machine.someone_asks("t1", "ben")
    machine.who_waits_and_who_went_is_what_the_list_says()

    machine.someone_pauses_or_resumes("t1")

    with pytest.raises(AssertionError):
        machine.who_waits_and_who_went_is_what_the_list_says()
