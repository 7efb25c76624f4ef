"""Quiet by design: what the channel sees of a whole story, who is pinged, and whom nobody pings.

Each thread is told anew after each of its events, as if no two of them ever came together: no
worker makes more of it than that.
"""

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from fakes import NOON, PEOPLE, FakeClock, catalog, sha_of
from slack_bot import SECRET, TOKEN
from story import Story

from deploy.plan import Commit
from deploybot.approvals import may_answer, may_settle
from deploybot.demo.workspace import Channel, Person, WorkspaceServer, WorkspaceSettings
from deploybot.errors import DeliveryError
from deploybot.manifest import EVENTS, SCOPES
from deploybot.next_step import Deploy, DoneForNow
from deploybot.outbound.slack import SlackChannel
from deploybot.outbound.slack_calls import Pacing, slack_client
from deploybot.outbox import tellings
from deploybot.ports import People
from deploybot.thread import Status, Thread, fold

FRONTEND = Deploy(service="frontend", ref="main", environment="production", reason="verified")
BACKEND = Deploy(service="backend", ref="main", environment="production", reason="verified")
WANTS = {"eve": ("production",), "mia": ("production",)}
WHO = People(
    tuple(
        replace(one, tell_me_live=WANTS.get(one.id, ()), slack=f"U0{one.id.upper()}", mail_me=False)
        for one in PEOPLE.known
    )
)
BY_SLACK = {one.slack: one.id for one in WHO.known}
COMMITS = tuple(
    Commit(sha=sha_of(who), author=who, email=f"{who}@shop.example", at=NOON, subject=f"by {who}")
    for who in ("eve", "ann", "eve")
)


@dataclass
class Ping:
    """Somebody who was mentioned in a message when it was posted, and where its thread then stood."""

    person: str
    thread: Thread
    text: str


@dataclass
class Workspace:
    """A workspace in which threads are told, event by event."""

    server: WorkspaceServer
    clock: FakeClock
    noted: dict[str, dict[str, str]] = field(default_factory=dict)
    pings: list[Ping] = field(default_factory=list)

    def tells(self, whole: Thread, progress: Any) -> None:
        """Tell a thread after each of its events, and look at each new message."""
        channel = self.channel(progress)
        noted = self.noted.setdefault(whole.id, {})
        for length in range(1, len(whole.events) + 1):
            events = whole.events[:length]
            thread = Thread(whole.id, events, "", fold(events))
            before = len(self.posts())
            self.clock.passes(seconds=2)
            channel.deliver(thread, tellings(thread), dict(noted), noted.__setitem__)
            for post in self.posts()[before:]:
                self.pings += [Ping(who, thread, json.dumps(post)) for who in mentioned(post)]

    def channel(self, progress: Any) -> SlackChannel:
        """Return the way by which threads are told here."""
        return SlackChannel(
            client=slack_client(TOKEN, f"{self.server.url}/api/"),
            channel="C0DEPLOYS",
            people=WHO,
            url_of="https://bot.example/threads/{}".format,
            alias=dict[str, str]().__setitem__,
            progress=progress,
            now=self.clock.now,
            pacing=Pacing(burst=10_000),
        )

    def updates(self, ts: str) -> int:
        """Return how often a message was changed."""
        entries = self.server.workspace.ledger.entries(0, method="chat.update")
        return sum(entry["args"]["ts"] == ts for entry in entries)

    def posts(self) -> list[dict[str, Any]]:
        """Return what was posted, in order, as it was sent."""
        return [
            entry["args"]
            for entry in self.server.workspace.ledger.entries(0, method="chat.postMessage")
        ]

    def in_the_channel(self) -> list[dict[str, Any]]:
        """Return what everybody in the channel sees without opening a thread."""
        return [
            post for post in self.posts()
            if post["channel"] == "C0DEPLOYS"
            and (not post.get("thread_ts") or post.get("reply_broadcast"))
        ]  # fmt: skip

    def direct(self) -> list[tuple[str, str]]:
        """Return what was written to one person alone: who, and the text."""
        return [
            (BY_SLACK[post["channel"]], post["text"])
            for post in self.posts() if post["channel"] in BY_SLACK
        ]  # fmt: skip


def mentioned(post: dict[str, Any]) -> Iterator[str]:
    """Yield the people whom a message notifies."""
    blocks = json.dumps(post.get("blocks", [])) + str(post.get("text"))
    for user in dict.fromkeys(re.findall(r"<@(U\w+)>|\"user_id\": \"(U\w+)\"", blocks)):
        yield BY_SLACK["".join(user)]


