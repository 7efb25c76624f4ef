"""A workspace with three people, and a tiny bot beside it."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from slack_sdk import WebClient
from tiny_bot import CARD, MODAL, SECRET, TOKEN, People, Receiver

from deploybot.demo.workspace import (
    Channel,
    Command,
    Link,
    Person,
    UserGroup,
    WorkspaceServer,
    WorkspaceSettings,
)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture
def settings(receiver: Receiver) -> WorkspaceSettings:
    return WorkspaceSettings(
        bot_token=TOKEN,
        signing_secret=SECRET,
        bot_url=receiver.url,
        retry_scale=0.001,
        delivery_timeout=1.0,
        channels=(
            Channel(id="C0DEPLOYS", name="deploys", topic="What goes live, and when"),
            Channel(id="C0OLD", name="old", is_archived=True),
            Channel(id="C0QUIET", name="quiet", bot_is_member=False),
            Channel(id="C0SECRET", name="secret", is_private=True, bot_is_member=False),
            Channel(id="C0FEW", name="few", members=("U0ANN",), is_private=True),
        ),
        people=(
            Person(
                id="U0ANN",
                name="ann",
                real_name="Ann Archer",
                email="ann@harbour.test",
                colour="#b4456b",
            ),
            Person(id="U0BEN", name="ben", real_name="Ben Baker", email="ben@harbour.test"),
            Person(id="U0EVE", name="eve", real_name="Eve", is_restricted=True),
            Person(id="U0GONE", name="gone", real_name="Gone", deleted=True),
        ),
        groups=(
            UserGroup(id="S0SHIP", handle="shippers", name="Shippers", users=("U0ANN", "U0BEN")),
            UserGroup(id="S0OFF", handle="off", name="Off", disabled=True),
        ),
        commands=(Command(name="/deploy", description="Ask for a deploy"),),
        links=(Link(text="staging", url="http://127.0.0.1:1/"),),
    )


@pytest.fixture
def server(settings: WorkspaceSettings) -> Iterator[WorkspaceServer]:
    with WorkspaceServer(settings) as server:
        yield server


@pytest.fixture
def client(server: WorkspaceServer) -> WebClient:
    return WebClient(token=TOKEN, base_url=f"{server.url}/api/", retry_handlers=[])


@pytest.fixture
def people(server: WorkspaceServer) -> People:
    return People(server.port)


@pytest.fixture
def card() -> list[dict[str, Any]]:
    return json.loads(json.dumps(CARD))


@pytest.fixture
def modal() -> dict[str, Any]:
    return json.loads(json.dumps(MODAL))
