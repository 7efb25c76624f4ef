"""The process that listens to Slack, killed: another listens, and what was said meanwhile is heard once."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from redis_server import wait_until
from slack_bot import SECRET, TOKEN

from deploybot.demo.workspace import (
    Channel,
    Person,
    Workspace,
    WorkspaceServer,
    WorkspaceSettings,
    actions,
)
from deploybot.demo.workspace.message import Message
from deploybot.manifest import EVENTS, SCOPES

pytestmark = pytest.mark.slow

APP_TOKEN = "xapp-1-canary-app-token"
API_TOKEN = "ann-canary-api-token"
CONFIG = """
[people.ann]
name = "Ann"
slack = "U0ANN"

[slack]
channel = "C0DEPLOYS"
"""


@dataclass
class Company:
    """A workspace, and `deploybot serve --with-worker`, which Slack cannot reach."""

    slack: Workspace
    port: int
    log: Path

    def get(self, path: str) -> Any:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request("GET", path, headers={"Authorization": f"Bearer {API_TOKEN}"})
            return json.loads(connection.getresponse().read())
        except OSError:
            return {}
        finally:
            connection.close()

    def threads(self) -> list[dict[str, Any]]:
        return list(self.get("/api/threads").get("threads", []))

    def listeners(self) -> list[int]:
        """Return the process of each listener that was started, in order."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line[:1] == "{"]
        return [
            line["child"] for line in lines if line.get("role") == "listener" and "child" in line
        ]

    def is_heard(self) -> bool:
        return (
            bool(self.get("/readyz").get("checks", {}).get("slack") == "ok")
            and len(self.slack.sockets) > 0
        )


@pytest.fixture
def company(tmp_path: Path) -> Iterator[Company]:
    settings = WorkspaceSettings(
        bot_token=TOKEN,
        signing_secret=SECRET,
        app_token=APP_TOKEN,
        scopes=SCOPES,
        events=EVENTS,
        channels=(Channel(id="C0DEPLOYS", name="deploys"),),
        people=(Person(id="U0ANN", name="ann"),),
        delivery_timeout=20.0,
        retry_delays=(0.0, 0.5, 0.5, 1.0, 2.0, 5.0, 10.0),
    )
    (tmp_path / "deploybot.toml").write_text(CONFIG)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    log = tmp_path / "log"
    with WorkspaceServer(settings) as server, log.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "deploybot", "serve", "--with-worker"],
            env={
                "PATH": "/usr/local/bin:/usr/bin:/bin",
                "DEPLOYBOT_CONFIG": str(tmp_path / "deploybot.toml"),
                "DEPLOYBOT_STATE_DIR": str(tmp_path / "state"),
                "DEPLOYBOT_PORT": str(port),
                "DEPLOYBOT_API_TOKENS": f"ann:{API_TOKEN}",
                "DEPLOYBOT_LOG_FORMAT": "json",
                "SLACK_BOT_TOKEN": TOKEN,
                "SLACK_APP_TOKEN": APP_TOKEN,
                "SLACK_API_URL": f"{server.url}/api/",
            },
            stderr=file,
        )
        try:
            company = Company(server.workspace, port, log)
            wait_until(company.is_heard, 60)
            yield company
            process.terminate()
            assert process.wait(60) == 0
        finally:
            process.kill()
            process.wait()


def test_a_killed_listener_is_started_again_and_nothing_is_lost_or_heard_twice(
    company: Company,
) -> None:
    (listener,) = company.listeners()
    os.kill(listener, signal.SIGSTOP)  # it has the first one, and cannot acknowledge it

    sent = company.slack.post(
        company.slack.conversations.direct("U0ANN"), _words(company.slack, "help")
    )
    os.kill(listener, signal.SIGKILL)
    wait_until(lambda: len(company.listeners()) == 2, 60)
    wait_until(lambda: len(company.threads()) == 1, 60)

    assert sent[1][0].result(30).status is None
    actions.say(company.slack, "ann", "C0DEPLOYS", "@deploybot what's live?")
    wait_until(lambda: len(company.threads()) == 2, 60)
    assert all(
        [event["kind"] for event in company.get(f"/api/threads/{thread['id']}")["events"]].count(
            "slack_message_received"
        )
        == 1
        for thread in company.threads()
    )
    assert API_TOKEN not in company.log.read_text()
    assert "xapp" not in company.log.read_text()


def _words(slack: Workspace, text: str) -> Any:
    return Message(channel="", ts="", user="U0ANN", text=text)
