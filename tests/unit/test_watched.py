"""What is told of stores, models and jobs, and that nothing depends on the telling."""

from datetime import UTC, datetime

import pytest
import redis
from fakes import plain_prompt
from redis_server import emptied

from deploybot import metrics
from deploybot.errors import ModelUnavailableError, StoreUnavailableError
from deploybot.events import ApiMessageReceived
from deploybot.meter import Meter
from deploybot.next_step import NothingToDo
from deploybot.ports import Choice, Prompt
from deploybot.redis_safety import client
from deploybot.thread import Thread
from deploybot.watched import Watch, WatchedModel, WatchedStore

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
HELLO = ApiMessageReceived(at=NOON, by="ann", delivery="d1", text="hello")


@pytest.fixture
def connection(redis_url: str) -> redis.Redis:
    return emptied(redis_url)


@pytest.fixture
def watch(connection: redis.Redis) -> Watch:
    return Watch(Meter(connection))


def total(watch: Watch, metric: metrics.Metric, *labels: str) -> float:
    return sum(s.total for s in watch.meter.read() if (s.metric, s.labels) == (metric, labels))


class Clever:
    """A model that chooses."""

    name = "clever"

    def next_step(self, prompt: Prompt) -> Choice:
        return Choice(NothingToDo(message="nothing"), self.name, 120, 30)


class Broken:
    """A model that reads, and chooses nothing."""

    name = "broken"

    def next_step(self, prompt: Prompt) -> Choice:
        raise ModelUnavailableError("It answers nonsense.", tokens=70)


def test_each_call_of_a_model_is_counted_with_its_tokens(watch: Watch) -> None:
    WatchedModel(Clever(), watch).next_step(plain_prompt(Thread("t1")))

    assert total(watch, metrics.MODEL_CALLS, "clever", "chose") == 1
    assert total(watch, metrics.MODEL_TOKENS, "clever", "in") == 120
    assert total(watch, metrics.MODEL_TOKENS, "clever", "out") == 30


def test_a_model_that_fails_is_counted_and_its_failure_goes_on(watch: Watch) -> None:
    with pytest.raises(ModelUnavailableError):
        WatchedModel(Broken(), watch).next_step(plain_prompt(Thread("t1")))

    assert total(watch, metrics.MODEL_CALLS, "broken", "failed") == 1
    assert total(watch, metrics.MODEL_TOKENS, "broken", "in") == 70


def store(redis_url: str) -> WatchedStore:
    return WatchedStore(client(redis_url), key=b"k" * 32, now=lambda: NOON)


def test_what_is_appended_is_counted_once_it_is_stored(
    redis_url: str, connection: redis.Redis, watch: Watch
) -> None:
    watched = store(redis_url)
    watched.watch = watch

    watched.append(Thread("t1"), HELLO, dedupe=("d1",))

    assert total(watch, metrics.EVENTS, "api_message_received") == 1


def test_an_append_does_not_depend_on_being_counted(
    redis_url: str, connection: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    class Spoilt(Meter):
        def add(self, *observations: metrics.Observation) -> None:
            raise ZeroDivisionError

    watched = store(redis_url)
    watched.watch = Watch(Spoilt(connection))

    watched.append(Thread("t1"), HELLO)

    assert len(watched.load("t1").events) == 1
    assert "new events were not counted" in caplog.text


def test_a_job_is_timed_and_what_ends_it_is_counted(watch: Watch) -> None:
    with pytest.raises(StoreUnavailableError), watch.job("advance"):
        raise StoreUnavailableError("gone")

    assert total(watch, metrics.JOB_ERRORS, "advance", "StoreUnavailableError") == 1
    assert [s.labels for s in watch.meter.read() if s.metric is metrics.JOB] == [("advance",)]


def test_what_a_server_gathers_is_handed_over_when_it_ends(watch: Watch) -> None:
    other = Watch(Meter(watch.meter._redis))

    with watch.flushing():
        watch.meter.observe(metrics.WAKE_UPS)

    assert total(other, metrics.WAKE_UPS) == 1
