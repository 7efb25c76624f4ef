from typing import Any

import pytest
from office import Office
from starlette.testclient import TestClient
from story import Story

from deploybot.next_step import Deploy

DEPLOY = Deploy(service="backend", ref="main", environment="production", reason="asked")
ANN = {"Authorization": "Bearer token-of-ann"}
BEN = {"Authorization": "Bearer token-of-ben"}


@pytest.fixture
def office(story: Story) -> Office:
    return Office(story.verified_on_staging("main"))


@pytest.fixture
def client(office: Office) -> TestClient:
    return office.client()


@pytest.fixture
def thread(office: Office, client: TestClient) -> str:
    office.story.model_will(DEPLOY)
    answer = client.post("/api/threads", json={"text": "deploy backend"}, headers=ANN)
    office.story.thread_id = answer.json()["id"]
    office.story.bot_works()
    return office.story.thread_id


def edits(client: TestClient, thread: str, headers: Any = BEN, **changes: Any) -> Any:
    shown = client.get(f"/api/threads/{thread}", headers=BEN).json()["request"]
    body = {"request": shown["id"], "digest": shown["digest"]} | changes
    return client.post(f"/api/threads/{thread}/edit", json=body, headers=headers)


def test_an_edit_is_taken_and_a_new_request_is_open_once_it_is_planned(
    office: Office, client: TestClient, thread: str
) -> None:
    before = client.get(f"/api/threads/{thread}", headers=BEN).json()["request"]

    answer = edits(client, thread, start="23:00", comment="after the sale")
    while_planned = client.get(f"/api/threads/{thread}", headers=BEN).json()
    office.story.bot_works()
    after = client.get(f"/api/threads/{thread}", headers=BEN).json()

    assert answer.status_code == 200
    assert "A new card follows" in answer.json()["text"]
    assert (while_planned["status"], while_planned["request"]["id"]) == ("editing", before["id"])
    assert after["status"] == "awaiting_approval"
    assert after["request"]["digest"] != before["digest"]
    assert after["request"]["edited"]["by"] == "ben"
    assert after["request"]["edited"]["comment"] == "after the sale"
    assert after["request"]["start_at"] is not None


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"parts": [{"service": "backend", "ref": "-x"}]}, 409, "ref_malformed"),
        ({"parts": [{"service": "orders", "ref": "main"}]}, 409, "not_in_request"),
        ({"parts": [{"service": "backend", "ref": "main"}]}, 409, "unchanged"),
        ({"start": "soon"}, 409, "time_refused"),
        ({"digest": "0" * 64, "start": "23:00"}, 409, "digest_mismatch"),
        ({"parts": []}, 422, None),
    ],
)
def test_an_edit_that_does_not_count_says_why(
    office: Office, client: TestClient, thread: str, changes: Any, status: int, code: str | None
) -> None:
    answer = edits(client, thread, **changes)

    assert (answer.status_code, answer.json().get("reason_code")) == (status, code)
    assert "edit_requested" not in office.story.kinds


def test_the_same_key_edits_once_and_answers_alike(
    office: Office, client: TestClient, thread: str
) -> None:
    headers = BEN | {"Idempotency-Key": "once"}

    first = edits(client, thread, headers, start="23:00")
    again = edits(client, thread, headers, start="23:00")
    other = edits(client, thread, headers, start="22:00")

    assert first.json() == again.json()
    assert other.status_code == 409
    assert office.story.kinds.count("edit_requested") == 1


def test_an_approval_of_the_old_digest_is_refused_as_superseded(
    office: Office, client: TestClient, thread: str
) -> None:
    old = client.get(f"/api/threads/{thread}", headers=BEN).json()["request"]
    edits(client, thread, ANN, start="23:00")
    body = {"request": old["id"], "digest": old["digest"], "approved": True}
    path = f"/api/threads/{thread}/decision"

    early = client.post(path, json=body, headers=BEN)
    office.story.bot_works()
    late = client.post(path, json=body, headers=BEN)

    assert (early.status_code, early.json()["reason_code"]) == (409, "being_edited")
    assert (late.status_code, late.json()["reason_code"]) == (409, "superseded")
    assert "Ann edited it (start at once" in late.json()["detail"]
