"""What a target knows and no thread does: production is held once, people are told, fences go on."""

from fakes import FakeClock

from deploy.records import BeganRecord
from deploybot.anchors import KEEPER, Anchors
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

    def began(self, name: str = "f3a9", fence: int = 7) -> BeganRecord:
        return BeganRecord(
            at=self.clock.now(), approval_id=name, fence=fence, digest="d", head="h",
            sha="a" * 40, action="deploy",
        )  # fmt: skip

    def knows(self, operation: str) -> None:
        said = ApiMessageReceived(at=self.clock.now(), by="ann", delivery="d1", text="x")
        self.store.append(Thread("t1"), said, aliases=(f"operation:{operation}",))


def test_what_a_thread_knows_is_no_loss():
    here = Here()
    here.knows("f3a9")

    here.anchors.check(*PLACE, [here.began()])

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
