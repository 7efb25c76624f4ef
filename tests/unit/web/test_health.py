import time

import pytest
import redis
from office import DEAD, Office
from redis_server import emptied
from story import Story

from deploybot.queue import CLOCK_SEEN
from deploybot.vitals import NAMES
from deploybot.web import health


@pytest.fixture
def office(story: Story) -> Office:
    return Office(story)


@pytest.fixture
def connection(redis_url: str) -> redis.Redis:
    """Return a store at whose side everything works."""
    connection = emptied(redis_url)
    for queue in NAMES:
        connection.sadd(f"rq:workers:{queue}", f"rq:worker:{queue}")
        connection.set(f"rq:worker:{queue}", "alive", ex=60)
    connection.set(CLOCK_SEEN, f"{time.time():.6f}")
    return connection


def test_a_running_process_is_healthy_and_ready(office: Office) -> None:
    client = office.client()

    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").status_code == 200


def test_a_process_that_could_lose_threads_is_not_ready_and_says_why(office: Office) -> None:
    client = office.client(ready=lambda: {"store": ["appendonly must be yes"]})

    answer = client.get("/readyz")

    assert (answer.status_code, answer.json()["reasons"]) == (503, ["appendonly must be yes"])
    assert client.get("/healthz").status_code == 200


@pytest.mark.parametrize("error", [*DEAD, OSError("gone"), redis.ResponseError("MISCONF")])
def test_a_process_without_its_store_is_not_ready(office: Office, error: Exception) -> None:
    def ready() -> health.Reasons:
        raise error

    answer = office.client(ready=ready).get("/readyz")

    assert answer.status_code == 503
    assert answer.json()["checks"]["clock"] == "unknown"


def test_one_part_can_be_asked_for_alone(office: Office) -> None:
    client = office.client(ready=lambda: {"workers": ["no worker serves threads"]})

    assert client.get("/readyz").status_code == 503
    assert client.get("/readyz?only=store").status_code == 200
    assert client.get("/readyz?only=workers").status_code == 503
    assert client.get("/readyz?only=luck").status_code == 422


def test_where_everything_works_there_is_no_reason(connection: redis.Redis) -> None:
    assert not any(health.reasons(connection).values())


def test_a_clock_that_stopped_or_never_ticked_is_a_reason(connection: redis.Redis) -> None:
    connection.set(CLOCK_SEEN, f"{time.time() - 75:.6f}")
    (late,) = health.reasons(connection)["clock"]
    connection.delete(CLOCK_SEEN)
    (never,) = health.reasons(connection)["clock"]

    assert late.startswith("the clock has not ticked for 75 s")
    assert never.startswith("the clock has never ticked")


@pytest.mark.parametrize("leaves", ["its name", "what it said last, for ever"])
def test_a_queue_that_nobody_serves_is_a_reason(connection: redis.Redis, leaves: str) -> None:
    connection.delete("rq:worker:deliveries")
    if leaves != "its name":
        connection.set("rq:worker:deliveries", "busy")

    (missing,) = health.reasons(connection)["workers"]

    assert missing == "no worker serves deliveries: start `deploybot worker`"


@pytest.mark.parametrize(("queue", "reasons"), [("threads", 1), ("operations", 0)])
def test_a_wake_up_that_waits_too_long_is_a_reason_but_not_behind_a_long_deploy(
    connection: redis.Redis, queue: str, reasons: int
) -> None:
    waits_since = time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime(time.time() - 90))
    connection.rpush(f"rq:queue:{queue}", "j1")
    connection.hset("rq:job:j1", "enqueued_at", waits_since)

    found = health.reasons(connection)["queues"]

    assert len(found) == reasons
    for text in found:
        assert text.startswith("threads does not move: its first wake-up has waited for 9")


def test_a_store_that_takes_no_writes_is_no_store(office: Office, connection: redis.Redis) -> None:
    connection.config_set("min-replicas-to-write", 1)
    try:
        client = office.client(ready=lambda: health.reasons(connection))
        answer = client.get("/readyz")
    finally:
        connection.config_set("min-replicas-to-write", 0)

    assert answer.status_code == 503
    assert answer.json()["checks"]["store"].startswith("the store takes no writes")


def test_whoever_asks_without_end_makes_the_store_answer_once_a_second() -> None:
    looks, time_now = [], [0.0]

    def look() -> health.Reasons:
        looks.append(time_now[0])
        return {"workers": [f"found at {time_now[0]}"]}

    ready = health.Remembered(look, clock=lambda: time_now[0])
    for moment in (0.0, 0.4, 0.9, 1.1, 1.2):
        time_now[0] = moment
        found = ready()

    assert looks == [0.0, 1.1]
    assert found == {"workers": ["found at 1.1"]}
