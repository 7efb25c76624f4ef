"""Slack's requests over real HTTP: what gets in, what is stored, and what people are answered."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from http.client import HTTPConnection, HTTPResponse
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis
from fakes import FakeClock
from redis_server import emptied, wait_until
from slack_bot import HOME, SECRET, bot, click, desk, form, said, served, signed
from slack_office import DEPLOY, Office, opened
from slack_sdk.signature import SignatureVerifier

from deploybot.demo.workspace import (
    Fault,
    actions,
    interactions,
)
from deploybot.events import (
    DeployStarted,
    DeploySucceeded,
    SlackMessageReceived,
    StopRequested,
)
from deploybot.inbound.slack_buttons import Reference
from deploybot.memory import MemoryStore
from deploybot.next_step import RequestHumanInput
from deploybot.ports import Operation, Store
from deploybot.store import RedisStore

HELLO = json.dumps(said("<@U0DEPLOYBOT> what's live?")).encode()


@dataclass(frozen=True)
class Got:
    """An answer of the bot."""

    status: int
    text: str

    @property
    def json(self) -> dict[str, Any]:
        found = json.loads(self.text)
        assert isinstance(found, dict)
        return found


@dataclass(frozen=True)
class Door:
    """Slack's side of the connection: sends what it is told to, signed or not."""

    url: str
    store: Store
    clock: FakeClock

    def send(self, body: bytes, **headers: str) -> Got:
        """Send the body, signed now; headers given here stand in place of the right ones."""
        right = signed(body, self.stamp)
        changed = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.raw(body, list((right | changed).items()))

    def raw(self, body: bytes, headers: list[tuple[str, str]]) -> Got:
        connection = HTTPConnection(urlsplit(self.url).netloc, timeout=20)
        connection.putrequest("POST", "/slack/events")
        for name, value in headers:
            connection.putheader(name, value.encode("utf-8"))
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer: HTTPResponse = connection.getresponse()
        got = Got(answer.status, answer.read().decode())
        connection.close()
        return got

    @property
    def stamp(self) -> int:
        return int(self.clock.time.timestamp())

    def events(self) -> list[Any]:
        return [
            event for name in self.store.list().threads for event in self.store.load(name).events
        ]


@pytest.fixture(params=["memory", "redis"])
def door(request: pytest.FixtureRequest) -> Iterator[Door]:
    clock = FakeClock()
    store: Store = MemoryStore(now=clock.now)
    if request.param == "redis":
        connection = emptied(request.getfixturevalue("redis_url"))
        store = RedisStore(connection, key=b"k" * 32, now=clock.now)
    with served(bot(desk(store, clock))) as url:
        yield Door(url, store, clock)


# -- who gets in -----------------------------------------------------------------------


def test_a_genuine_mention_is_stored_before_it_is_acknowledged(door: Door) -> None:
    got = door.send(HELLO)

    assert (got.status, got.text) == (200, "")
    (event,) = door.events()
    assert isinstance(event, SlackMessageReceived)
    assert event.text == "what's live?"


def test_our_signatures_are_those_that_slacks_own_client_makes() -> None:
    headers = signed(HELLO, 1531420618)

    made = SignatureVerifier(SECRET).generate_signature(timestamp="1531420618", body=HELLO)

    assert headers["X-Slack-Signature"] == made


@pytest.mark.parametrize(
    "headers",
    [
        {"X_Slack_Signature": "v0=" + "0" * 64},
        {"X_Slack_Signature": ""},
        {"X_Slack_Signature": "v0=é"},
        {"X_Slack_Request_Timestamp": "abc"},
        {"X_Slack_Request_Timestamp": ""},
        {"X_Slack_Request_Timestamp": "1.5"},
        {"X_Slack_Request_Timestamp": "9" * 5000},
        {"X_Slack_Request_Timestamp": "٣"},
        {"X_Slack_Request_Timestamp": "1"},
    ],
)
def test_garbage_instead_of_a_signature_is_turned_away_in_a_sentence(
    door: Door, headers: dict[str, str]
) -> None:
    got = door.send(HELLO, **headers)

    assert got.status == 401
    assert "nothing was stored" in got.json["detail"]
    assert door.events() == []


@pytest.mark.parametrize("missing", ["X-Slack-Signature", "X-Slack-Request-Timestamp"])
def test_a_missing_or_doubled_header_is_turned_away(door: Door, missing: str) -> None:
    right = signed(HELLO, door.stamp)

    without = door.raw(HELLO, [(k, v) for k, v in right.items() if k != missing])
    double = door.raw(HELLO, [*right.items(), (missing.lower(), right[missing])])

    assert (without.status, double.status) == (401, 401)
    assert door.events() == []


