"""Both stores through the same moves, in any order, and a third that is only dicts: all three agree at each step."""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from contracts.ledger_model import LedgerModel, Place
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from redis_server import emptied, running_server

from deploy.locks import Hold
from deploybot.errors import DeploybotError, LeaseLostError
from deploybot.events import (
    ApiMessageReceived,
    Cancelled,
    Event,
    Finished,
    LinedUp,
    Paused,
    QuestionAsked,
    Resumed,
    Slept,
    TurnCame,
    Woke,
)
from deploybot.memory import MemoryStore
from deploybot.operations import HOLDS
from deploybot.ports import Operation
from deploybot.queue import QUEUES, due_key, flag_key
from deploybot.redis_safety import client
from deploybot.store import RedisStore
from deploybot.thread import Thread, fold

KEY = b"k" * 32
DAWN = datetime(2100, 1, 1, tzinfo=UTC)
"""So far ahead that what Redis dates by its own clock is told apart from what the bot dates."""
THREADS = ("t1", "t2", "t3")
PLACES: tuple[Place, ...] = (("backend", "production"), ("frontend", "production"))
STATUSES = ("done", "working", "awaiting_input", "in_line", "sleeping", "paused")
WORDS = ("said", "lines_up", "asks", "sleeps", "ends", "cancelled", "turn", "wakes", "pauses", "resumes")  # fmt: skip

LASTING = 10 * 365 * 24 * 3600.0
"""Seconds of a lease that only ends when it is let go: Redis' clock cannot be moved."""

names, places = st.sampled_from(THREADS), st.sampled_from(PLACES)
moves = st.one_of(st.just("said"), st.just("lines_up"), st.sampled_from(WORDS))
keys = st.lists(st.sampled_from(["k1", "k2", "k3", "k4", "k5"]), max_size=2, unique=True).map(tuple)


