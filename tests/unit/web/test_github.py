import hmac
import json
from typing import Any

import pytest
from fakes import PEOPLE, sha_of
from office import DEAD, GITHUB_SECRET, DeadStore, Office
from starlette.testclient import TestClient
from story import Story

from deploybot.inbox import Inbox

PUSH = {
    "ref": "refs/heads/main",
    "before": sha_of("old"),
    "after": sha_of("new"),
    "repository": {"full_name": "harbour/shop"},
    "sender": {"login": "ann-gh"},
    "head_commit": {"message": "Add a thing"},
}


def deliver(client: TestClient, body: bytes, guid: str = "g1", **changed: str) -> Any:
    signature = hmac.digest(GITHUB_SECRET.encode(), body, "sha256").hex()
    headers = {
        "Content-Type": "application/json",
        "X-GitHub-Event": "push",
        "X-GitHub-Delivery": guid,
        "X-Hub-Signature-256": f"sha256={signature}",
    }
    return client.post("/github/webhook", content=body, headers=headers | changed)


@pytest.fixture
def office(story: Story) -> Office:
    return Office(story)


@pytest.fixture
def client(office: Office) -> TestClient:
    return office.client()


def test_a_push_becomes_an_event_in_a_thread_of_its_own(office: Office, client: TestClient) -> None:
    answer = deliver(client, json.dumps(PUSH).encode())

    (event,) = office.story.store.load(answer.json()["thread"]).events
    assert answer.status_code == 202
    assert (event.kind, event.by) == ("branch_updated", "github")


def test_however_often_it_is_delivered_there_is_one_event(
    office: Office, client: TestClient
) -> None:
    body = json.dumps(PUSH).encode()
    first = deliver(client, body)

    replays = [
        deliver(client, body),
        deliver(client, body, guid="fresh"),
        deliver(client, json.dumps(PUSH | {"compare": "x"}).encode(), guid="other"),
    ]

    assert [answer.status_code for answer in replays] == [200, 200, 200]
    assert all(first.json()["thread"] in answer.json()["duplicate"] for answer in replays)
    assert len(office.story.store.list().threads) == 1


def test_a_repository_that_is_not_ours_is_ignored_aloud(client: TestClient) -> None:
    other = PUSH | {"repository": {"full_name": "o/r"}}

    answer = deliver(client, json.dumps(other).encode())

    assert answer.status_code == 202
    assert answer.json() == {"ignored": "repository not configured: o/r"}


@pytest.mark.parametrize(
    "changed",
    [{"X-Hub-Signature-256": "sha256=" + "0" * 64}, {"X-Hub-Signature-256": ""}],
)
def test_a_forged_push_is_refused(
    office: Office, client: TestClient, changed: dict[str, str]
) -> None:
    answer = deliver(client, json.dumps(PUSH).encode(), **changed)

    assert answer.status_code == 401
    assert "nothing was stored" in answer.json()["detail"]
    assert office.story.store.list().threads == ()


def test_too_much_is_refused(client: TestClient) -> None:
    assert deliver(client, b"x" * 5_000_001).status_code == 413


def test_without_a_secret_there_is_no_webhook(office: Office) -> None:
    assert deliver(office.client(github_secrets=()), b"{}").status_code == 404


@pytest.mark.parametrize("error", DEAD)
def test_a_store_that_is_away_makes_github_try_again(office: Office, error: Exception) -> None:
    store = DeadStore(error)
    inbox = Inbox(store, PEOPLE, office.story.clock.clockwork)  # type: ignore[arg-type]

    answer = deliver(office.client(store=store, inbox=inbox), json.dumps(PUSH).encode())

    assert answer.status_code == 503
