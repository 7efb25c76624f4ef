"""Both paces keep the same promise; the one in Redis keeps it for all processes together."""

from datetime import UTC, datetime

import pytest
from redis_server import emptied, running_server

from deploybot.errors import DeliveryError
from deploybot.outbound.slack_calls import Pacing
from deploybot.pacing import RedisPacing

NOW = datetime(2026, 3, 2, tzinfo=UTC)


@pytest.fixture(scope="module")
def url():
    with running_server() as url:
        yield url


@pytest.mark.parametrize("kind", ["memory", "redis"])
def test_a_burst_may_go_and_the_next_one_waits(kind, url):
    pace = Pacing(burst=3, per_second=0.5) if kind == "memory" else None
    pace = pace or RedisPacing(emptied(url), burst=3, per_second=0.5)

    for _ in range(3):
        pace.take("C1", NOW)

    with pytest.raises(DeliveryError) as refused:
        pace.take("C1", NOW)
    assert 0 < refused.value.retry_after <= 2
    pace.take("C2", NOW)


def test_all_processes_are_counted_together(url):
    connection = emptied(url)
    first, second = (RedisPacing(connection, burst=2, per_second=0.1) for _ in range(2))

    first.take("C1", NOW)
    second.take("C1", NOW)

    with pytest.raises(DeliveryError):
        first.take("C1", NOW)