class Stores(RuleBasedStateMachine):
    """Redis, the memory and the dicts; every rule moves all three."""

    url: str

    @initialize()
    def begins(self) -> None:
        self.now = DAWN
        self.redis = emptied(self.url)
        self.real = RedisStore(self.redis, key=KEY, now=self._clock, lease_seconds=LASTING)
        self.memory = MemoryStore(now=self._clock, lease_seconds=LASTING)
        self.memory._key = KEY
        self.model = LedgerModel()
        self.claims: dict[Place, Operation] = {}
        self.holds: dict[tuple[Any, ...], Hold] = {}
        self.old: list[tuple[Thread, Thread]] = []
        self.number = 0

    def teardown(self) -> None:
        if hasattr(self, "redis"):
            self.redis.close()

    def _clock(self) -> datetime:
        return self.now

    # -- moves ---------------------------------------------------------------------

    @rule(name=names, what=moves, place=places, first=st.booleans(), keys=keys, stale=st.booleans())
    def something_happens(self, name, what, place, first, keys, stale):
        self._append(name, what, place, first=first, keys=keys, stale=stale)

    @rule(name=names, place=places, first=st.booleans())
    def a_thread_lines_up(self, name, place, first):
        self._append(name, "said")
        self._append(name, "lines_up", place, first=first)

    @rule(name=names, place=places, fence=st.sampled_from([0, 0, 0, 1, -1]), stale=st.booleans())
    def an_operation_claims_its_place(self, name, place, fence, stale):
        number = self.model.fences.get(place, 0) + 1 + fence
        claim = Operation(f"o{self.number}", *place, name, f"r{self.number}", number)
        if self._append(name, "said", claim=claim, stale=stale):
            self.model.running[place], self.model.fences[place] = claim.id, number
            self.model.leases.add(claim.id)
            self.claims[place] = claim

    @rule(name=names, place=places, stale=st.booleans())
    def an_operation_ends(self, name, place, stale):
        claim = self.claims.get(place)
        if claim is None:
            return
        taken = self._append(name, "said", release=claim, stale=stale)
        if taken and self.model.running.get(place) == claim.id:
            del self.model.running[place]
            self.model.leases.discard(claim.id)
            self._woke_the_next([place], by=name)

    @rule(
        name=names,
        place=st.sampled_from([*PLACES, (None, "production")]),
        made_by=st.sampled_from(["person", "person", "rollback"]),
        hours=st.none() | st.integers(1, 3),
        way=st.sampled_from(["place", "take over", "free", "free another"]),
    )
    def somebody_locks_or_frees(self, name, place, made_by, hours, way):
        where = (*place, made_by)
        expires = self.now + timedelta(hours=hours) if hours else None
        new = Hold(
            service=place[0], environment=place[1], owner=f"p{self.number}", reason="because",
            at=self.now + timedelta(seconds=self.number), expires=expires, made_by=made_by,
        )  # fmt: skip
        there = self.holds.get(where, new) if way != "free another" else new
        hold = new if way in ("place", "take over") else None
        free = None if way == "place" else there
        if not self._append(name, "said", hold=hold, free=free):
            return
        if hold:
            until = hold.expires.timestamp() if hold.expires else None
            self.model.holds[where], self.holds[where] = (hold.owner, until), hold
        else:
            self.model.holds.pop(where, None)
            self.holds.pop(where, None)
        freed = [p for p in PLACES if place[0] in (None, p[0])]
        self._woke_the_next(freed, by=name)

    @rule(place=places)
    def a_lease_is_renewed(self, place):
        claim = self.claims.get(place)
        if claim is None:
            return
        mine = self.model.running.get(place) == claim.id and claim.id in self.model.leases
        for store in (self.real, self.memory):
            try:
                store.heartbeat(claim)
                renewed = True
            except LeaseLostError:
                renewed = False
            assert renewed == mine

    @rule(place=places)
    def a_lease_is_let_go(self, place):
        if claim := self.claims.get(place):
            self.real.let_go(claim)
            self.memory.let_go(claim)
            self.model.leases.discard(claim.id)

    @rule(name=names, place=places)
    def a_thread_is_taken_out_of_a_line(self, name, place):
        if name not in self.model.lines.get(place, []):
            return
        self.real.leave_line(name, *place)
        self.memory.leave_line(name, *place)
        self.model.leaves(name, place)
        self._woke_the_next([place], by=name)

    @rule(alias=st.sampled_from(["a1", "a2"]), name=names)
    def a_thread_gets_a_name(self, alias, name):
        self.real.name(alias, name)
        self.memory.name(alias, name)
        self.model.aliases[alias] = name

    @rule(minutes=st.integers(1, 200))
    def time_passes(self, minutes):
        self.now += timedelta(minutes=minutes)

    @rule()
    def workers_take_every_wake_up(self):
        for job, name in self._waiting():
            self.redis.delete(flag_key(job, name))
        for queue in QUEUES.values():
            self.redis.delete(f"rq:queue:{queue}")
        self.memory._wake_ups.clear()

    # -- what must hold ------------------------------------------------------------

    @invariant()
    def all_three_agree(self):
        if not hasattr(self, "model"):
            return
        for name in THREADS:
            kept, written = self.real.load(name), self.model.thread(name)
            assert kept == self.memory.load(name)
            assert fold(kept.events) == kept.standing
            assert len(kept.events) == len(written.words)
            assert kept.standing.paused == written.paused
        for alias in ("a1", "a2", "made:t1", "made:t2", "made:t3"):
            found = self.model.aliases.get(alias)
            assert self.real.find(alias) == self.memory.find(alias) == found
        for place in PLACES:
            running = self.real.operation(*place)
            assert running == self.memory.operation(*place)
            assert (running.id if running else None) == self.model.running.get(place)
            fence = self.model.fences.get(place, 0) + 1
            assert self.real.next_fence(*place) == self.memory.next_fence(*place) == fence
            line = tuple(self.model.lines.get(place, ()))
            assert self.real.line(*place) == self.memory.line(*place) == line
            if claim := self.claims.get(place):
                alive = claim.id in self.model.leases
                assert self.real.lease_is_alive(claim) == self.memory.lease_is_alive(claim) == alive

    @invariant()
    def the_same_holds_last(self):
        if not hasattr(self, "model"):
            return
        now = self.now.timestamp()
        lasting = {
            (*where, whose)
            for where, (whose, until) in self.model.holds.items()
            if until is None or now < until
        }
        for store in (self.real, self.memory):
            found = {(h.service, h.environment, h.made_by, h.owner) for h in store.holds()}
            assert found == lasting
        assert self.real.holds() == self.memory.holds()
        assert self.redis.hlen(HOLDS) == len(self.model.holds)

    @invariant()
    def the_same_threads_are_listed(self):
        if not hasattr(self, "model"):
            return
        newest_first = tuple(reversed(self.model.latest))
        assert self.real.list().threads == self.memory.list().threads == newest_first
        for status in STATUSES:
            listed = self.memory.list(status=status).threads
            assert self.real.list(status=status).threads == listed

    @invariant()
    def the_same_is_due_and_woken(self):
        if not hasattr(self, "model"):
            return
        waiting = self._waiting()
        assert len(waiting) == len(set(waiting))
        assert set(waiting) == set(self.memory._wake_ups)
        for name in THREADS:
            kept = self.memory._threads.get(name)
            due = kept.due if kept and kept.entries else None
            scores = [self.redis.zscore(due_key(job), name) for job in ("advance", "operate")]
            at = [score for score in scores if score is not None]
            assert len(at) == (due is not None)
            if due and (dated := datetime.fromtimestamp(at[0] / 1000, UTC)) > DAWN - timedelta(1):
                assert abs(dated - due) < timedelta(milliseconds=2)
            elif due:  # dated by Redis: whoever stands first in a line looks soon
                assert due <= self.now + timedelta(seconds=10)

    # -- how -----------------------------------------------------------------------

    def _append(
        self,
        name: str,
        what: str,
        place: Place = PLACES[0],
        *,
        first: bool = False,
        keys: tuple[str, ...] = (),
        stale: bool = False,
        **asked: Any,
    ) -> bool:
        """Append to both stores; both refuse, for a reason that the model sees, or neither does."""
        self.number += 1
        event, thread = self._event(what, place, first=first), self.memory.load(name)
        earlier = [pair for pair in self.old if pair[0].id == name]
        before = earlier[self.number % len(earlier)] if stale and earlier else (thread, thread)
        against = self._against(name, what, place, first, len(before[0].events), keys, asked)
        answers: list[str] = []
        alias = (f"made:{name}",) if self.number % 3 == 0 else ()
        for store, seen in zip((self.real, self.memory), before, strict=True):
            try:
                store.append(seen, event, dedupe=keys, aliases=alias, **asked)
                answers.append("")
            except DeploybotError as error:
                answers.append(type(error).__name__)
        assert all(answer in (against or {""}) for answer in answers), (answers, against)
        if against:
            return False
        assert self.model.takes(name, what, place, first=first)
        self.model.heard.update(dict.fromkeys(keys, name))
        self.model.aliases.update(dict.fromkeys(alias, name))
        self.old.append((self.real.load(name), self.memory.load(name)))
        return True

    def _against(self, name, what, place, first, length, keys, asked):
        claim, hold, free = asked.get("claim"), asked.get("hold"), asked.get("free")
        about = hold or free
        found = self.model.against(
            name,
            length,
            keys=keys,
            claim=((claim.service, claim.environment), claim.fence) if claim else None,
            hold=(
                (about.service, about.environment, about.made_by), hold is not None,
                free.owner if free else None,
            ) if about else None,
            now=self.now.timestamp(),
        )  # fmt: skip
        if length == len(self.model.thread(name).words):
            legal = self.model.thread(name).after(what, place, first=first) is not None
            return found if legal else found | {"IllegalEventError"}
        return found | {"IllegalEventError"}  # judged by what its writer had seen

    def _event(self, what: str, place: Place, *, first: bool) -> Event:
        told: dict[str, Any] = {"at": self.now, "by": "ann"}
        line = told | {"service": place[0], "environment": place[1]}
        later = self.now + timedelta(hours=1)
        return {
            "said": lambda: ApiMessageReceived(**told, delivery=f"d{self.number}", text="hello"),
            "lines_up": lambda: LinedUp(**line, position=1, why="busy", first=first),
            "turn": lambda: TurnCame(**line),
            "asks": lambda: QuestionAsked(**told, question_id="q", question="which?"),
            "sleeps": lambda: Slept(**told, until=later, reason="later"),
            "wakes": lambda: Woke(**told),
            "ends": lambda: Finished(**told, message="done"),
            "cancelled": lambda: Cancelled(**told),
            "pauses": lambda: Paused(**told),
            "resumes": lambda: Resumed(**told),
        }[what]()

    def _waiting(self) -> list[tuple[str, str]]:
        """Return the wake-ups that wait in Redis: (job, thread)."""
        found = []
        for job, queue in QUEUES.items():
            for name in self.redis.lrange(f"rq:queue:{queue}", 0, -1):
                data = json.loads(self.redis.hget(f"rq:job:{name.decode()}", "data"))
                found.append((job, data[2][0]))
        return found

    def _woke_the_next(self, freed: list[Place], *, by: str) -> None:
        for place in freed:
            for head in self.model.lines.get(place, [])[:1]:
                assert head == by or ("advance", head) in self._waiting()


