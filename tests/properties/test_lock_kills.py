"""A worker dies at any instant of a word about a lock: it is done once, told, and nobody is left waiting."""

import pytest
from fakes import sha_of
from properties.test_kills_in_memory import DiedError, DyingStore, Fate
from story import Story

from deploybot.events import ApiMessageReceived, Finished, HoldPlaced, HoldReleased
from deploybot.next_step import Deploy
from deploybot.thread import Status

INSTANTS = range(1, 13)
"""More instants than any of these words takes."""
DEPLOY = Deploy(service="backend", ref="main", environment="staging", reason="asked to")


class Company(Story):
    """A story whose worker dies at one instant; another goes on after a while."""

    def opened_store(self) -> DyingStore:
        store = DyingStore(now=self.clock.now)
        store.fate = Fate()
        return store

    def says(self, text: str, *, by: str, dies_at: int) -> None:
        said = ApiMessageReceived(at=self.clock.now(), by=by, delivery=self._delivery(), text=text)
        self.inbox.hear(self.thread_id, said, dedupe=(said.delivery,))
        fate = Fate({dies_at})
        self.store.fate = fate
        fate.at_work = True
        for _ in range(5):
            try:
                self.bot_works()
            except DiedError:
                self.clock.passes(seconds=30)
        fate.at_work = False


@pytest.fixture
def company() -> Company:
    return Company()


def count(company: Company, kind: type) -> int:
    return sum(isinstance(event, kind) for event in company.thread.events)


@pytest.mark.parametrize("instant", INSTANTS)
def test_a_lock_is_placed_once_and_the_thread_comes_to_rest(company: Company, instant: int) -> None:
    company.says("lock backend on production for 2h: migration", by="eve", dies_at=instant)

    assert [hold.owner for hold in company.store.holds()] == ["eve"]
    assert count(company, HoldPlaced) == 1
    assert isinstance(company.thread.events[-1], Finished)


@pytest.mark.parametrize("instant", INSTANTS)
def test_what_is_freed_is_free_and_who_waits_goes_on(company: Company, instant: int) -> None:
    company.says("lock backend on staging: migration", by="eve", dies_at=0)
    company.thread_id = "t2"
    company.model_will(DEPLOY).person_says("deploy backend", by="ann")
    assert company.thread.status is Status.IN_LINE

    company.thread_id = "t1"
    company.says("unlock backend on staging", by="eve", dies_at=instant)

    assert company.store.holds() == ()
    assert count(company, HoldReleased) == 1
    assert company.store.load("t2").status is Status.DONE
    assert company.deployer.live_now["backend", "staging"].sha == sha_of("main")
    assert company.store.line("backend", "staging") == ()


@pytest.mark.parametrize("who", ["t2", "t3"])
def test_who_leaves_the_line_leaves_nobody_behind(company: Company, who: str) -> None:
    company.says("lock backend on staging: migration", by="eve", dies_at=0)
    for name in ("t2", "t3", "t4"):
        company.thread_id = name
        company.model_will(DEPLOY).person_says("deploy backend", by="ann")
    company.inbox.cancel(who, by="ann", delivery="c1")
    company.bot_works()

    company.thread_id = "t1"
    company.says("unlock backend on staging", by="eve", dies_at=0)

    assert {company.store.load(name).status for name in ("t2", "t3", "t4")} == {Status.DONE}
    assert company.deployer.live_now["backend", "staging"].sha == sha_of("main")
    assert company.store.line("backend", "staging") == ()
