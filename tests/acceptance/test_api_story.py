"""A deploy launched, denied, approved and finished by the HTTP API alone: real processes throughout."""

import json
from collections.abc import Iterator
from http.client import HTTPConnection
from time import monotonic
from typing import Any

import pytest
from faults.lean_company import LeanCompany, token_of
from web_process import WebProcess

PATIENCE = 60.0

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LeanCompany]:
    with LeanCompany(tmp_path_factory.mktemp("a"), armed=False) as running:
        yield running


@pytest.fixture(scope="module")
def web(company: LeanCompany) -> Iterator[WebProcess]:
    web = WebProcess(company.environ, company.folder)
    try:
        web.start()
        yield web
    finally:
        web.kill()


class Followed:
    """One thread, followed over Server-Sent Events by one person from its beginning."""

    def __init__(self, web: WebProcess, thread_id: str, by: str) -> None:
        self._connection = HTTPConnection("127.0.0.1", web.port, timeout=40)
        headers = {"Authorization": f"Bearer {token_of(by)}", "Last-Event-ID": "0"}
        self._connection.request("GET", f"/api/threads/{thread_id}/events", headers=headers)
        self._answer = self._connection.getresponse()
        assert self._answer.status == 200
        self.events: list[dict[str, Any]] = []
        self.progress: list[dict[str, Any]] = []

    def until(self, status: str) -> None:
        """Read on until the thread stands there."""
        name, data, deadline = "", "", monotonic() + PATIENCE
        for raw in self._answer:  # a beat comes from time to time, whatever happens
            kinds = [event["kind"] for event in self.events]
            assert monotonic() < deadline, f"not {status} within {PATIENCE:g} s: {kinds}"
            field, _, value = raw.decode().rstrip("\r\n").partition(": ")
            name, data = (value, data) if field == "event" else (name, data)
            data = value if field == "data" else data
            if field or not data:
                continue
            found = json.loads(data)
            if name == "status" and found["status"] == status:
                assert found["length"] == len(self.events)
                return
            if name == "progress":
                self.progress.append(found)
            elif not name:
                self.events.append(found)
            name, data = "", ""
        raise AssertionError(f"the stream ended before the thread was {status}")

    def close(self) -> None:
        self._answer.close()
        self._connection.close()


def test_a_deploy_is_launched_denied_approved_and_finished_by_the_api_alone(
    company: LeanCompany, web: WebProcess
) -> None:
    sha = company.repository.head()
    _, staged = web.call("POST", "/api/threads", {"text": "deploy backend main to staging"})
    staging = Followed(web, staged["id"], "ann")
    staging.until("done")
    staging.close()
    kinds = [event["kind"] for event in staging.events]
    assert {"deploy_started", "deploy_succeeded", "tests_passed"} <= set(kinds)
    assert company.live("staging", "backend") == sha

    _, started = web.call(
        "POST", "/api/threads", {"text": "deploy backend main to production"}, by="eve", key="k1"
    )
    path = f"/api/threads/{started['id']}"
    followed = Followed(web, started["id"], "ben")
    followed.until("awaiting_approval")
    request = web.call("GET", path, by="ben")[1]["request"]

    def decide(by: str, *, approved: bool, comment: str = "") -> tuple[int, Any]:
        body = {"request": request["id"], "digest": request["digest"], "approved": approved}
        return web.call("POST", f"{path}/decision", {**body, "comment": comment}, by=by)

    assert decide("eve", approved=True)[1]["reason_code"] == "not_an_approver"
    assert decide("ben", approved=False, comment="frontend first")[0] == 200
    followed.until("awaiting_input")
    assert company.live("production", "backend") == ""

    web.call("POST", f"{path}/messages", {"text": "deploy backend main to production"}, by="eve")
    followed.until("awaiting_approval")
    denied, request = request, web.call("GET", path, by="ben")[1]["request"]
    assert request["id"] != denied["id"]
    assert request["plan"]["sha"] == sha
    assert decide("ben", approved=True)[0] == 200
    followed.until("done")
    followed.close()

    shown = web.call("GET", path)[1]
    kinds = [event["kind"] for event in shown["events"]]
    assert shown["events"] == followed.events
    assert kinds.count("deploy_started") == kinds.count("deploy_succeeded") == 1
    assert kinds.count("approval_denied") == kinds.count("approval_granted") == 1
    assert company.live("production", "backend") == sha
    assert followed.progress

    _, fork = web.call("POST", f"{path}/fork", {"at": kinds.index("approval_requested") + 1})
    forked = web.call("GET", f"/api/threads/{fork['id']}")[1]
    assert (forked["status"], forked["request"]) == ("done", None)
    assert forked["events"][-1]["from_thread"] == started["id"]
    assert web.call("GET", path)[1]["events"][-1]["thread"] == fork["id"]
    assert company.running() == []
    assert max(company.begun().values()) == 1


def test_what_is_live_is_told_as_workers_saw_it(company: LeanCompany, web: WebProcess) -> None:
    def rows() -> list[dict[str, Any]]:
        return web.call("GET", "/api/environments")[1]["environments"]

    company.until(rows, "workers look at what is live")

    assert {(row["environment"], row["service"]) for row in rows()} == {
        (environment, service)
        for environment in ("staging", "production")
        for service in ("backend", "frontend")
    }
