"""Several machines over one store, a replica and Sentinels: what docs/machines.md says is safe, and what can be lost."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from faults.lean_company import now
from faults.machines import ONE_WITH_THE_TARGETS, ONE_WITHOUT, Fleet, Machine
from redis_server import wait_until
from valkeys import SAFE, Cable, Valkey, caught_up, primary_and_replica, promote, watched

from deploybot.errors import ConfigError, StoreUnavailableError
from deploybot.events import ApiMessageReceived
from deploybot.redis_safety import client, require_safe
from deploybot.store import RedisStore

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

STOPS_WITHIN = 60.0
"""Seconds for an idle pool to end, on two busy cores; the hang that this is about lasts minutes."""


# -- two machines ------------------------------------------------------------------


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("fleet")
    store = Valkey(folder / "store", SAFE)
    try:
        store.start()
        with Fleet(folder, store.url, build="sleep 1") as fleet:
            yield fleet
    finally:
        store.kill()


@pytest.fixture(scope="module")
def tells(fleet: Fleet) -> Machine:
    """A machine without any target: it answers and tells."""
    return fleet.machine("tells", ONE_WITHOUT)


@pytest.fixture(scope="module")
def deploys(fleet: Fleet) -> Machine:
    """The one machine with the repository, the releases and their journals."""
    return fleet.machine("deploys", ONE_WITH_THE_TARGETS)


def test_whichever_machine_hears_it_it_is_heard_once_and_one_of_them_deploys(
    fleet: Fleet, tells: Machine, deploys: Machine
) -> None:
    words = "deploy backend v1.0.0 to staging"

    with ThreadPoolExecutor(8) as pool:
        doors = [tells, deploys] * 4
        asked = pool.map(lambda door: fleet.asks(door, words, key="once"), doors)
        (thread,) = set(asked)
    fleet.until(lambda: "deploy_succeeded" in fleet.kinds(thread), "it is live")

    assert fleet.kinds(thread).count("api_message_received") == 1
    assert set(fleet.begun().values()) == {1}
    assert (
        fleet.live("backend", "staging") == fleet.look.repository("backend").resolve("v1.0.0").sha
    )
    fleet.until(lambda: "is live on staging" in fleet.said(), "the other machine tells of it")
    shown = {door.web.call("GET", f"/api/threads/{thread}")[0] for door in (tells, deploys)}
    assert shown == {200}


def test_a_machine_that_dies_with_a_deploy_loses_nothing_and_nothing_runs_again(
    fleet: Fleet, tells: Machine, deploys: Machine
) -> None:
    before = fleet.begun().total()
    thread = fleet.asks(tells, "deploy frontend v1.1.0 to staging", key="dies")
    fleet.until(lambda: fleet.begun().total() > before, "it begins at the target")

    deploys.dies()

    other = fleet.asks(tells, "deploy backend v1.1.0 to staging", key="meanwhile")
    assert fleet.kinds(other) == ["api_message_received"]
    assert "deploy_outcome_unknown" not in fleet.kinds(thread)  # nobody who could look is there
    deploys.start()
    fleet.until(lambda: "deploy_outcome_unknown" in fleet.kinds(thread), "its end is looked for")
    fleet.until(
        lambda: "deploy_succeeded" in fleet.kinds(other), "what was asked meanwhile is done"
    )
    assert set(fleet.begun().values()) == {1}
    fleet.until(lambda: "unknown" in fleet.said(), "people are told so")


# -- a replica ---------------------------------------------------------------------


def test_the_bot_follows_the_sentinels_to_the_replica_and_ends_without_a_hang(
    tmp_path: Path,
) -> None:
    with (
        watched(tmp_path) as (primary, replica, url),
        Fleet(tmp_path, url) as fleet,
    ):
        machine = fleet.machine("one")
        first = fleet.asks(machine, "deploy backend v1.0.0 to staging", key="before")
        fleet.until(lambda: "finished" in fleet.kinds(first), "it is done")
        wait_until(lambda: caught_up(primary, replica))

        primary.kill()

        second = fleet.asks(machine, "deploy backend v1.1.0 to staging", key="after")
        fleet.until(lambda: "finished" in fleet.kinds(second), "it is done at the replica")
        assert fleet.kinds(first).count("deploy_succeeded") == 1
        assert fleet.kinds(second).count("deploy_succeeded") == 1
        assert replica.role() == "master"
        assert machine.stops() < STOPS_WITHIN

        primary.start()
        wait_until(lambda: primary.role() == "slave", 90)
        with client(primary.url) as old, pytest.raises(ConfigError, match="it is a slave"):
            require_safe(old)


def test_what_a_promoted_replica_lacks_is_noticed_and_waits_for_a_person(tmp_path: Path) -> None:
    with primary_and_replica(tmp_path) as (primary, replica, between), ExitStack() as stack:
        address = stack.enter_context(closing(Cable(primary.port)))
        fleet = stack.enter_context(Fleet(tmp_path, address.url))
        machine = fleet.machine("one")
        goes_live(fleet, machine, "v1.0.0")
        wait_until(lambda: caught_up(primary, replica))
        between.cut()
        lost = goes_live(fleet, machine, "v1.1.0")

        primary.kill()
        promote(replica)
        address.lead_to(replica.port)

        begun = fleet.begun()
        asked = fleet.asks(machine, "deploy backend v1.2.0 to production", key="while-held")
        fleet.until(lambda: {"step_failed", "lined_up"} & {*fleet.kinds(asked)}, "it must wait")
        fleet.until(lambda: "has lost what it had acknowledged" in fleet.said(), "an alarm")
        assert fleet.kinds(lost) == []
        assert fleet.begun() == begun
        freed = fleet.asks(machine, "unlock production", by="ann", key="free-it")
        fleet.until(lambda: "hold_released" in fleet.kinds(freed), "an approver frees it")
        goes_live(fleet, machine, "v1.2.1")
        assert set(fleet.begun().values()) == {1}


def goes_live(fleet: Fleet, machine: Machine, ref: str) -> str:
    """Ask for it, approve it, and wait until it is live on production; return the thread."""
    thread = fleet.asks(machine, f"deploy backend {ref} to production", key=ref)
    fleet.approves(machine, thread)
    fleet.until(lambda: "deploy_succeeded" in fleet.kinds(thread), f"{ref} is live")
    return thread


def test_a_primary_that_no_replica_follows_can_be_told_to_take_nothing(tmp_path: Path) -> None:
    with primary_and_replica(tmp_path) as (primary, _, cable), client(primary.url) as connection:
        connection.config_set("min-replicas-to-write", 1)
        connection.config_set("min-replicas-max-lag", 1)
        store = RedisStore(connection, key=b"k" * 32, now=now)
        said = ApiMessageReceived(at=now(), by="ann", delivery="d", text="hello")
        wait_until(lambda: connection.info("replication")["min_slaves_good_slaves"] == 1)
        kept = store.append(store.load("t1"), said)

        cable.cut()

        wait_until(lambda: connection.info("replication")["min_slaves_good_slaves"] == 0)
        with pytest.raises(StoreUnavailableError, match=r"(?i)replicas"):
            store.append(kept, said.model_copy(update={"delivery": "e"}))
        assert store.load("t1") == kept
