"""Slack without an address of our own: over a real connection, cut and doubled, all is heard once."""

import logging
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from redis_server import wait_until
from slack_bot import HOME, TOKEN
from slack_office import DEPLOY, Office, opened
from slack_sdk.socket_mode.builtin.connection import Connection
from slack_sdk.socket_mode.interval_runner import IntervalRunner
from socket_listener import APP_TOKEN, connected

from deploybot.demo.workspace import actions, interactions
from deploybot.demo.workspace.sockets import When
from deploybot.errors import StoreUnavailableError
from deploybot.events import SlackMessageReceived
from deploybot.memory import MemoryStore
from deploybot.next_step import Deploy, DoneForNow
from deploybot.web.slack_bolt import bolt_app
from deploybot.web.slack_socket import SlackSocket

FRONTEND = Deploy(service="frontend", ref="main", environment="production", reason="asked for")


@pytest.fixture
def unheard() -> Iterator[Office]:
    """An office whose Slack waits ten seconds for each answer, and tries again soon."""
    with opened(
        app_token=APP_TOKEN, delivery_timeout=10.0, retry_delays=(0.0, 0.2, 0.2, 1.0, 5.0)
    ) as office:
        yield office


@pytest.fixture
def office(unheard: Office) -> Iterator[Office]:
    with connected(unheard):
        yield unheard


def _heard(office: Office) -> list[Any]:
    return [
        event
        for name in office.story.store.list().threads
        for event in office.story.store.load(name).events
    ]


def _says(office: Office, text: str = "@deploybot what's live?") -> dict[str, Any]:
    return actions.say(office.server, "ann", "C0DEPLOYS", text)


def _delivered(office: Office) -> list[dict[str, Any]]:
    return office.server.ledger.entries(0, direction="to_bot")


def test_the_first_approval_of_the_story_needs_no_address_of_ours(office: Office) -> None:
    office.story.model_will(FRONTEND).person_says("deploy main to production", by="eve")
    office.tell()

    office.click("ben", "deny", office.card("r1"))
    view = office.view("U0BEN")
    assert view is not None
    words = {"words": "can you deploy the backend first?"}
    said = interactions.submit(office.server, "ben", view["id"], words)
    office.story.model_will(DEPLOY, DoneForNow(message="It is live."))
    office.works()
    office.click("ben", "approve", office.card("r2"))
    office.works()

    assert office.server.bot_url is None
    assert said["outcome"] == "closed"
    assert office.story.deployer.ran[0].startswith("deploy backend")
    assert "Approved by Ben" in office.shown(office.card("r2"))


def test_what_a_dialog_is_refused_with_comes_back_over_the_connection(office: Office) -> None:
    office.proposed()
    office.click("ben", "deny", office.card("r1"))
    view = office.view("U0BEN")
    assert view is not None
    office.story.approves(by="ann")

    late = interactions.submit(office.server, "ben", view["id"], {"words": "not today"})

    assert late["outcome"] == "errors"
    assert "already approved by Ann" in late["errors"]["denial"]


def test_a_mention_is_acknowledged_once_it_is_stored(office: Office) -> None:
    sent = _says(office)["deliveries"]

    assert {delivery["status"] for delivery in sent} == {200}
    (event,) = _heard(office)
    assert isinstance(event, SlackMessageReceived)
    assert (event.by, event.text) == ("ann", "what's live?")


@pytest.mark.parametrize("when", ["sent", "acknowledged"])
def test_a_connection_that_is_cut_before_the_acknowledgement_loses_and_doubles_nothing(
    office: Office, when: When
) -> None:
    office.server.sockets.cut_when, office.server.sockets.cut_next = when, 1

    actions.say(office.server, "ann", office.server.conversations.direct("U0ANN").id, "hello")
    wait_until(lambda: [one for one in _delivered(office) if one["status"] == 200], 60)

    attempts = [(one["attempt"], one["status"]) for one in _delivered(office)]
    assert attempts[0] == (0, None)
    assert attempts[-1][1] == 200
    assert [event.text for event in _heard(office)] == ["hello"]


def test_slack_may_ask_for_a_new_connection_at_any_time(office: Office) -> None:
    before = list(office.server.sockets.lines())

    office.server.sockets.refresh()
    wait_until(lambda: not set(office.server.sockets.lines()) & set(before), 30)
    wait_until(lambda: len(office.server.sockets) == 1, 30)
    _says(office)

    wait_until(lambda: len(_heard(office)) == 1, 30)


def test_what_happens_while_nobody_is_connected_comes_later(unheard: Office) -> None:
    sent = _says(unheard)["deliveries"]
    assert {delivery["error"] for delivery in sent} == {"connection_failed"}

    with connected(unheard):
        wait_until(lambda: len(_heard(unheard)) == 1, 30)

    (late,) = {one["attempt"] for one in _delivered(unheard) if one["status"] == 200} - {0} or {0}
    assert late > 0


