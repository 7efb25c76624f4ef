"""One Slack channel of the bot over a workspace that fails on request, and what it has noted."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from fakes import PEOPLE, FakeClock, catalog
from slack_bot import SECRET, TOKEN
from story import Story

from deploybot.demo.workspace import (
    Channel,
    Fault,
    Person,
    WorkspaceServer,
    WorkspaceSettings,
)
from deploybot.events import SlackMessageReceived
from deploybot.manifest import EVENTS, SCOPES
from deploybot.next_step import Deploy
from deploybot.outbound.slack import SlackChannel
from deploybot.outbound.slack_calls import Pacing, slack_client
from deploybot.outbox import tellings
from deploybot.telling import Telling

DEPLOY = Deploy(service="backend", ref="main", environment="production", reason="asked for")
SETTINGS = WorkspaceSettings(
    bot_token=TOKEN,
    signing_secret=SECRET,
    scopes=SCOPES,
    events=EVENTS,
    channels=(
        Channel(id="C0DEPLOYS", name="deploys"),
        Channel(id="C0OTHER", name="other", bot_is_member=False),
        Channel(id="C0OLD", name="old", is_archived=True),
        Channel(id="C0SECOND", name="second"),
    ),
    people=(
        Person(id="U0ANN", name="ann"),
        Person(id="U0BEN", name="ben"),
        Person(id="U0EVE", name="eve"),
    ),
)


@dataclass
class Desk:
    """One Slack channel over one workspace, and what it has noted."""

    server: WorkspaceServer
    story: Story = field(default_factory=lambda: Story(table=catalog()))
    clock: FakeClock = field(default_factory=FakeClock)
    aliases: dict[str, str] = field(default_factory=dict)
    noted: dict[str, str] = field(default_factory=dict)
    where: str = "C0DEPLOYS"
    pacing: Pacing = field(default_factory=lambda: Pacing(burst=1000))
    token: str = TOKEN
    timeout: int = 5

    def channel(self) -> SlackChannel:
        return SlackChannel(
            client=slack_client(self.token, f"{self.server.url}/api/", self.timeout),
            channel=self.where,
            people=PEOPLE,
            url_of=lambda thread: f"https://bot.example/threads/{thread}",
            alias=self.aliases.__setitem__,
            progress=self.story.store.progress,
            now=self.clock.now,
            pacing=self.pacing,
        )

    def deliver(
        self, *, note: Callable[[str, str], None] | None = None, only: tuple[Telling, ...] = ()
    ) -> float | None:
        thread = self.story.thread
        keep = note or self.noted.__setitem__
        return self.channel().deliver(thread, only or tellings(thread), dict(self.noted), keep)

    def messages(self, channel: str = "C0DEPLOYS") -> list[dict[str, Any]]:
        """Return what is there, without what people were whispered."""
        workspace = self.server.workspace
        with workspace.lock:
            where = workspace.conversations.by_id[channel]
            return [
                where.shape(workspace.settings, message, with_metadata=True)
                for message in where.messages.values()
                if message.only_for is None
            ]

    def cards(self) -> list[dict[str, Any]]:
        return [
            message
            for message in self.messages()
            if message.get("blocks") and message["blocks"][0]["type"] == "header"
        ]

    def calls(self, method: str) -> list[dict[str, Any]]:
        ledger = self.server.workspace.ledger
        return ledger.entries(0, direction="from_bot", method=method, name=None)

    def fails(self, method: str, kind: Any, **more: Any) -> None:
        self.server.workspace.faults.add(Fault(method=method, kind=kind, **more))

    def asked(self, text: str = "deploy backend to production") -> None:
        """Let Ann ask over the API, and the bot propose."""
        self.story.verified_on_staging("main").model_will(DEPLOY).person_says(text, by="eve")

    def asked_in(self, channel: str, ts: str) -> None:
        """Let Eve ask in Slack, and the bot propose."""
        self.story.verified_on_staging("main").model_will(DEPLOY)
        said = SlackMessageReceived(
            at=self.story.clock.now(),
            by="eve",
            delivery=ts,
            channel=channel,
            ts=ts,
            thread_ts=ts,
            user="U0EVE",
            name="Eve",
            text="deploy backend to production",
        )
        self.story.inbox.hear(self.story.thread_id, said, dedupe=(ts,))
        self.story.bot_works()
