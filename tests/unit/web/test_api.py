from contextlib import suppress
from typing import Any

import pytest
from failing import going_wrong
from fakes import PEOPLE
from office import DEAD, DeadStore, Office
from starlette.testclient import TestClient
from story import Story

from deploybot.events import ApprovalDenied
from deploybot.inbox import Inbox
from deploybot.next_step import Deploy, DoneForNow, RequestHumanInput

DEPLOY = Deploy(service="backend", ref="main", environment="production", reason="asked")
ANN = {"Authorization": "Bearer token-of-ann"}
BEN = {"Authorization": "Bearer token-of-ben"}


@pytest.fixture
def office(story: Story) -> Office:
    return Office(story.verified_on_staging("main"))


@pytest.fixture
def client(office: Office) -> TestClient:
    return office.client()


def opened(office: Office, client: TestClient, **headers: str) -> str:
    """Start a thread with an open request, and return its id."""
    office.story.model_will(DEPLOY)
    answer = client.post("/api/threads", json={"text": "deploy backend"}, headers=ANN | headers)
    assert answer.status_code == 201
    office.story.thread_id = answer.json()["id"]
    office.story.bot_works()
    return office.story.thread_id


def decision(client: TestClient, thread: str, **changes: Any) -> dict[str, Any]:
    shown = client.get(f"/api/threads/{thread}", headers=BEN).json()["request"]
    return {
        "request": shown["id"], "digest": shown["digest"], "approved": True, "comment": ""
    } | changes  # fmt: skip


def test_a_thread_goes_from_words_to_live(office: Office, client: TestClient) -> None:
    thread = opened(office, client)
    answer = client.get(f"/api/threads/{thread}", headers=BEN)
    open_request = answer.json()["request"]
    assert answer.json()["status"] == "awaiting_approval"
    assert open_request["plan"]["service"] == "backend"

    office.story.model_will(DoneForNow(message="live"))
    decided = client.post(
        f"/api/threads/{thread}/decision", json=decision(client, thread), headers=BEN
    )
    office.story.bot_works()

    shown = client.get(f"/api/threads/{thread}", headers=ANN).json()
    assert decided.status_code == 200
    assert shown["status"] == "done"
    assert "deploy_succeeded" in [event["kind"] for event in shown["events"]]
    assert shown["request"] is None
    assert shown["url"] == f"https://bot.example/threads/{thread}"


def test_a_no_carries_its_comment(office: Office, client: TestClient) -> None:
    thread = opened(office, client)
    body = decision(client, thread, approved=False, comment="frontend first")

    client.post(f"/api/threads/{thread}/decision", json=body, headers=BEN)

    denied = office.story.thread.events[-1]
    assert isinstance(denied, ApprovalDenied)
    assert (denied.by, denied.feedback) == ("ben", "frontend first")


@pytest.mark.parametrize(
    ("who", "changes", "status", "reason"),
    [
        (ANN, {}, 403, "own_request"),
        ({"Authorization": "Bearer token-of-a-stranger"}, {}, 403, "unknown_person"),
        (BEN, {"digest": "0" * 64}, 409, "digest_mismatch"),
        (BEN, {"request": "other"}, 409, "closed"),
    ],
)
def test_an_answer_that_does_not_count_says_why(
    office: Office,
    client: TestClient,
    who: dict[str, str],
    changes: dict[str, str],
    status: int,
    reason: str,
) -> None:
    thread = opened(office, client)
    body = decision(client, thread, **changes)

    answer = client.post(f"/api/threads/{thread}/decision", json=body, headers=who)

    assert (answer.status_code, answer.json()["reason_code"]) == (status, reason)
    assert answer.headers["content-type"] == "application/problem+json"
    assert office.story.thread.standing.request is not None


def test_what_must_be_confirmed_on_its_own_is_approved_only_with_a_confirmation(
    office: Office, client: TestClient
) -> None:
    office.story.deployer.confirms = ("It is older than what is live.",)
    thread = opened(office, client)
    body = decision(client, thread)

    without = client.post(f"/api/threads/{thread}/decision", json=body, headers=BEN)
    confirmed = body | {"confirm": True}
    with_it = client.post(f"/api/threads/{thread}/decision", json=confirmed, headers=BEN)

    assert (without.status_code, without.json()["reason_code"]) == (409, "confirmation_needed")
    assert "It is older than what is live. Nothing was approved" in without.json()["detail"]
    assert with_it.status_code == 200


def test_a_question_is_answered_by_a_decision(office: Office, client: TestClient) -> None:
    office.story.model_will(RequestHumanInput(question="Sure?", format="yes_no"))
    thread = client.post("/api/threads", json={"text": "deploy"}, headers=ANN).json()["id"]
    office.story.bot_works()
    shown = client.get(f"/api/threads/{thread}", headers=ANN).json()["request"]

    answer = client.post(
        f"/api/threads/{thread}/decision",
        json={"request": shown["id"], "approved": True},
        headers=ANN,
    )

    assert (shown["kind"], shown["question"]) == ("question", "Sure?")
    assert answer.json()["status"] == "working"


