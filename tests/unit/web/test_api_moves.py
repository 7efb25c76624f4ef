"""Pausing, cancelling, stopping and forking over the API, and who may do what with which token."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from fakes import NOON, FakeDeployer
from office import TOKENS, Office
from starlette.testclient import TestClient
from story import Story

from deploy.target import Guard, Order, Outcome, Report
from deploybot.cli.tokens import Wish, make
from deploybot.next_step import Deploy, DoneForNow
from deploybot.outbox import tellings
from deploybot.thread import Status
from deploybot.tokens import Scope, TokenFile
from deploybot.web.bearer import Callers

DEPLOY = Deploy(service="backend", ref="main", environment="production", reason="asked")
ANN = {"Authorization": "Bearer token-of-ann"}
BEN = {"Authorization": "Bearer token-of-ben"}
STRANGER = {"Authorization": "Bearer token-of-a-stranger"}


@pytest.fixture
def office() -> Office:
    return Office(Story().verified_on_staging("main"))


@pytest.fixture
def client(office: Office) -> TestClient:
    return office.client()


def opened(office: Office, client: TestClient) -> str:
    """Start a thread with an open request, and return its path."""
    office.story.model_will(DEPLOY)
    answer = client.post("/api/threads", json={"text": "deploy backend"}, headers=ANN)
    office.story.thread_id = answer.json()["id"]
    office.story.bot_works()
    return f"/api/threads/{office.story.thread_id}"


def approved(office: Office, client: TestClient) -> str:
    """Start a thread whose request is approved, before a worker looks at it."""
    path = opened(office, client)
    shown = client.get(path, headers=BEN).json()["request"]
    body = {"request": shown["id"], "digest": shown["digest"], "approved": True}
    assert client.post(f"{path}/decision", json=body, headers=BEN).status_code == 200
    return path


@dataclass
class StoppedDeployer(FakeDeployer):
    """Somebody cancels the thread while it runs."""

    cancel: Any = None
    answers: list[Any] = field(default_factory=list)

    def run(self, order: Order, guard: Guard, report: Report) -> Outcome:
        self.answers.append(self.cancel())
        return super().run(order, guard, report)


# -- pausing -----------------------------------------------------------------------


def test_what_is_approved_does_not_start_while_the_thread_is_paused(
    office: Office, client: TestClient
) -> None:
    path = approved(office, client)

    paused = client.post(f"{path}/pause", headers=ANN).json()["status"]
    office.story.bot_works()

    assert paused == "paused"
    assert "deploy_started" not in office.story.kinds
    client.post(f"{path}/resume", headers=ANN)
    office.story.model_will(DoneForNow(message="live")).bot_works()
    assert office.story.kinds.count("deploy_succeeded") == 1


def test_what_was_paused_for_too_long_has_expired_and_does_not_start(
    office: Office, client: TestClient
) -> None:
    path = approved(office, client)
    client.post(f"{path}/pause", headers=ANN)
    office.story.clock.passes(hours=2)

    client.post(f"{path}/resume", headers=ANN)
    office.story.bot_works()

    assert "deploy_started" not in office.story.kinds


@pytest.mark.parametrize("move", ["pause", "resume", "cancel"])
def test_a_stranger_moves_nothing(office: Office, client: TestClient, move: str) -> None:
    path = opened(office, client)
    before = office.story.kinds

    answer = client.post(f"{path}/{move}", headers=STRANGER)

    assert (answer.status_code, answer.json()["reason_code"]) == (403, "unknown_person")
    assert office.story.kinds == before


# -- cancelling and stopping -------------------------------------------------------


def test_a_cancelled_thread_has_ended_and_its_request_with_it(
    office: Office, client: TestClient
) -> None:
    path = opened(office, client)

    answer = client.post(f"{path}/cancel", json={"reason": "not today"}, headers=BEN)
    again = client.post(f"{path}/cancel", headers=BEN)

    assert (answer.status_code, answer.json()["status"]) == (200, "done")
    assert office.story.thread.events[-1].reason == "not today"
    assert client.get(path, headers=ANN).json()["request"] is None
    assert (again.status_code, "deploy_started" in office.story.kinds) == (409, False)


def test_cancelling_a_deploy_that_runs_asks_it_to_stop(office: Office) -> None:
    story = office.story
    deployer = StoppedDeployer(story.table, story.clock.now, story.store)
    story.deployer = deployer
    story.deploys_with(deployer)
    story.verified_on_staging("main")
    client = Office(story).client()
    path = approved(Office(story), client)

    def cancel() -> Any:
        headers = BEN | {"Idempotency-Key": "stop-it"}
        return client.post(f"{path}/cancel", json={"reason": "wrong one"}, headers=headers)

    def cancel_and_wait() -> Any:
        answer = cancel()
        story.clock.passes(seconds=6)  # until the guard of the deploy looks again
        return answer

    deployer.cancel = cancel_and_wait
    story.bot_works()
    again = cancel()

    (answer,) = deployer.answers
    assert (answer.status_code, answer.json()["status"]) == (200, "deploying")
    assert story.kinds.count("stop_requested") == 1
    assert "deploy_succeeded" not in story.kinds
    assert story.store.operation("backend", "production") is None
    assert again.json() == answer.json()
    assert deployer.live("backend", "production") is None


def test_who_neither_asked_nor_approves_stops_no_deploy_that_runs(
    office: Office, tmp_path: Path
) -> None:
    story = office.story
    deployer = StoppedDeployer(story.table, story.clock.now, story.store)
    story.deployer = deployer
    story.operator._deployer = story.agent._deployer = deployer
    story.verified_on_staging("main")
    client, eve = with_token(office, tmp_path, person="eve")
    path = approved(office, client)
    deployer.cancel = lambda: client.post(f"{path}/cancel", headers=eve)

    story.model_will(DoneForNow(message="live")).bot_works()

    (answer,) = deployer.answers
    assert (answer.status_code, answer.json()["reason_code"]) == (403, "not_an_approver")
    assert "stop_requested" not in story.kinds
    assert story.kinds.count("deploy_succeeded") == 1


# -- forking -----------------------------------------------------------------------


def test_a_fork_has_the_first_events_and_nothing_open(office: Office, client: TestClient) -> None:
    path = opened(office, client)
    origin = office.story.thread
    length = len(origin.events)

    answer = client.post(f"{path}/fork", json={"at": length}, headers=BEN)

    fork = client.get(f"/api/threads/{answer.json()['id']}", headers=BEN).json()
    events = client.get(path, headers=BEN).json()["events"]
    assert (answer.status_code, answer.headers["location"]) == (201, f"/api/threads/{fork['id']}")
    assert fork["events"][:-1] == events[:length]
    assert fork["events"][-1]["kind"] == "forked"
    assert (fork["events"][-1]["from_thread"], fork["events"][-1]["length"]) == (origin.id, length)
    assert (fork["status"], fork["request"]) == ("done", None)
    assert (events[-1]["kind"], events[-1]["thread"]) == ("fork_made", fork["id"])
    assert client.get(path, headers=BEN).json()["request"] is not None


def test_nothing_of_a_fork_is_told_or_done_again(office: Office, client: TestClient) -> None:
    path = approved(office, client)
    office.story.model_will(DoneForNow(message="live")).bot_works()
    ran = list(office.story.deployer.ran)
    length = len(office.story.thread.events)

    for at in range(1, length + 1):
        fork_id = client.post(f"{path}/fork", json={"at": at}, headers=BEN).json()["id"]
        office.story.bot_works()
        fork = office.story.store.load(fork_id)
        assert fork.status is Status.DONE
        (opening,) = tellings(fork)
        assert f"forked from thread {path.rpartition('/')[2]}" in opening.text

    assert office.story.deployer.ran == ran


def test_a_fork_goes_on_by_itself_when_somebody_speaks(office: Office, client: TestClient) -> None:
    path = opened(office, client)
    fork_id = client.post(f"{path}/fork", json={"at": 1}, headers=BEN).json()["id"]

    office.story.model_will(DEPLOY)
    client.post(f"/api/threads/{fork_id}/messages", json={"text": "deploy it"}, headers=ANN)
    office.story.bot_works()

    shown = client.get(f"/api/threads/{fork_id}", headers=BEN).json()
    assert shown["status"] == "awaiting_approval"
    assert shown["request"]["thread"] == fork_id
    assert shown["request"]["id"] != client.get(path, headers=BEN).json()["request"]["id"]


@pytest.mark.parametrize("at", [0, -1, 99, 1.5, "1", None, True])
def test_a_thread_cannot_be_forked_where_it_has_no_event(
    office: Office, client: TestClient, at: object
) -> None:
    path = opened(office, client)
    before = office.story.store.changed(0).keys()

    answer = client.post(f"{path}/fork", json={"at": at}, headers=BEN)

    assert answer.status_code == (409 if at == 99 else 422)
    assert office.story.store.changed(0).keys() == before


# -- tokens ------------------------------------------------------------------------


def with_token(office: Office, folder: Path, **wish: Any) -> tuple[TestClient, dict[str, str]]:
    """Return a client, and the headers of a new token."""
    path = folder / "tokens.toml"
    token = make(path, Wish(**wish), NOON, None)
    callers = Callers(TOKENS, TokenFile(path), office.story.clock.now)
    return office.client(callers=callers), {"Authorization": f"Bearer {token}"}


CALLS: tuple[tuple[str, str, Scope, dict[str, Any] | None], ...] = (
    ("GET", "", "read", None),
    ("GET", "/events?after=99", "read", None),
    ("POST", "/messages", "ask", {"text": "wait"}),
    ("POST", "/resolve", "decide", {"request": "r", "outcome": "failed"}),
    ("POST", "/pause", "control", None),
    ("POST", "/cancel", "control", None),
    ("POST", "/fork", "fork", {"at": 1}),
)


@pytest.mark.parametrize(("method", "below", "scope", "body"), CALLS)
def test_a_token_is_for_what_it_was_made_for(
    office: Office,
    client: TestClient,
    tmp_path: Path,
    method: str,
    below: str,
    scope: Scope,
    body: dict[str, Any] | None,
) -> None:
    path = opened(office, client)
    before = office.story.kinds
    others = tuple(each for each in ("read", "ask", "decide", "control", "fork") if each != scope)
    restricted, headers = with_token(office, tmp_path, person="ben", scopes=others)

    refused = restricted.request(method, path + below, json=body, headers=headers)
    kept = office.story.kinds
    allowed, headers = with_token(office, tmp_path, person="ben", scopes=(scope,))
    answer = allowed.request(method, path + below, json=body, headers=headers)

    assert (refused.status_code, refused.json()["reason_code"]) == (403, "missing_scope")
    assert kept == before
    assert answer.status_code in {200, 201, 202, 409, 422}


def test_a_service_asks_and_does_not_approve(
    office: Office, client: TestClient, tmp_path: Path
) -> None:
    service, headers = with_token(office, tmp_path, service="ci")
    office.story.model_will(DEPLOY)
    started = service.post("/api/threads", json={"text": "deploy backend"}, headers=headers)
    office.story.thread_id = started.json()["id"]
    office.story.bot_works()
    path = f"/api/threads/{started.json()['id']}"
    shown = service.get(path, headers=headers).json()["request"]

    body = {"request": shown["id"], "digest": shown["digest"], "approved": True}
    refused = service.post(f"{path}/decision", json=body, headers=headers)

    assert office.story.thread.events[0].by == "service:ci"
    assert (refused.status_code, refused.json()["reason_code"]) == (403, "missing_scope")
    assert "approval_granted" not in office.story.kinds
    assert service.post(f"{path}/cancel", headers=headers).status_code == 200


def test_a_key_is_its_tokens_own(office: Office, tmp_path: Path) -> None:
    one, first = with_token(office, tmp_path, person="ann", scopes=("ask",))
    two, second = with_token(office, tmp_path, person="ann", scopes=("ask",))

    ids = [
        client.post(
            "/api/threads", json={"text": text}, headers=headers | {"Idempotency-Key": "k"}
        ).json()["id"]
        for client, headers, text in ((one, first, "a"), (two, second, "b"))
    ]

    assert ids[0] != ids[1]


def test_a_token_file_that_cannot_be_read_lets_in_whom_the_settings_name_alone(
    office: Office, tmp_path: Path
) -> None:
    client, headers = with_token(office, tmp_path, person="ben")
    (tmp_path / "tokens.toml").write_text("[[tokens]")

    assert client.get("/api/threads", headers=headers).status_code == 503
    assert client.get("/api/threads", headers=ANN).status_code == 200


# -- what is answered --------------------------------------------------------------


def test_a_row_says_how_a_thread_began_and_how_far_it_is(
    office: Office, client: TestClient
) -> None:
    path = opened(office, client)

    (row,) = client.get("/api/threads?status=awaiting_approval", headers=BEN).json()["threads"]

    thread = office.story.thread
    assert row["id"] == path.rpartition("/")[2]
    assert (row["title"], row["by"], row["length"]) == (
        "deploy backend", "ann", len(thread.events),
    )  # fmt: skip
    assert row["updated"] == thread.events[-1].at.isoformat().replace("+00:00", "Z")


def test_a_row_is_read_again_only_when_its_thread_has_moved(
    office: Office, client: TestClient
) -> None:
    path = opened(office, client)
    client.get("/api/threads", headers=BEN)

    client.post(f"{path}/messages", json={"text": "wait"}, headers=BEN)

    (row,) = client.get("/api/threads", headers=BEN).json()["threads"]
    assert row["length"] == len(office.story.thread.events)
    assert row["status"] == "working"


def test_a_dry_run_shows_the_plan_and_proposes_nothing(office: Office, client: TestClient) -> None:
    office.story.model_will(DEPLOY)
    body = {"text": "deploy backend", "dry_run": True}

    answer = client.post("/api/threads", json=body, headers=ANN)
    office.story.thread_id = answer.json()["id"]
    office.story.bot_works()

    shown = client.get(f"/api/threads/{answer.json()['id']}", headers=ANN).json()
    kinds = [event["kind"] for event in shown["events"]]
    assert "plans_shown" in kinds
    assert not {"approval_requested", "deploy_started"} & set(kinds)
    refused = client.post("/api/threads", json=body | {"agent": "rollback"}, headers=ANN)
    assert refused.status_code == 422


@pytest.mark.parametrize(
    ("query", "headers", "status"),
    [
        ("", {}, 401),
        ("?after=-1", ANN, 422),
        ("?after=99", ANN, 422),
        ("?more=1", ANN, 422),
        ("", ANN | {"Last-Event-ID": "x"}, 422),
        ("", ANN | {"Last-Event-ID": "99"}, 422),
    ],
)
def test_what_cannot_be_followed_is_refused_before_anything_is_sent(
    office: Office, client: TestClient, query: str, headers: dict[str, str], status: int
) -> None:
    path = opened(office, client)

    answer = client.get(f"{path}/events{query}", headers=headers)

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert client.get("/api/threads/none/events", headers=ANN).status_code == 404