def test_two_connections_and_fifty_deliveries_are_one_event(office: Office) -> None:
    with connected(office):
        assert len(office.server.sockets) == 2
        _says(office)
        (event_id, *_) = [one["id"] for one in _delivered(office)]
        with ThreadPoolExecutor(10) as pool:
            again = list(pool.map(office.server.courier.redeliver, [event_id] * 50))

    assert {delivery.status for delivery in again} == {200}
    assert len(_heard(office)) == 1


def test_which_attempt_it_is_decides_nothing(office: Office) -> None:
    office.server.courier.hold()
    actions.say(office.server, "ann", office.server.conversations.direct("U0ANN").id, "hello")
    (event_id,) = office.server.courier.kept()

    first = office.server.courier.redeliver(event_id, attempt=3)
    again = office.server.courier.redeliver(event_id, attempt=1)

    assert (first.status, again.status) == (200, 200)
    assert [event.text for event in _heard(office)] == ["hello"]


def test_what_the_store_does_not_take_is_not_acknowledged(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = threading.Event()
    takes = MemoryStore.append

    def append(store: MemoryStore, *args: Any, **more: Any) -> Any:
        if not away.is_set():
            away.set()
            raise StoreUnavailableError("The store does not answer.")
        return takes(store, *args, **more)

    # the real store, but for one write that it does not take
    monkeypatch.setattr(MemoryStore, "append", append)
    office.server.courier.timeout = 1.0

    actions.say(office.server, "ann", office.server.conversations.direct("U0ANN").id, "hello")
    wait_until(lambda: len(_heard(office)) == 1, 60)

    assert _delivered(office)[0]["status"] is None


def test_another_workspace_is_not_acknowledged(office: Office) -> None:
    payload = {
        "type": "event_callback",
        "team_id": "T0OTHER",
        "api_app_id": HOME.app,
        "event_id": "Ev1",
        "event": {"type": "app_mention", "user": "U0ANN", "channel": "C1", "ts": "1.1", "text": ""},
    }

    with pytest.raises(TimeoutError):
        office.server.sockets.exchange("event", payload, 0, "", 0.5)

    assert _heard(office) == []


@pytest.mark.parametrize("payload", [{}, {"type": 5}, {"type": "block_actions", "actions": []}])
def test_nonsense_is_left_unanswered_and_ends_no_connection(
    office: Office, payload: dict[str, Any]
) -> None:
    with pytest.raises(TimeoutError):
        office.server.sockets.exchange("interaction", payload, 0, "", 0.5)

    assert {delivery["status"] for delivery in _says(office)["deliveries"]} == {200}


class _ClosedMeanwhile:
    """The lock of a session's socket, at which somebody else was quicker to close it."""

    def __init__(self, session: Any) -> None:
        self._session = session

    def __enter__(self) -> None:
        if self._session.sock is not None:
            self._session.sock.close()
            self._session.sock = None

    def __exit__(self, *_: object) -> None:
        pass


def test_a_connection_that_ends_while_it_is_closed_leaves_nothing_running(unheard: Office) -> None:
    client = SlackSocket(
        bolt_app(unheard.desk, TOKEN), APP_TOKEN, f"{unheard.server.url}/api/"
    )._client
    client.current_session_runner.shutdown()  # nobody reads, so nobody else closes
    wait_until(lambda: not client.current_session_runner.is_alive(), 30)
    session = Connection("ws://127.0.0.1/", logging.getLogger("none"))
    session.sock, other = socket.socketpair()
    session.sock_receive_lock = _ClosedMeanwhile(session)  # type: ignore[assignment]
    client.current_session = session
    client.current_app_monitor = IntervalRunner(lambda: None, 0.05).start()

    with other:
        client.finish()

    assert session.sock is None
    wait_until(lambda: not client.current_app_monitor.is_alive(), 30)


def test_listening_to_slack_leaves_our_own_log_as_it_is(office: Office) -> None:
    assert logging.getLogger("deploybot").getEffectiveLevel() <= logging.WARNING
    assert logging.getLogger("deploybot.web.slack_bolt").isEnabledFor(logging.WARNING)


def test_a_wrong_token_is_said_in_a_sentence_and_tried_again(
    unheard: Office, caplog: pytest.LogCaptureFixture
) -> None:
    with connected(unheard, token="xapp-wrong"):
        wait_until(
            lambda: len(unheard.server.ledger.entries(method="apps.connections.open")) > 1, 30
        )

    (said,) = [one for one in caplog.records if one.message.startswith("not connected to Slack")]
    assert "SLACK_APP_TOKEN" in said.why  # type: ignore[attr-defined]
    assert "xapp" not in caplog.text