@pytest.mark.parametrize(
    ("words", "kept"),
    [("2", "production"), (" Production. ", "production"), ("neither", "neither")],
)
def test_a_choice_is_kept_by_its_words_however_it_is_named_and_known_again(
    office: Office, client: TestClient, words: str, kept: str
) -> None:
    choices = ("staging", "production")
    office.story.model_will(
        RequestHumanInput(question="Where to?", format="multiple_choice", choices=choices)
    )
    thread = client.post("/api/threads", json={"text": "deploy"}, headers=ANN).json()["id"]
    office.story.bot_works()
    asked = client.get(f"/api/threads/{thread}", headers=ANN).json()["request"]["id"]

    call = {
        "url": f"/api/threads/{thread}/decision",
        "json": {"request": asked, "approved": True, "comment": words},
        "headers": ANN | {"Idempotency-Key": "once"},
    }
    with going_wrong("answer.keep.before:raise@1"), suppress(Exception):
        client.post(**call)
    again = client.post(**call)

    events = client.get(f"/api/threads/{thread}", headers=ANN).json()["events"]
    assert [e["answer"] for e in events if e["kind"] == "answered"] == [kept]
    assert again.status_code == 200
    assert client.post(**call | {"json": call["json"] | {"comment": "1"}}).status_code == 409


def test_words_close_what_is_open(office: Office, client: TestClient) -> None:
    thread = opened(office, client)

    answer = client.post(f"/api/threads/{thread}/messages", json={"text": "wait"}, headers=BEN)

    assert answer.status_code == 202
    assert client.get(f"/api/threads/{thread}", headers=BEN).json()["request"] is None


def test_threads_are_listed_newest_first_page_by_page(client: TestClient) -> None:
    ids = [
        client.post("/api/threads", json={"text": f"{n}"}, headers=ANN).json()["id"]
        for n in range(3)
    ]

    first = client.get("/api/threads?limit=2", headers=ANN).json()
    second = client.get(f"/api/threads?limit=2&cursor={first['cursor']}", headers=ANN).json()

    listed = [row["id"] for row in first["threads"] + second["threads"]]
    assert listed == ids[::-1]
    assert second["cursor"] == ""
    assert client.get("/api/threads?status=done", headers=ANN).json()["threads"] == []


def test_a_thread_is_paused_resumed_and_cancelled(office: Office, client: TestClient) -> None:
    thread = opened(office, client)

    moved = [
        client.post(f"/api/threads/{thread}/{move}", headers=BEN)
        for move in ("pause", "pause", "resume", "cancel")
    ]

    assert [answer.status_code for answer in moved] == [200, 409, 200, 200]
    assert [moved[n].json()["status"] for n in (0, 2, 3)] == ["paused", "awaiting_approval", "done"]


def test_a_matter_can_go_to_another_agent(office: Office, client: TestClient) -> None:
    body = {"text": "roll back", "agent": "rollback"}

    answer = client.post("/api/threads", json=body, headers=ANN)
    unknown = client.post("/api/threads", json=body | {"agent": "x"}, headers=ANN)

    thread = office.story.store.load(answer.json()["id"])
    assert (thread.standing.agent, thread.standing.requesters) == ("rollback", ("ann",))
    assert (unknown.status_code, unknown.json()["field"]) == (422, "agent")


def test_what_is_live_is_told(office: Office, client: TestClient) -> None:
    rows = client.get("/api/environments", headers=ANN).json()["environments"]

    live = {(row["service"], row["environment"]): row["live"] for row in rows}
    assert live["backend", "staging"]["sha"]
    assert live["backend", "production"] is None


# -- the same call again -----------------------------------------------------------


def test_the_same_key_starts_one_thread(client: TestClient) -> None:
    headers = ANN | {"Idempotency-Key": "k1"}

    first = client.post("/api/threads", json={"text": "a"}, headers=headers)
    again = client.post("/api/threads", json={"text": "a"}, headers=headers)
    other = client.post("/api/threads", json={"text": "b"}, headers=headers)
    of_ben = client.post(
        "/api/threads", json={"text": "b"}, headers=BEN | {"Idempotency-Key": "k1"}
    )

    assert first.json()["id"] == again.json()["id"]
    assert (again.status_code, other.status_code, of_ben.status_code) == (201, 409, 201)
    assert other.json()["reason_code"] == "idempotency_key_reused"
    assert of_ben.json()["id"] != first.json()["id"]


def test_the_same_key_says_words_once(office: Office, client: TestClient) -> None:
    thread, other = opened(office, client), opened(office, client)
    headers = ANN | {"Idempotency-Key": "k1"}

    def say(where: str, text: str) -> int:
        path = f"/api/threads/{where}/messages"
        return client.post(path, json={"text": text}, headers=headers).status_code

    answers = [say(thread, "a"), say(thread, "a"), say(thread, "b"), say(other, "a")]

    assert answers == [202, 202, 409, 409]
    assert [e.kind for e in office.story.store.load(thread).events].count(
        "api_message_received"
    ) == 2


