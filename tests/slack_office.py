"""An office in Slack: a workspace with people, a desk for what they do there, and the loop behind it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from fakes import PEOPLE, FakeClock, catalog
from slack_bot import SECRET, TOKEN, desk
from story import Story

from deploy.catalog import Catalog
from deploybot.demo.workspace import (
    Channel,
    Person,
    Workspace,
    WorkspaceServer,
    WorkspaceSettings,
    interactions,
)
from deploybot.manifest import EVENTS, SCOPES
from deploybot.next_step import Deploy
from deploybot.outbound.slack import SlackChannel
from deploybot.outbound.slack_calls import Pacing, slack_client
from deploybot.slack_directory import SlackDirectory
from deploybot.web.slack_desk import SlackDesk

DEPLOY = Deploy(service="backend", ref="main", environment="production", reason="asked for")


@dataclass
class Office:
    """A workspace with people, a bot behind its door, and the loop that works for it."""

    server: Workspace
    desk: SlackDesk
    story: Story
    noted: dict[str, str] = field(default_factory=dict)
    alarms: list[str] = field(default_factory=list)
    """What those who run the bot were told at once."""
    deploy = DEPLOY

    def proposed(self) -> None:
        """Let Eve ask over the API, the bot propose and the channel see it."""
        self.story.model_will(DEPLOY).person_says("deploy backend", by="eve")
        self.tell()

    def tell(self) -> None:
        """Tell people in Slack what they have not been told; what changes by the second has had its time."""
        self.story.clock.time += timedelta(seconds=2)
        channel = SlackChannel(
            client=slack_client(TOKEN, f"{self.server.url}/api/"),
            channel="C0DEPLOYS",
            people=PEOPLE,
            url_of="https://bot.example/threads/{}".format,
            alias=self.story.store.name,
            progress=self.story.store.progress,
            now=self.story.clock.now,
            pacing=Pacing(burst=1000),
        )
        thread = self.story.thread
        channel.deliver(thread, self.story.told, dict(self.noted), self.noted.__setitem__)

    def works(self) -> None:
        self.story.bot_works()
        self.tell()

    def card(self, request_id: str) -> str:
        """Return the ts of a card."""
        return str(json.loads(self.noted[f"card:{request_id}"])["ts"])

    def shown(self, ts: str) -> str:
        """Return the blocks of a message as they are now, as JSON."""
        kept = self.server.conversations.by_id["C0DEPLOYS"].messages[ts]
        return json.dumps(kept.blocks)

    def click(self, user: str, action: str, ts: str, **more: Any) -> dict[str, Any]:
        at = ("C0DEPLOYS", ts)
        (sent,) = interactions.click(self.server, user, action, at=at, **more)["deliveries"]
        assert sent["status"] == 200
        return dict(sent)

    def view(self, user: str) -> dict[str, Any] | None:
        stacks = self.server.views.stacks
        stack = stacks.get(user) or []
        return dict(stack[-1]) if stack else None

    def whispers(self) -> list[str]:
        entries = self.server.ledger.entries(0, method="chat.postEphemeral")
        return [entry["args"]["text"] for entry in entries]


@contextmanager
def opened(
    *, table: Catalog | None = None, asks_slack: bool = False, patience: float = 2, **settings: Any
) -> Iterator[Office]:
    """Open the office; whoever listens to it is to be started by the caller.

    With `asks_slack`, it is looked up in Slack who may answer. `patience` is how many seconds the
    workspace has to open a dialog.
    """
    given = {
        "bot_token": TOKEN,
        "signing_secret": SECRET,
        "scopes": SCOPES,
        "events": EVENTS,
        "channels": (Channel(id="C0DEPLOYS", name="deploys"),),
        "people": tuple(
            Person(id=f"U0{name.upper()}", name=name) for name in ("ann", "ben", "eve", "zoe")
        ),
    }
    # The workspace signs with the time of day, so the story plays today.
    clock = FakeClock()
    clock.time = datetime.now(UTC)  # noqa: TID251 - tests have no bootstrap
    table = table or catalog()
    with WorkspaceServer(WorkspaceSettings.model_validate(given | settings)) as server:
        client = slack_client(TOKEN, f"{server.url}/api/", timeout=patience)
        directory = None
        if asks_slack:
            directory = SlackDirectory(client, people=PEOPLE, groups=table.groups)
        story = Story(clock=clock, table=table, directory=directory).verified_on_staging("main")
        alarms: list[str] = []
        its_desk = desk(
            story.store,
            story.clock,
            client,
            directory=directory,
            table=table,
            alarm=lambda _, text: alarms.append(text),
        )
        yield Office(server.workspace, its_desk, story, alarms=alarms)