@contextmanager
def stores() -> Iterator[type[Stores]]:
    with running_server() as url:
        with closing(client(url)) as connection:
            connection.config_set("appendfsync", "no")  # nobody pulls a plug here
        yield type("Stores", (Stores,), {"url": url})


def play(examples: int, *phases: Phase) -> None:
    with stores() as machine:
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=examples,
                stateful_step_count=40,
                deadline=None,
                derandomize=True,
                database=None,
                phases=phases,
                suppress_health_check=list(HealthCheck),
            ),
        )


@pytest.mark.parametrize(
    "examples", [25, pytest.param(3000, marks=(pytest.mark.long, pytest.mark.timeout(0)))]
)
def test_both_stores_and_the_dicts_agree_whatever_happens_in_whatever_order(examples: int) -> None:
    play(examples, Phase.generate, Phase.shrink)


def test_a_store_that_forgets_who_is_next_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MemoryStore, "_look_soon", lambda *_, **__: None)

    with pytest.raises(AssertionError):
        play(40, Phase.generate)


def test_the_dicts_know_their_own_rules() -> None:
    model = LedgerModel()

    assert model.takes("t1", "said", None, first=False)
    assert not model.takes("t1", "turn", PLACES[0], first=False)
    assert model.takes("t1", "lines_up", PLACES[0], first=False)
    assert model.lines == {PLACES[0]: ["t1"]}
    assert model.takes("t1", "pauses", None, first=False)
    assert model.lines == {PLACES[0]: []}