def test_the_same_key_decides_once_and_answers_alike(office: Office, client: TestClient) -> None:
    thread = opened(office, client)
    body = decision(client, thread)

    def decide(who: dict[str, str], key: str, **changes: Any) -> tuple[int, str]:
        path = f"/api/threads/{thread}/decision"
        answer = client.post(path, json=body | changes, headers=who | {"Idempotency-Key": key})
        return answer.status_code, answer.json().get("reason_code", "")

    answers = [
        decide(ANN, "r"),
        decide(ANN, "r"),
        decide(BEN, "k"),
        decide(BEN, "k"),
        decide(BEN, "k", approved=False),
        decide(BEN, "k2"),
    ]

    assert answers == [
        (403, "own_request"),
        (403, "own_request"),
        (200, ""),
        (200, ""),
        (409, "idempotency_key_reused"),
        (409, "closed"),
    ]
    kinds = [event.kind for event in office.story.thread.events]
    assert (kinds.count("approval_granted"), kinds.count("approval_denied")) == (1, 0)


# -- what is refused ---------------------------------------------------------------


@pytest.mark.parametrize(
    "value", ["", "Bearer", "Bearer ", "Bearer wrong", "Basic token-of-ann", "token-of-ann", "é"]
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/threads"),
        ("GET", "/api/threads"),
        ("GET", "/api/threads/x"),
        ("POST", "/api/threads/x/messages"),
        ("POST", "/api/threads/x/decision"),
        ("POST", "/api/threads/x/pause"),
        ("GET", "/api/environments"),
    ],
)
def test_without_a_good_token_nothing_is_told_or_done(
    client: TestClient, method: str, path: str, value: str
) -> None:
    answer = client.request(method, path, headers={"Authorization": value.encode("latin-1")})

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        (b"", 400, None),
        (b"{", 400, None),
        (b"\xff", 400, None),
        (b'{"text": "a", "text": "b"}', 400, None),
        (b'{"text": NaN}', 400, None),
        (b"[" * 50_000, 400, None),
        (b"[]", 422, None),
        (b"{}", 422, "text"),
        (b'{"text": 5}', 422, "text"),
        (b'{"text": "  "}', 422, "text"),
        (b'{"text": "a", "more": 1}', 422, "more"),
        (b'{"text": "' + b"a" * 20_001 + b'"}', 422, "text"),
        (b'{"text": "' + b"a" * 10_000_000 + b'"}', 413, None),
    ],
)
def test_bad_bodies_are_refused_by_the_name_of_the_field(
    client: TestClient, body: bytes, status: int, field: str | None
) -> None:
    headers = ANN | {"Content-Type": "application/json"}

    answer = client.post("/api/threads", content=body, headers=headers)

    assert (answer.status_code, answer.json().get("field")) == (status, field)
    assert answer.json()["detail"].endswith("stored.")
    assert "Traceback" not in answer.text


def test_a_form_is_not_json(client: TestClient) -> None:
    assert client.post("/api/threads", data={"text": "a"}, headers=ANN).status_code == 415


@pytest.mark.parametrize("key", ["a b", "é", "x" * 201, "\t"])
def test_a_key_that_cannot_be_kept_is_refused(client: TestClient, key: str) -> None:
    headers = ANN | {"Idempotency-Key": key.encode("latin-1")}

    answer = client.post("/api/threads", json={"text": "a"}, headers=headers)

    assert answer.status_code in {400, 201}
    assert answer.status_code == 400 or not key.strip()


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=201", "limit=x", "status=lost", "cursor=x", "cursor=1;2"]
)
def test_a_list_is_asked_for_properly_or_not_at_all(client: TestClient, query: str) -> None:
    answer = client.get(f"/api/threads?{query}", headers=ANN)

    assert answer.status_code == 422
    assert answer.json()["field"] == query.partition("=")[0]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/api/threads/none", None),
        ("POST", "/api/threads/none/messages", {"text": "a"}),
        ("POST", "/api/threads/none/decision", {"request": "r", "digest": "d", "approved": True}),
        ("POST", "/api/threads/none/cancel", None),
    ],
)
def test_an_unknown_thread_is_not_found(
    client: TestClient, method: str, path: str, body: dict[str, Any] | None
) -> None:
    answer = client.request(method, path, json=body, headers=ANN)

    assert answer.status_code == 404
    assert "no thread 'none'" in answer.json()["detail"]


@pytest.mark.parametrize("error", DEAD)
def test_a_store_that_is_away_is_said_so(office: Office, error: Exception) -> None:
    store = DeadStore(error)
    inbox = Inbox(store, PEOPLE, office.story.clock.clockwork)  # type: ignore[arg-type]
    client = office.client(store=store, inbox=inbox)

    answers = [
        client.post("/api/threads", json={"text": "a"}, headers=ANN),
        client.get("/api/threads", headers=ANN),
        client.get("/api/threads/x", headers=ANN),
    ]

    for answer in answers:
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "5"
        assert "nothing was stored" in answer.json()["detail"]
