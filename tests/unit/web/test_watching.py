import logging
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from deploybot.metrics import HTTP, SLACK_ACK, Metric
from deploybot.web.watching import Watching


class Kept:
    """A meter that keeps what it is told."""

    def __init__(self) -> None:
        self.seen: list[tuple[Metric, tuple[str, ...]]] = []

    def observe(self, metric: Metric, *labels: str, value: float = 1.0) -> None:
        self.seen.append((metric, labels))


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def client(kept: Kept) -> TestClient:
    app = FastAPI()
    app.add_middleware(Watching, meter=kept)

    @app.get("/threads/{thread_id}")
    def show(thread_id: str) -> dict[str, str]:
        logging.getLogger("deploybot.tests").warning("inside")
        return {"id": thread_id}

    @app.post("/slack/events")
    def heard() -> None:
        pass

    @app.get("/broken")
    def broken() -> None:
        raise RuntimeError

    return TestClient(app, raise_server_exceptions=False)


def test_a_request_is_counted_by_its_route_and_not_by_its_address(
    client: TestClient, kept: Kept
) -> None:
    client.get("/threads/t1")
    client.get("/threads/t2?x=y")

    assert kept.seen == [(HTTP, ("/threads/{thread_id}", "GET", "200"))] * 2


@pytest.mark.parametrize(
    ("method", "path", "labels"),
    [
        ("GET", "/no/such/page", ("other", "GET", "404")),
        ("BREW", "/threads/t1", ("/threads/{thread_id}", "other", "405")),
        ("GET", "/broken", ("/broken", "GET", "500")),
    ],
)
def test_what_senders_make_up_makes_no_new_label(
    client: TestClient, kept: Kept, method: str, path: str, labels: Any
) -> None:
    client.request(method, path)

    assert kept.seen == [(HTTP, labels)]


def test_slacks_wait_is_measured_by_itself(client: TestClient, kept: Kept) -> None:
    client.post("/slack/events")

    assert (SLACK_ACK, ()) in kept.seen


@pytest.mark.parametrize(
    ("given", "is_kept"),
    [("req-12345678", True), ("short", False), ("x" * 65, False), ("bad id\x01here", False)],
)
def test_the_senders_id_is_kept_if_it_looks_like_one(
    client: TestClient, given: str, is_kept: bool
) -> None:
    answered = client.get("/threads/t1", headers={"X-Request-ID": given}).headers["x-request-id"]

    assert (answered == given) == is_kept
    assert len(answered) >= 8


def test_lines_that_a_request_writes_name_it(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)

    client.get("/threads/t1", headers={"X-Request-ID": "req-12345678"})

    line = next(record for record in caplog.records if record.message == "answered")
    assert (line.route, line.status) == ("/threads/{thread_id}", 200)
    assert "t1" not in line.getMessage()