@pytest.mark.parametrize("seconds", [-301, 301, 10_000])
def test_a_genuine_request_is_turned_away_when_it_is_old(door: Door, seconds: int) -> None:
    headers = signed(HELLO, door.stamp - seconds)

    got = door.raw(HELLO, list(headers.items()))

    assert got.status == 401
    assert f"({abs(seconds)} s > 300 s)" in got.json["detail"]
    assert door.events() == []


def test_a_body_that_was_written_anew_is_turned_away(door: Door) -> None:
    right = signed(HELLO, door.stamp)

    got = door.raw(json.dumps(json.loads(HELLO), indent=1).encode(), list(right.items()))

    assert got.status == 401


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"null",
        b'"text"',
        b'{"a":',
        b"[" * 50_000,
        b"payload=%5B%5D",
        b"payload=x",
        b"a=b",
        b'{"type":"event_callback","event":5}',
        b'{"type":"event_callback","event":{"type":"message"},"team":"x"}',
        b'{"type":"event_callback","event":{"type":["message"]}}',
        form({"type": "block_actions", "actions": []}),
        form({"type": "block_actions", "actions": 5, "team": []}),
        form({"type": "view_submission", "view": 5}),
        form({"type": ["x"]}),
    ],
)
def test_genuine_nonsense_is_answered_in_the_four_hundreds_or_ignored(
    door: Door, body: bytes
) -> None:
    got = door.send(body)

    assert got.status in {200, 400, 401}
    assert door.events() == []


def test_a_megabyte_is_enough(door: Door) -> None:
    got = door.send(b"{" + b" " * 1_000_000)

    assert got.status == 413
    assert "nothing was stored" in got.json["detail"]


@pytest.mark.parametrize("change", [{"api_app_id": "A0OTHER"}, {"team_id": "T0OTHER"}])
def test_another_app_or_workspace_is_turned_away(door: Door, change: dict[str, str]) -> None:
    got = door.send(json.dumps(json.loads(HELLO) | change).encode())

    assert got.status == 401
    assert door.events() == []


def test_slack_may_ask_whether_this_is_the_address(door: Door) -> None:
    body = json.dumps({"type": "url_verification", "challenge": "c1", "token": "t"}).encode()

    got = door.send(body)

    assert got.status == 200
    assert "c1" in got.text


def test_both_secrets_are_taken_while_one_replaces_the_other() -> None:
    clock = FakeClock()
    store = MemoryStore(now=clock.now)
    with served(bot(desk(store, clock), "the-new-secret", SECRET)) as url:
        door = Door(url, store, clock)
        old = door.raw(HELLO, list(signed(HELLO, door.stamp).items()))
        new = door.raw(HELLO, list(signed(HELLO, door.stamp, "the-new-secret").items()))

    assert (old.status, new.status) == (200, 200)


# -- once ------------------------------------------------------------------------------


@pytest.mark.row(29)
def test_fifty_deliveries_of_one_mention_at_once_are_one_event(door: Door) -> None:
    headers = list(signed(HELLO, door.stamp).items())
    message = json.dumps(said("<@U0DEPLOYBOT> what's live?", type="message")).encode()
    twin = list(signed(message, door.stamp).items())

    with ThreadPoolExecutor(25) as pool:
        sent = [(HELLO, headers), (message, twin)] * 25
        answers = list(pool.map(lambda one: door.raw(*one), sent))

    assert {answer.status for answer in answers} == {200}
    assert len(door.events()) == 1


def test_a_retry_is_taken_like_any_other_delivery(door: Door) -> None:
    first = door.send(HELLO, X_Slack_Retry_Num="1", X_Slack_Retry_Reason="http_timeout")
    again = door.send(HELLO, X_Slack_Retry_Num="2", X_Slack_Retry_Reason="http_timeout")

    assert (first.status, again.status) == (200, 200)
    assert len(door.events()) == 1


def test_a_reply_below_a_mention_goes_to_the_same_thread(door: Door) -> None:
    root = "1700000000.000100"
    reply = said("and staging?", type="message", ts="1700000009.000100", thread_ts=root)

    door.send(HELLO)
    door.send(json.dumps(reply).encode())

    (thread,) = door.store.list().threads
    assert [event.text for event in door.store.load(thread).events] == [
        "what's live?",
        "and staging?",
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"type": "message"},
        {"type": "message", "thread_ts": "1600000000.000001"},
        {"bot_id": "B0OTHER"},
        {"type": "message", "subtype": "message_changed", "channel": "D0ANN"},
        {"type": "reaction_added"},
        {"type": "app_home_opened"},
    ],
)
def test_what_does_not_concern_the_bot_is_acknowledged_and_forgotten(
    door: Door, changes: dict[str, str]
) -> None:
    got = door.send(json.dumps(said("lunch?", **changes)).encode())

    assert got.status == 200
    assert door.events() == []


