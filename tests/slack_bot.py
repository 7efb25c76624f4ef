"""A bot behind Slack's door: the real routes over any store, served on the loopback interface."""

import hashlib
import hmac
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

import uvicorn
from fakes import PEOPLE, FakeClock, catalog
from fastapi import FastAPI
from slack_sdk import WebClient

from deploy.catalog import Catalog
from deploybot.anchors import Anchors
from deploybot.inbound.slack_payloads import Home
from deploybot.inbox import Inbox
from deploybot.outbound.slack_calls import slack_client
from deploybot.overview import Overview
from deploybot.ports import Store
from deploybot.slack_directory import SlackDirectory
from deploybot.web.slack import SlackDoor, slack_router
from deploybot.web.slack_commands import CommandDesk
from deploybot.web.slack_desk import SlackDesk
from deploybot.web.slack_opening import lost

SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
TOKEN = "xoxb-canary-slack-token"
HOME = Home(team="T0HARBOUR", app="A0DEPLOYBOT", bot_user="U0DEPLOYBOT")
NOWHERE = "http://127.0.0.1:9/api/"


def signed(body: bytes, timestamp: int, secret: str = SECRET) -> dict[str, str]:
    """Return the headers with which Slack would send this body."""
    base = b"v0:%d:" % timestamp + body
    signature = hmac.new(secret.encode(), base, hashlib.sha256).hexdigest()
    return {
        "X-Slack-Request-Timestamp": str(timestamp),
        "X-Slack-Signature": f"v0={signature}",
        "Content-Type": "application/json" if body[:1] in b"{[" else _FORM,
    }


_FORM = "application/x-www-form-urlencoded"


def form(payload: dict[str, Any]) -> bytes:
    """Return an interactive payload as Slack sends it."""
    return urlencode({"payload": json.dumps(payload)}).encode()


def said(text: str, *, ts: str = "1700000000.000100", **changes: Any) -> dict[str, Any]:
    """Return an event_callback of Ann saying something in #deploys."""
    event = {
        "type": "app_mention",
        "user": "U0ANN",
        "channel": "C0DEPLOYS",
        "ts": ts,
        "event_ts": ts,
        "text": text,
    } | {key: value for key, value in changes.items() if key != "event_id"}
    return {
        "type": "event_callback",
        "team_id": HOME.team,
        "api_app_id": HOME.app,
        "event_id": changes.get("event_id", f"Ev{ts}{event['type']}"),
        "event_time": 1700000000,
        "event": event,
        "authorizations": [{"team_id": HOME.team, "user_id": HOME.bot_user, "is_bot": True}],
    }


def click(action: dict[str, Any], *, user: str = "U0BEN", **changes: Any) -> dict[str, Any]:
    """Return a block_actions payload of Ben clicking on a message in #deploys."""
    return {
        "type": "block_actions",
        "team": {"id": HOME.team, "domain": "harbour"},
        "api_app_id": HOME.app,
        "user": {"id": user, "username": "x", "team_id": HOME.team},
        "container": {
            "type": "message",
            "channel_id": "C0DEPLOYS",
            "message_ts": "1700000001.000100",
        },
        "channel": {"id": "C0DEPLOYS", "name": "deploys"},
        "trigger_id": "1.2.3",
        "actions": [{"action_ts": "1700000002.5", "block_id": "b", "type": "button"} | action],
    } | changes


OPENED: list[str] = []
"""Who opened the page of the app, anywhere in these tests."""


def desk(
    store: Store,
    clock: FakeClock,
    client: WebClient | None = None,
    overview: Overview = Overview(),  # noqa: B008 - it is frozen
    directory: SlackDirectory | None = None,
    table: Catalog | None = None,
    alarm: Callable[[str, str], object] = lambda *_: None,
) -> SlackDesk:
    """Return the desk over a store, with the people of the fakes."""
    table = table or catalog()
    anchors = Anchors(store, clock.clockwork, alarm)
    return SlackDesk(
        inbox=Inbox(store, PEOPLE, clock.clockwork, table, directory=directory),
        store=store,
        people=PEOPLE,
        now=clock.now,
        client=client or slack_client(TOKEN, NOWHERE, timeout=2),
        catalog=table,
        commands=CommandDesk(
            overview=lambda: overview,
            holds=store.holds,
            people=PEOPLE,
            now=clock.now,
            url_of="https://bot.example/threads/{}".format,
        ),
        home=HOME,
        people_for=directory.people_for if directory else None,
        closed=anchors.shown,
        lost=lambda about: lost(anchors, about, table),
        show_home=OPENED.append,
    )


def bot(a_desk: SlackDesk, *secrets: str) -> FastAPI:
    """Return the web application with Slack's door in it."""
    app = FastAPI()
    app.include_router(slack_router(SlackDoor(secrets or (SECRET,), TOKEN), a_desk))
    return app


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """Serve the application from a thread; yield its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(app, lifespan="off", log_config=None, access_log=False)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(10)
