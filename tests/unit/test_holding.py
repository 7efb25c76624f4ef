"""Who may lock, extend, hand over, take over and free what; each once, and never half."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from fakes import NOON, PEOPLE, FakeClock, catalog

from deploy.locks import Hold
from deploybot.events import ApiMessageReceived, HoldForgotten, HoldPlaced, HoldReleased
from deploybot.holding import Holding, lock_thread
from deploybot.memory import MemoryStore
from deploybot.outbox import tellings
from deploybot.ports import People
from deploybot.telling import Said
from deploybot.thread import Status

PLACE = ("backend", "production")


class Desk:
    """A store, a clock and people who change locks."""

    def __init__(self, table=None, people=PEOPLE):
        self.clock = FakeClock()
        self.store = MemoryStore(now=self.clock.now)
        self.holding = Holding(self.store, table or catalog(), people, self.clock.clockwork)
        self.said = 0

    def __getattr__(self, name):
        def do(by, service="backend", environment="production", **more):
            self.said += 1
            more = {"delivery": f"d{self.said}", **more}
            return getattr(self.holding, name)(service, environment, by=by, **more)

        return do

    @property
    def hold(self):
        return self.holding.of(*PLACE)

    @property
    def events(self):
        return self.store.load(lock_thread(*PLACE)).events


@pytest.fixture
def desk():
    return Desk()


def roll_back_holds(desk):
    hold = Hold(
        service="backend",
        environment="production",
        owner="deploybot",
        reason="4af9ec0 was rolled back",
        at=NOON,
        made_by="rollback",
    )
    desk.store.append(desk.store.load("t9"), hold=hold)
    return hold


def test_a_known_person_locks_a_place_for_a_while(desk):
    receipt = desk.lock("eve", seconds=7200, reason="schema migration.")

    assert receipt.accepted
    assert "locked by you until 2026-03-02 14:00 UTC" in receipt.text
    assert (desk.hold.owner, desk.hold.reason) == ("eve", "schema migration")
    assert desk.hold.expires == desk.hold.at + timedelta(hours=2)
    assert [event.kind for event in desk.events] == ["hold_placed"]
    assert desk.store.load(lock_thread(*PLACE)).status is Status.DONE


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"by": "slack:U0ZOE"}, "unknown_person"),
        ({"environment": "prod"}, "unknown_environment"),
        ({"service": "bakend"}, "unknown_service"),
        ({"seconds": 40 * 86_400}, "time_refused"),
        ({"seconds": 10**12}, "time_refused"),
        ({"until": NOON - timedelta(hours=1)}, "time_refused"),
    ],
)
def test_what_cannot_be_locked_is_refused_in_words(desk, change, code):
    receipt = desk.lock(**{"by": "eve"} | change)

    assert (receipt.accepted, receipt.reason_code) == (False, code)
    assert "nothing was" in receipt.text.lower()
    assert desk.store.holds() == ()


def test_the_second_is_told_whose_it_is(desk):
    desk.lock("ann", reason="schema migration")

    receipt = desk.lock("ben")

    assert receipt.reason_code == "locked"
    assert "ann has locked backend on production: schema migration" in receipt.text
    assert desk.hold.owner == "ann"


def test_of_many_who_lock_at_once_one_wins_and_the_others_hear_who(desk):
    with ThreadPoolExecutor(8) as pool:
        receipts = list(
            pool.map(lambda n: desk.lock(["ann", "ben"][n % 2], delivery=f"x{n}"), range(16))
        )

    owner = desk.hold.owner
    others = [receipt for n, receipt in enumerate(receipts) if ["ann", "ben"][n % 2] != owner]
    assert {receipt.reason_code for receipt in others} == {"locked"}
    assert all(owner in receipt.text for receipt in others)


def test_everything_locked_keeps_others_from_locking_a_part(desk):
    desk.lock("ann", service=None, reason="sale")

    assert "ann has locked everything on production" in desk.lock("ben").text
    assert desk.lock("ann").accepted


def test_a_lock_may_be_said_anew_by_its_owner(desk):
    desk.lock("ann", reason="schema migration", seconds=60)

    receipt = desk.lock("ann", warn_only=True)

    assert receipt.accepted
    assert desk.hold.warn_only
    assert desk.hold.reason == "schema migration"
    assert desk.hold.expires is None


def test_what_ran_out_is_in_nobodys_way(desk):
    desk.lock("ann", seconds=60)
    desk.clock.passes(minutes=2)

    assert desk.lock("ben").accepted
    assert desk.hold.owner == "ben"


@pytest.mark.parametrize(("by", "may"), [("eve", True), ("ann", True), ("nobody", False)])
def test_the_owner_and_approvers_free_it(desk, by, may):
    desk.lock("eve", reason="schema migration")

    receipt = desk.unlock(by)

    assert receipt.accepted is may
    assert (desk.hold is None) is may
    if may:
        freed = desk.events[-1]
        assert isinstance(freed, HoldReleased)
        assert (freed.was, freed.was_owner) == ("schema migration", "eve")
    else:
        assert "Ask eve, or one of its approvers: ann, ben, mia" in receipt.text


def test_freeing_what_is_free_is_no_failure(desk):
    receipt = desk.unlock("eve")

    assert (receipt.accepted, receipt.reason_code) == (True, "not_locked")
    assert desk.events == ()


def test_the_same_delivery_twice_changes_nothing_twice(desk):
    desk.lock("ann", delivery="k1")
    desk.unlock("ann", delivery="k2")

    assert desk.unlock("ann", delivery="k2").reason_code == "duplicate"
    assert desk.lock("ann", delivery="k1").reason_code == "duplicate"
    assert desk.hold is None
    assert len(desk.events) == 2


def test_it_is_extended_by_a_length_or_until_a_time(desk):
    desk.lock("eve", seconds=3600)
    ends = desk.hold.expires

    assert desk.extend("eve", seconds=1800).accepted
    assert desk.hold.expires == ends + timedelta(minutes=30)
    assert desk.extend("ann", until=NOON + timedelta(days=1)).accepted
    assert desk.hold.expires == NOON + timedelta(days=1)
    assert desk.extend("mallory", seconds=60).reason_code == "not_an_approver"
    assert desk.extend("eve").reason_code == "time_refused"


def test_what_has_no_end_is_not_extended_by_a_length(desk):
    desk.lock("eve")

    assert desk.extend("eve", seconds=60).reason_code == "no_end"
    assert desk.extend("eve", service="frontend", seconds=60).reason_code == "not_locked"


@pytest.mark.parametrize("name", ["ben", "@ben", "Ben", "BEN"])
def test_it_is_handed_over_to_whom_it_names_and_they_are_told(desk, name):
    desk.lock("eve", reason="schema migration")

    assert desk.hand_over("eve", to=name).accepted

    placed = desk.events[-1]
    assert isinstance(placed, HoldPlaced)
    assert (placed.how, placed.hold.owner, placed.was_owner) == ("handed_over", "ben", "eve")
    said = tellings(desk.store.load(lock_thread(*PLACE)))[-1]
    assert isinstance(said, Said)
    assert said.mention == ("ben",)


def test_it_is_not_handed_to_a_stranger_nor_by_one(desk):
    desk.lock("eve")

    assert desk.hand_over("eve", to="zoe").reason_code == "unknown_person"
    assert desk.hand_over("eve", to="eve").reason_code == "yours_already"
    assert desk.hand_over("mallory", to="ben").reason_code == "not_an_approver"


def test_an_approver_takes_it_over_and_the_owner_is_told(desk):
    desk.lock("eve", reason="schema migration", seconds=3600)
    ends = desk.hold.expires

    assert desk.take_over("ben", reason=" ").accepted

    assert (desk.hold.owner, desk.hold.reason) == ("ben", "schema migration")
    assert desk.hold.expires == ends
    said = tellings(desk.store.load(lock_thread(*PLACE)))[-1]
    assert isinstance(said, Said)
    assert said.mention == ("eve",)
    assert "ben took over the lock of backend on production from eve" in said.text


def test_why_it_was_taken_over_is_kept_beside_why_it_is_locked(desk):
    desk.lock("eve", reason="schema migration")

    desk.take_over("ben", reason="eve is ill.")

    assert desk.hold.reason == "schema migration (taken over: eve is ill)"


def test_others_do_not_take_it_over_where_approvers_are_named(desk):
    desk.lock("ann")

    assert desk.take_over("eve").reason_code == "not_an_approver"
    assert desk.take_over("ann").reason_code == "yours_already"


def test_where_nobody_needs_to_approve_whoever_is_known_may(desk):
    desk.lock("ann", environment="staging")

    assert desk.take_over("slack:U0ZOE", environment="staging").reason_code == "unknown_person"
    assert desk.take_over("eve", environment="staging").accepted
    assert desk.unlock("mia", environment="staging").accepted


def test_what_a_roll_back_holds_is_freed_by_approvers_and_by_nobody_else(desk):
    hold = roll_back_holds(desk)

    assert desk.lock("ann").reason_code == "held"
    assert desk.take_over("ann").reason_code == "held"
    assert desk.hand_over("ann", to="ben").reason_code == "held"
    assert desk.unlock("eve").reason_code == "not_an_approver"
    assert desk.hold == hold
    assert desk.unlock("ben").accepted
    assert desk.hold is None


def test_a_lock_outlives_what_a_roll_back_holds_beside_it(desk):
    desk.lock("eve", reason="schema migration")
    roll_back_holds(desk)

    assert desk.hold.made_by == "rollback"
    assert desk.extend("eve", until=NOON + timedelta(hours=3)).accepted
    assert desk.unlock("ben").accepted
    assert desk.hold.owner == "eve"
    assert desk.unlock("eve").accepted
    assert desk.hold is None


def test_the_owner_frees_their_own_lock_while_a_roll_back_holds(desk):
    desk.lock("eve")
    roll_back_holds(desk)

    assert desk.unlock("eve").accepted
    assert [hold.made_by for hold in desk.store.holds()] == ["rollback"]


def test_what_a_roll_back_holds_where_nobody_approves_does_not_stay_for_ever(desk):
    hold = roll_back_holds(desk).model_copy(update={"environment": "staging"})
    desk.store.append(desk.store.load("t9"), hold=hold)

    assert desk.unlock("eve", environment="staging").accepted


def test_a_lock_whose_owner_left_is_taken_over_or_freed(desk):
    desk.lock("eve", environment="staging")
    desk.lock("eve")
    without_eve = People(tuple(person for person in PEOPLE.known if person.id != "eve"))
    later = Holding(desk.store, catalog(), without_eve, desk.clock.clockwork)

    assert later.take_over("backend", "production", by="ben", delivery="l1").accepted
    assert later.unlock("backend", "staging", by="mia", delivery="l2").accepted


def test_it_is_said_on_the_thread_where_that_may_happen_and_else_on_its_own(desk):
    desk.lock("ann", about="t7")
    assert desk.store.load("t7").events[-1].kind == "hold_placed"
    assert desk.hold.thread == "t7"
    said = ApiMessageReceived(at=NOON, by="ann", delivery="m1", text="deploy")
    busy = desk.store.append(desk.store.load("t8"), said)
    assert busy.status is Status.WORKING

    desk.unlock("ann", about="t8")

    assert desk.hold is None
    assert desk.store.load("t8") == busy
    assert desk.events[-1].kind == "hold_released"


# -- reminders ---------------------------------------------------------------------


def reminders(desk):
    return [event for event in desk.events if isinstance(event, HoldForgotten)]


def test_the_owner_of_a_forgotten_lock_is_asked_less_and_less_often(desk):
    desk.lock("eve", reason="schema migration")
    asked_at = []
    for hour in range(1, 80):
        desk.clock.passes(hours=1)
        desk.holding.remind()
        desk.holding.remind()
        if len(reminders(desk)) > len(asked_at):
            asked_at.append(hour)

    assert asked_at == [8, 24, 56]
    said = tellings(desk.store.load(lock_thread(*PLACE)))[-1]
    assert isinstance(said, Said)
    assert said.mention == ("eve",)
    assert "Still needed?" in said.text


def test_how_long_it_waits_is_the_environments_own():
    desk = Desk(catalog(lock_reminder_hours=1))
    desk.lock("eve")
    desk.clock.passes(hours=1)

    assert desk.holding.remind() == 1


def test_nobody_is_asked_about_what_a_roll_back_holds_or_what_is_freed(desk):
    roll_back_holds(desk)
    desk.lock("eve", service="frontend")
    desk.unlock("eve", service="frontend")
    desk.clock.passes(days=2)

    assert desk.holding.remind() == 0


def test_a_reminder_that_comes_too_late_brings_no_lock_back(desk):
    desk.lock("eve")
    seen = desk.hold
    desk.clock.passes(hours=9)
    desk.unlock("eve")

    assert not desk.holding._reminded(seen, desk.clock.now())
    assert desk.hold is None


def test_an_owner_who_left_or_a_busy_thread_keeps_nobody_from_being_asked(desk):
    desk.lock("eve", about="t7")
    said = ApiMessageReceived(at=NOON, by="ann", delivery="m1", text="deploy")
    desk.store.append(desk.store.load("t7"), said)
    desk.clock.passes(hours=9)

    assert desk.holding.remind() == 1
    assert [event.kind for event in desk.events] == ["hold_forgotten"]
