"""Both tallies count alike; the one in Redis counts for all processes together."""

import pytest
from redis_server import emptied, running_server, wait_until

from deploybot.errors import StoreUnavailableError
from deploybot.models.tally import MemoryTally, RedisTally, Tally
from deploybot.redis_safety import client


@pytest.fixture(scope="module")
def url():
    with running_server() as url:
        yield url


@pytest.fixture(params=["memory", "redis"])
def tally(request, url) -> Tally:
    return MemoryTally() if request.param == "memory" else RedisTally(emptied(url))


def test_counts_add_up_each_on_its_own(tally):
    first, second = tally.add("calls", 1, 60), tally.add("calls", 41, 60)
    tally.add("tokens", 7, 60)

    assert (first, second) == (1, 42)
    assert tally.get("calls", "tokens", "nothing") == (42, 7, 0)
    assert tally.get() == ()


def test_what_is_forgotten_begins_at_nothing(tally):
    tally.add("calls", 5, 60)
    tally.add("tokens", 5, 60)

    tally.forget("calls", "never there")
    tally.forget()

    assert tally.get("calls", "tokens") == (0, 5)


def test_a_count_ends_some_time_after_its_first_though_more_are_added(tally):
    tally.add("calls", 1, 0.2)
    tally.add("calls", 1, 3600)

    wait_until(lambda: tally.get("calls") == (0,), 5)

    assert tally.add("calls", 1, 60) == 1


def test_all_processes_count_together_and_leave_nothing_for_ever(url):
    connection = emptied(url)
    first, second = (RedisTally(connection) for _ in range(2))

    first.add("calls", 1, 60)

    assert second.add("calls", 1, 60) == 2
    assert all(connection.ttl(key) > 0 for key in connection.scan_iter())


def test_a_store_that_is_away_is_said_to_be(tmp_path):
    away = RedisTally(client(f"unix://{tmp_path}/none.sock"))

    for attempt in (
        lambda: away.get("calls"),
        lambda: away.add("calls", 1, 60),
        lambda: away.forget("calls"),
    ):
        with pytest.raises(StoreUnavailableError):
            attempt()