def test_slack_is_asked_to_deliver_again_while_the_store_is_away() -> None:
    clock = FakeClock()
    nowhere = redis.Redis(unix_socket_path="/nonexistent/redis.sock")
    store = RedisStore(nowhere, key=b"k" * 32, now=clock.now)

    with served(bot(desk(store, clock))) as url:
        got = Door(url, store, clock).send(HELLO)

    assert got.status == 503
    assert "nothing was stored" in got.json["detail"]


# -- cards -----------------------------------------------------------------------------


@pytest.fixture
def office() -> Iterator[Office]:
    with opened() as office, served(bot(office.desk)) as url:
        office.server.bot_url = url
        yield office


def _slack_thread(office: Office) -> Any:
    (thread,) = office.story.store.list().threads
    return office.story.store.load(thread)


def test_a_click_approves_and_the_card_says_so(office: Office) -> None:
    office.proposed()

    office.click("ben", "approve", office.card("r1"))
    office.works()

    assert office.story.deployer.ran[0].startswith("deploy backend")
    assert "approval_granted" in office.story.kinds


def test_a_denial_asks_why_and_the_agent_reads_it(office: Office) -> None:
    office.proposed()
    office.click("ben", "deny", office.card("r1"))
    view = office.view("U0BEN")
    assert view is not None

    blank = interactions.submit(office.server, "ben", view["id"], {"words": "  \n "})
    sent = interactions.submit(
        office.server,
        "ben",
        view["id"],
        {"words": "can you deploy the backend first?"},
    )

    assert blank["outcome"] in {"errors", "invalid"}
    assert sent["outcome"] == "closed"
    denial = next(e for e in office.story.thread.events if e.kind == "approval_denied")
    assert denial.feedback == "can you deploy the backend first?"
    assert "Deploy backend to production" in json.dumps(view)


def test_a_superseded_card_is_refused_in_words_to_that_person_alone(office: Office) -> None:
    office.proposed()
    old = Reference(
        thread="t1", request=office.story.request.id, digest=office.story.request.digest
    )
    office.story.model_will(DEPLOY)
    office.story.denies("once more, please")
    late = form(click({"action_id": "approve", "value": old.dumps()}, user="U0ANN"))

    door = Door(office.server.bot_url or "", office.story.store, office.story.clock)
    answers = [door.send(late) for _ in range(3)]
    office.tell()

    assert {answer.status for answer in answers} == {200}
    (whisper,) = office.whispers()
    assert "already denied by Ben" in whisper
    assert "approval_granted" not in office.story.kinds


def test_a_denial_that_comes_too_late_opens_no_dialog_and_says_why(office: Office) -> None:
    office.proposed()
    about = Reference(
        thread="t1", request=office.story.request.id, digest=office.story.request.digest
    )
    office.story.approves(by="ann")
    late = form(click({"action_id": "deny", "value": about.dumps()}))

    door = Door(office.server.bot_url or "", office.story.store, office.story.clock)
    door.send(late)
    office.tell()

    assert office.view("U0BEN") is None
    assert "already approved by Ann" in office.whispers()[0]


def test_a_dialog_that_was_overtaken_says_so_in_the_dialog(office: Office) -> None:
    office.proposed()
    office.click("ben", "deny", office.card("r1"))
    view = office.view("U0BEN")
    assert view is not None
    office.story.approves(by="ann")

    words = {"words": "not today"}
    first = interactions.submit(office.server, "ben", view["id"], words)
    again = interactions.submit(office.server, "ben", view["id"], words)

    assert (first["outcome"], again["outcome"]) == ("errors", "errors")
    assert "already approved by Ann" in first["errors"]["denial"]
    assert first["errors"] == again["errors"]


@pytest.mark.parametrize(
    ("user", "says"),
    [("eve", "You may not answer for production"), ("zoe", "I do not know you here")],
)
@pytest.mark.parametrize("action", ["approve", "deny"])
def test_whoever_may_not_is_told_so_and_nothing_runs(
    office: Office, user: str, says: str, action: str
) -> None:
    office.proposed()

    office.click(user, action, office.card("r1"))
    office.works()

    assert says in office.whispers()[0]
    assert office.view(f"U0{user.upper()}") is None
    assert office.story.deployer.ran == []


