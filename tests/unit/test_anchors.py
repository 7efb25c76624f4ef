"""What a target, or a card, knows and no thread does: production is held once, people are told, fences go on."""

import pytest
from fakes import FakeClock

from deploy.locks import Hold
from deploy.records import BeganRecord
from deploybot.anchors import KEEPER, Anchors, Shown
from deploybot.events import ApiMessageReceived
from deploybot.memory import MemoryStore
from deploybot.thread import Thread

PLACE = ("backend", "production")


class Here:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.store = MemoryStore(now=self.clock.now)
        self.alarms: list[str] = []
        self.anchors = Anchors(
            self.store, self.clock.clockwork, lambda _, text: self.alarms.append(text)
        )

    def began(self, name: str = "f3a9", fence: int = 7, head: str = "h") -> BeganRecord:
        return BeganRecord(
            at=self.clock.now(), approval_id=name, fence=fence, digest="d", head=head,
            sha="a" * 40, action="deploy",
        )  # fmt: skip

    def knows(self, operation: str, thread: str = "t1") -> str:
        """Let a thread know of it; return its head."""
        said = ApiMessageReceived(at=self.clock.now(), by="ann", delivery=f"d-{thread}", text="x")
        grown = self.store.append(Thread(thread), said, aliases=(f"operation:{operation}",))
        return grown.head

    def goes_on(self, thread: str) -> None:
        said = ApiMessageReceived(at=self.clock.now(), by="ann", delivery="d2", text="y")
        self.store.append(self.store.load(thread), said)

    def held(self) -> list[tuple[str | None, str, str]]:
        return [(hold.service, hold.environment, hold.owner) for hold in self.store.holds()]


def test_what_a_thread_knows_is_no_loss():
    here = Here()
    head = here.knows("f3a9")
    here.goes_on("t1")

    here.anchors.check(*PLACE, [here.began(head=head)])

    assert here.alarms == []
    assert here.store.holds() == ()


def test_what_no_thread_knows_holds_the_environment_and_is_told():
    here = Here()

    here.anchors.check(*PLACE, [here.began()])

    (hold,) = here.store.holds()
    assert (hold.service, hold.environment, hold.owner) == (None, "production", KEEPER)
    assert "backend on production has run f3a9" in here.alarms[0]
    assert "unlock production" in here.alarms[0]
    assert here.store.next_fence(*PLACE) == 8


def test_it_is_held_once_so_that_an_approver_can_free_it():
    here = Here()
    here.anchors.check(*PLACE, [here.began()])
    (hold,) = here.store.holds()

    here.store.append(here.store.load("t9"), free=hold)
    here.anchors.check(*PLACE, [here.began()])

    assert here.store.holds() == ()
    assert len(here.alarms) == 1


def test_what_was_run_by_hand_is_in_no_thread():
    here = Here()

    here.anchors.check(*PLACE, [here.began("by-hand:ann:1")])

    assert here.alarms == []


def test_what_is_older_than_names_are_kept_is_no_loss():
    here = Here()
    record = here.began()
    here.clock.passes(days=91)

    here.anchors.check(*PLACE, [record])

    assert here.alarms == []


def test_a_thread_that_is_not_the_one_an_order_came_from_is_a_loss():
    here = Here()
    here.knows("f3a9")

    here.anchors.check(*PLACE, [here.began(head="0" * 64)])

    assert here.held() == [(None, "production", KEEPER)]
    assert "thread t1 is not the one that it came from" in here.alarms[0]


def test_an_order_that_names_no_head_is_believed():
    here = Here()
    here.knows("f3a9")

    here.anchors.check(*PLACE, [here.began(head="")])

    assert here.alarms == []


def test_a_card_whose_thread_has_only_gone_on_is_no_loss():
    here = Here()
    head = here.knows("f3a9")
    here.goes_on("t1")

    assert not here.anchors.answered(Shown("t1", "r1", head, "production"))
    assert here.held() == []
    assert here.alarms == []


@pytest.mark.parametrize("thread", ["t1", "gone"])
def test_a_card_that_shows_more_than_its_thread_knows_holds_what_it_is_about(thread: str):
    here = Here()
    here.knows("f3a9")

    assert here.anchors.answered(Shown(thread, "r1", "0" * 64, "production"))
    assert here.held() == [(None, "production", KEEPER)]
    (alarm,) = here.alarms
    assert f"answered the card of request r1, and thread {thread} lacks what it showed" in alarm
    assert "The answer changed nothing" in alarm
    assert "unlock production" in alarm


def test_the_head_of_another_thread_is_not_the_cards():
    here = Here()
    here.knows("f3a9")
    other = here.knows("b7c1", thread="t2")

    assert here.anchors.answered(Shown("t1", "r1", other, "production"))


def test_however_often_a_lost_card_is_answered_an_approver_frees_it_for_good():
    here = Here()
    lost = Shown("t1", "r1", "0" * 64, "production")
    here.anchors.answered(lost)
    (hold,) = here.store.holds()

    here.store.append(here.store.load("t9"), free=hold)
    again = here.anchors.answered(lost)

    assert again
    assert here.held() == []
    assert len(here.alarms) == 1


def test_a_card_about_a_place_that_is_no_more_holds_nothing_and_is_told():
    here = Here()

    assert here.anchors.answered(Shown("t1", "r1", "0" * 64, ""))
    assert here.held() == []
    assert "Look at what is live" in here.alarms[0]


def test_somebodys_own_lock_gives_way():
    here = Here()
    own = Hold(service=None, environment="production", owner="ann", reason="x", at=here.clock.now())
    here.store.append(Thread("t9"), hold=own)

    here.anchors.answered(Shown("t1", "r1", "0" * 64, "production"))

    assert here.held() == [(None, "production", KEEPER)]


def test_a_place_that_somebody_locks_at_the_same_moment_is_held_all_the_same():
    here = Here()
    own = Hold(service=None, environment="production", owner="ann", reason="x", at=here.clock.now())
    holds, before = here.store.holds, [own]

    def a_moment_ago() -> tuple[Hold, ...]:
        seen = holds()
        if before:
            here.store.append(Thread("t9"), hold=before.pop())
        return seen

    here.store.holds = a_moment_ago  # type: ignore[method-assign]
    here.anchors.answered(Shown("t1", "r1", "0" * 64, "production"))

    assert here.held() == [(None, "production", KEEPER)]
