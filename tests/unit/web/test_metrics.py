import pytest
import redis
from fastapi import FastAPI
from redis_server import emptied
from starlette.testclient import TestClient

from deploybot import metrics
from deploybot.meter import Meter
from deploybot.model_tables import BudgetTables
from deploybot.redis_safety import client as redis_client
from deploybot.vitals import look
from deploybot.web.metrics import Collector, router


def client(connection: redis.Redis, token: str = "") -> TestClient:
    app = FastAPI()
    collector = Collector(Meter(connection), lambda: look(connection), BudgetTables())
    app.include_router(router(collector, token))
    return TestClient(app)


def test_an_empty_installation_names_every_metric(redis_url: str) -> None:
    text = client(emptied(redis_url)).get("/metrics").text

    for metric in metrics.METRICS:
        kind = metric.kind
        assert f"# TYPE {metric.name} {kind}\n" in text
        assert f"# HELP {metric.name} {metric.says}\n" in text


def test_a_store_that_is_away_is_told_and_nothing_else() -> None:
    nowhere = redis_client("redis://127.0.0.1:1")

    answer = client(nowhere).get("/metrics")

    assert answer.status_code == 200
    told = [line for line in answer.text.splitlines() if line[0] != "#"]
    assert [line.partition("{")[0] for line in told] == ["deploybot_info", "deploybot_store_up 0.0"]


@pytest.mark.parametrize("sent", ["", "Bearer", "Bearer another", "Basic the-token", "Bearer ü"])
def test_without_the_token_nothing_is_told(redis_url: str, sent: str) -> None:
    headers = {"Authorization": sent.encode("latin-1")} if sent else {}

    answer = client(emptied(redis_url), "the-token").get("/metrics", headers=headers)

    assert answer.status_code == 401
    assert "deploybot_threads" not in answer.text


def test_with_the_token_everything_is_told(redis_url: str) -> None:
    headers = {"Authorization": "Bearer the-token"}

    answer = client(emptied(redis_url), "the-token").get("/metrics", headers=headers)

    assert answer.status_code == 200


def test_a_label_cannot_write_a_line_of_its_own(redis_url: str) -> None:
    connection = emptied(redis_url)
    meter = Meter(connection)
    meter.observe(metrics.STEPS_FAILED, 'x"} 1\ndeploybot_store_up 0\n')
    meter.flush()

    text = client(connection).get("/metrics").text

    assert "\ndeploybot_store_up 0\n" not in text
    assert "\ndeploybot_store_up 1.0\n" in text