def test_of_two_approvals_at_once_one_counts_and_the_other_is_told(office: Office) -> None:
    office.proposed()
    ts = office.card("r1")

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda user: office.click(user, "approve", ts), ["ann", "ben"]))
    office.works()

    assert office.story.kinds.count("approval_granted") == 1
    assert office.story.kinds.count("deploy_started") == 1
    (whisper,) = office.whispers()
    assert "already approved by" in whisper


def test_a_dialog_that_does_not_open_is_explained(office: Office) -> None:
    office.proposed()
    fault = Fault(method="views.open", kind="error", error="trigger_expired")
    office.server.faults.add(fault)

    office.click("ben", "deny", office.card("r1"))

    assert "nothing was denied" in office.whispers()[0]
    assert "approval_denied" not in office.story.kinds


# -- stopping ----------------------------------------------------------------------------


def _runs(office: Office) -> None:
    """Let the approved change have begun in some other worker."""
    office.proposed()
    office.click("ben", "approve", office.card("r1"))
    request = office.story.request
    operation = Operation(
        id=request.id,
        service="backend",
        environment="production",
        thread=request.thread,
        request_id=request.id,
        fence=office.story.store.next_fence("backend", "production"),
    )
    started = DeployStarted(
        at=office.story.clock.now(),
        by="worker",
        request_id=request.id,
        digest=request.digest,
        operation=request.id,
        fence=operation.fence,
    )
    office.story.store.append(office.story.thread, started, claim=operation)
    office.tell()


def test_what_runs_is_stopped_with_a_click_and_the_card_says_who_wants_it(office: Office) -> None:
    _runs(office)

    office.click("eve", "stop", office.card("r1"))
    office.story.clock.time += timedelta(seconds=2)  # a card that runs is drawn once a second
    office.tell()

    (wish,) = (e for e in office.story.thread.events if isinstance(e, StopRequested))
    assert wish.by == "eve"
    assert office.whispers() == []
    assert "Eve wants it to stop" in office.shown(office.card("r1"))
    assert '"stop"' not in office.shown(office.card("r1"))


def test_a_stranger_stops_nothing_and_is_told_so_alone(office: Office) -> None:
    _runs(office)

    office.click("zoe", "stop", office.card("r1"))

    assert "stop_requested" not in office.story.kinds
    assert "do not know you" in office.whispers()[0]


def test_a_stop_that_comes_after_the_end_is_answered_in_words(office: Office) -> None:
    _runs(office)
    request = office.story.request
    live = DeploySucceeded(
        at=office.story.clock.now(),
        by="worker",
        request_id=request.id,
        sha=request.plan.sha,
        seconds=1.0,
    )
    office.story.store.append(office.story.thread, live)

    office.click("ben", "stop", office.card("r1"))

    assert "stop_requested" not in office.story.kinds
    assert "nothing was stopped" in office.whispers()[0]


def test_a_choice_answers_the_question(office: Office) -> None:
    ask = RequestHumanInput(
        question="Which?", format="multiple_choice", choices=tuple(f"service {n}" for n in range(7))
    )
    office.story.model_will(ask).person_says("deploy", by="eve")
    office.tell()
    question = next(key for key in office.noted if key.startswith("question:"))

    office.click("eve", "choose", json.loads(office.noted[question])["ts"], value="6")

    answered = next(e for e in office.story.thread.events if e.kind == "answered")
    assert (answered.answer, answered.by) == ("service 6", "eve")


def test_a_reply_below_a_card_closes_it_and_reaches_the_agent(office: Office) -> None:
    office.proposed()

    actions.say(office.server, "ben", "C0DEPLOYS", "wait for me", office.card("r1"))
    office.works()

    last = next(e for e in office.story.thread.events if isinstance(e, SlackMessageReceived))
    assert (last.by, last.text) == ("ben", "wait for me")
    assert office.story.thread.standing.request is None


def test_a_mention_typed_by_a_person_arrives_without_the_address(office: Office) -> None:
    actions.say(office.server, "ann", "C0DEPLOYS", "@deploybot deploy <v1> & go")

    wait_until(lambda: office.story.store.list().threads)
    (event,) = _slack_thread(office).events
    assert event.text == "deploy <v1> & go"
    assert HOME.bot_user not in event.text


def test_a_post_delivered_as_two_events_is_one_thing_heard(office: Office) -> None:
    office.server.courier.duplicate_next = 2

    actions.say(office.server, "ann", "C0DEPLOYS", "@deploybot hello")

    wait_until(lambda: office.story.store.list().threads)
    assert len(_slack_thread(office).events) == 1
