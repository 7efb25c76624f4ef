"""Sums that many processes keep in one Redis."""

import os

import pytest
import redis
from redis_server import emptied

from deploybot import metrics
from deploybot.meter import MOST_GATHERED, Meter, Sums
from deploybot.redis_safety import client


@pytest.fixture
def connection(redis_url: str) -> redis.Redis:
    return emptied(redis_url)


def read(connection: redis.Redis, metric: metrics.Metric) -> list[Sums]:
    return [one for one in Meter(connection).read() if one.metric is metric]


def test_what_two_processes_count_is_summed(connection: redis.Redis) -> None:
    for _ in range(2):
        meter = Meter(connection)
        meter.observe(metrics.WAKE_UPS, value=3)
        meter.flush()

    (sums,) = read(connection, metrics.WAKE_UPS)

    assert sums.total == 6


def test_a_forked_job_adds_what_it_saw_and_its_parent_does_not_add_it_again(
    redis_url: str, connection: redis.Redis
) -> None:
    meter = Meter(client(redis_url))
    child = os.fork()
    if not child:
        own = Meter(client(redis_url))
        own.observe(metrics.EVENTS, "finished")
        own.flush()
        os._exit(0)
    os.waitpid(child, 0)
    meter.flush()

    (sums,) = read(connection, metrics.EVENTS)

    assert (sums.labels, sums.total) == (("finished",), 1)


def test_a_histogram_counts_each_value_in_every_bucket_above_it(connection: redis.Redis) -> None:
    meter = Meter(connection)
    for seconds in (0.05, 0.3, 4000.0):
        meter.observe(metrics.JOB, "advance", value=seconds)
    meter.flush()

    (sums,) = read(connection, metrics.JOB)

    assert sums.counts["0.1"] == 1
    assert sums.counts["0.5"] == 2
    assert sums.counts["900"] == 2
    assert sums.counts["+Inf"] == 3
    assert sums.total == pytest.approx(4000.35)


def test_many_observations_are_one_trip_to_redis(connection: redis.Redis) -> None:
    meter = Meter(connection)
    for number in range(500):
        meter.observe(metrics.JOB, "advance", value=number / 100)
    before = connection.info("stats")["total_commands_processed"]

    meter.flush()

    after = connection.info("stats")["total_commands_processed"]
    assert after - before < 25


def test_what_could_not_be_written_is_written_later(connection: redis.Redis) -> None:
    nowhere = client("redis://127.0.0.1:1")
    meter = Meter(nowhere)
    meter.observe(metrics.WAKE_UPS)
    meter.flush()

    meter._redis = connection
    meter.observe(metrics.WAKE_UPS)
    meter.flush()

    assert read(connection, metrics.WAKE_UPS)[0].total == 2


def test_labels_without_end_fill_no_memory(connection: redis.Redis) -> None:
    meter = Meter(connection)
    for number in range(MOST_GATHERED + 100):
        meter.observe(metrics.STEPS_FAILED, f"{number}" * 50)

    assert len(meter._gathered) <= MOST_GATHERED + 1
    assert max(map(len, meter._gathered)) < 200


def test_sums_of_a_metric_that_is_gone_are_left_alone(connection: redis.Redis) -> None:
    connection.hset("deploybot:metrics", '["deploybot_of_an_older_version_total",""]', "7")

    assert Meter(connection).read() == ()
