"""Whatever people say of locks, in whatever order: the events tell who holds what, and nobody takes what is not theirs."""

from typing import Any

from fakes import PEOPLE, FakeClock, catalog
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.locks import Hold
from deploybot.events import HoldPlaced, HoldReleased
from deploybot.holding import Holding, lock_thread
from deploybot.memory import MemoryStore

PLACES = [(s, e) for s in ("backend", None) for e in ("staging", "production")]
APPROVERS = {"staging": {"ann", "ben", "eve", "mia"}, "production": {"ann", "ben", "mia"}}
"""Who may change anybody's lock: where nobody needs to approve, everybody who is known."""

WORDS = st.tuples(
    st.sampled_from(["lock", "unlock", "extend", "hand_over", "take_over", "remind", "roll_back"]),
    st.sampled_from(PLACES),
    st.sampled_from(["ann", "ben", "eve", "slack:U0ZOE"]),
    st.sampled_from(["ann", "eve", "nobody"]),
    st.one_of(st.none(), st.integers(1, 7200)),
    st.integers(0, 7200),
)


def said(holding: Holding, store: MemoryStore, number: int, word: tuple[Any, ...]) -> bool:
    """Say it; return whether it was taken."""
    what, (service, environment), by, to, seconds, _ = word
    how: dict[str, Any] = {"by": by, "delivery": f"d{number}"}
    if what == "remind":
        return holding.remind() > 0
    if what == "roll_back":
        hold = Hold(
            service=service,
            environment=environment,
            owner="deploybot",
            reason="rolled back",
            at=store._now(),
            made_by="rollback",
        )
        store.append(store.load("rolls-back"), hold=hold)
        return True
    if what in ("lock", "extend"):
        how["seconds"] = seconds
    if what == "hand_over":
        how["to"] = to
    return bool(getattr(holding, what)(service, environment, **how).accepted)


@settings(max_examples=150, deadline=None)
@given(st.lists(WORDS, max_size=25))
def test_nobody_changes_what_is_not_theirs_and_the_events_tell_it_all(words: list[Any]) -> None:
    clock = FakeClock()
    store = MemoryStore(now=clock.now)
    holding = Holding(store, catalog(), PEOPLE, clock.clockwork)
    told: dict[Any, dict[str, Hold]] = {place: {} for place in PLACES}
    for number, word in enumerate(words):
        what, place, by, _, _, waits = word
        clock.passes(seconds=waits)
        before, all_before = kept(store, place), store.holds()
        length = len(store.load(lock_thread(*place)).events)

        taken = said(holding, store, number, word)

        after, events = kept(store, place), store.load(lock_thread(*place)).events[length:]
        if what == "roll_back":
            told[place]["rollback"] = after["rollback"]
        for event in events:
            match event:
                case HoldPlaced(hold=hold):
                    told[place][hold.made_by] = hold
                case HoldReleased(was_owner=owner):
                    told[place].pop("rollback" if owner == "deploybot" else "person")
        if not taken and what != "remind":
            assert store.holds() == all_before
            assert not events
        if after != before and what not in ("remind", "roll_back"):
            assert len(events) == 1
            assert PEOPLE.get(by) is not None
            if after.get("rollback") != before.get("rollback"):
                assert what in ("unlock", "extend")
                assert by in APPROVERS[place[1]]
            elif "person" in before:
                assert by == before["person"].owner or by in APPROVERS[place[1]]
        lasting = {
            made_by: (hold.owner, hold.expires, hold.reason)
            for made_by, hold in told[place].items()
            if hold.expires is None or clock.time < hold.expires
        }
        assert lasting == {
            made_by: (hold.owner, hold.expires, hold.reason) for made_by, hold in after.items()
        }


def kept(store: MemoryStore, place: tuple[str | None, str]) -> dict[str, Hold]:
    """Return what the store keeps of a place, by what made it."""
    here = (hold for hold in store.holds() if (hold.service, hold.environment) == place)
    return {hold.made_by: hold for hold in here}