@pytest.fixture
def workspace() -> Iterator[Workspace]:
    settings = WorkspaceSettings.model_validate(
        {
            "bot_token": TOKEN,
            "signing_secret": SECRET,
            "scopes": SCOPES,
            "events": EVENTS,
            "channels": (Channel(id="C0DEPLOYS", name="deploys"),),
            "people": tuple(Person(id=user, name=who) for user, who in BY_SLACK.items()),
        }
    )
    clock = FakeClock()
    clock.time = datetime.now(UTC)  # noqa: TID251 - tests have no bootstrap
    with WorkspaceServer(settings) as server:
        yield Workspace(server, clock)


def seed() -> Story:
    """Play the seed story: staging by itself, a no, then both services to production."""
    story = Story(table=catalog()).verified_on_staging("main-0")
    for service in ("backend", "frontend"):
        story.deployer.commits_of[service] = COMMITS
    story.thread_id = "pipeline"
    story.model_will(FRONTEND).branch_moves(sha_of("main"), pusher="eve")
    (deploy,) = (name for name in story.store.list().threads if name != "pipeline")
    story.thread_id = deploy
    story.model_will(BACKEND).denies("can you deploy the backend first?")
    story.model_will(FRONTEND).approves()
    story.model_will(DoneForNow(message="`backend` and `frontend` are live.")).approves()
    assert story.thread.status is Status.DONE
    assert "tests_passed" in story.kinds
    return story


def told(workspace: Workspace, story: Story) -> None:
    for name in ("pipeline", story.thread_id):
        workspace.tells(story.store.load(name), story.store.progress)


def test_the_whole_story_is_five_messages_in_the_channel(workspace: Workspace) -> None:
    told(workspace, seed())

    channel = [post["text"].partition(":")[0] for post in workspace.in_the_channel()]
    assert len(channel) == 5, channel  # one for each of two threads, and a card for each decision


def test_only_those_are_pinged_who_can_act_at_that_moment_and_once_a_card(
    workspace: Workspace,
) -> None:
    told(workspace, seed())

    assert len(workspace.pings) == 3 * len(("ann", "ben", "mia"))  # three cards, three approvers
    for ping in workspace.pings:
        request = ping.thread.standing.request
        assert request is not None, ping.text
        assert ping.thread.status is Status.AWAITING_APPROVAL
        assert may_answer(request, ping.person) is None, ping.text


def test_authors_who_want_it_hear_once_a_deploy_and_nobody_else_does(workspace: Workspace) -> None:
    told(workspace, seed())

    assert workspace.direct() == [
        (
            "eve",
            f"2 of your commits are live: backend on production is at {sha_of('main')[:7]} now.",
        ),
        (
            "eve",
            f"2 of your commits are live: frontend on production is at {sha_of('main')[:7]} now.",
        ),
    ]


def test_an_edited_card_pings_only_those_who_can_approve_the_new_one(workspace: Workspace) -> None:
    story = Story(table=catalog(verified_in=None))
    story.model_will(BACKEND, DoneForNow(message="Done.")).person_says("deploy it", by="ann")
    story.edits(backend="v1.1.0", by="ben")
    story.edits(backend="v9", by="ann")

    workspace.tells(story.thread, story.store.progress)

    assert [ping.person for ping in workspace.pings] == ["ben", "mia", "mia", "ann"]
    assert "that cannot be had" in workspace.pings[-1].text
    assert len(workspace.in_the_channel()) == 3


def test_a_deploy_that_nobody_can_tell_about_calls_those_who_may_settle_it(
    workspace: Workspace,
) -> None:
    story = Story(table=catalog(verified_in=None))
    story.model_will(BACKEND).person_says("deploy it", by="eve")
    story.deployer.on_switch = _dies
    with pytest.raises(SystemExit):
        story.approves()
    story.deployer.on_switch = None
    story.clock.passes(seconds=60)
    story.operator.operate(story.thread_id)
    assert story.thread.status is Status.OUTCOME_UNKNOWN

    workspace.tells(story.thread, story.store.progress)

    late = [ping for ping in workspace.pings if ping.thread.status is Status.OUTCOME_UNKNOWN]
    assert {ping.person for ping in late} == {"ann", "ben", "mia"}
    for ping in late:
        assert ping.thread.standing.request is not None
        assert may_settle(ping.thread.standing.request, ping.person) is None


def _dies() -> None:
    raise SystemExit


def test_what_follows_within_a_second_is_one_update(workspace: Workspace) -> None:
    story = seed()
    whole = story.store.load("pipeline")
    noted: dict[str, str] = {}
    channel = workspace.channel(story.store.progress)

    for length in range(1, len(whole.events) + 1):
        thread = Thread(whole.id, whole.events[:length], "", fold(whole.events[:length]))
        with suppress(DeliveryError):
            channel.deliver(thread, tellings(thread), dict(noted), noted.__setitem__)
    opening = json.loads(noted["opening"])["ts"]
    assert workspace.updates(opening) == 0
    workspace.clock.passes(seconds=1)
    channel.deliver(whole, tellings(whole), dict(noted), noted.__setitem__)

    assert workspace.updates(opening) == 1
