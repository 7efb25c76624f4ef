"""Slash commands, over HTTP and over a connection: a thread in the channel, or an answer for one's own eyes."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest
from fakes import sha_of
from slack_bot import OPENED, bot, served
from slack_office import Office, opened
from socket_listener import APP_TOKEN, connected

from deploy.target import Live
from deploybot.demo.workspace import Command, actions, interactions
from deploybot.events import SlackMessageReceived
from deploybot.overview import Overview
from deploybot.ports import EnvironmentRow

COMMANDS = (Command(name="/deploybot"),)


@pytest.fixture(params=["http", "socket"])
def office(request: pytest.FixtureRequest) -> Iterator[Office]:
    by_socket = request.param == "socket"
    more = {"app_token": APP_TOKEN, "delivery_timeout": 10.0} if by_socket else {}
    with ExitStack() as stack:
        office = stack.enter_context(opened(commands=COMMANDS, **more))
        if by_socket:
            stack.enter_context(connected(office))
        else:
            office.server.bot_url = stack.enter_context(served(bot(office.desk)))
        yield office


def _types(office: Office, text: str, user: str = "eve", channel: str = "C0DEPLOYS") -> str:
    """Run a command; return the words that its sender alone is shown."""
    sent = interactions.command(office.server, user, channel, f"/deploybot {text}".strip())
    assert {one["status"] for one in sent["deliveries"]} == {200}
    where = office.server.conversations.by_id[sent["channel"]]
    *_, last = where.messages.values()
    assert last.only_for == f"U0{user.upper()}"
    return last.text


def _calls(office: Office) -> list[str]:
    """Return what Slack was asked, beyond how to listen to it."""
    asked = [entry["method"] for entry in office.server.ledger.entries(0, direction="from_bot")]
    return [method for method in asked if method != "apps.connections.open"]


def _threads(office: Office) -> tuple[str, ...]:
    return office.story.store.list().threads


def _told(office: Office) -> None:
    (office.story.thread_id,) = _threads(office)
    office.tell()


def _channel(office: Office) -> list[Any]:
    messages = office.server.conversations.by_id["C0DEPLOYS"].messages.values()
    return [message for message in messages if message.only_for is None]


def test_a_command_begins_a_thread_in_the_channel_and_its_request_is_shown_below(
    office: Office,
) -> None:
    heard = _types(office, "deploy backend main to production")
    office.story.model_will(office.deploy).bot_works()
    _told(office)

    (event, *_) = office.story.thread.events
    assert isinstance(event, SlackMessageReceived)
    assert (event.by, event.text) == ("eve", "deploy backend main to production")
    assert "follows in a thread" in heard
    root, card, *_ = _channel(office)
    assert "Eve asked with /deploybot" in root.text
    assert card.thread_ts == root.ts
    office.click("ben", "approve", office.card("r1"))
    office.works()
    assert office.story.deployer.ran[0].startswith("deploy backend")


def test_a_lock_by_a_command_is_placed_and_told(office: Office) -> None:
    _types(office, "lock backend on production for 2h: schema migration", user="ann")
    (office.story.thread_id,) = _threads(office)
    office.works()

    (hold,) = office.story.store.holds()
    assert (hold.owner, hold.service, hold.reason) == ("ann", "backend", "schema migration")
    assert any("Ann" in one.text and "backend" in one.text for one in _channel(office)[1:])
    assert "*backend on production* by Ann" in _types(office, "locks")


def test_a_reply_below_goes_to_the_same_thread(office: Office) -> None:
    _types(office, "tags")
    _told(office)
    (root,) = _channel(office)

    actions.say(office.server, "ben", "C0DEPLOYS", "and the commits?", root.ts)

    assert [event.text for event in office.story.thread.events] == ["tags", "and the commits?"]


def test_a_command_that_is_delivered_again_begins_nothing_new(office: Office) -> None:
    _types(office, "tags")
    (sent,) = office.server.ledger.entries(0, direction="to_bot", kind="command")

    again = office.desk.command(sent["payload"])

    assert "follows in a thread" in again["text"]
    assert len(_threads(office)) == 1


def test_in_a_direct_message_it_goes_on_there(office: Office) -> None:
    direct = office.server.conversations.direct("U0EVE")
    _types(office, "deploy backend main to production", channel=direct.id)
    office.story.model_will(office.deploy).bot_works()
    _told(office)

    shown = [message for message in direct.messages.values() if message.only_for is None]
    assert "asked with /deploybot" in shown[0].text
    assert len(_channel(office)) == 1, "those who may approve are shown the card, too"


@pytest.mark.parametrize("text", ["", "help"])
def test_help_is_shown_to_who_asked_alone(office: Office, text: str) -> None:
    told = _types(office, text)

    assert "`/deploybot deploy backend v1.2.3 to production`" in told
    assert _threads(office) == ()
    assert _channel(office) == []


def test_what_is_live_is_answered_from_what_workers_saw_last(office: Office) -> None:
    now = office.story.clock.now()
    live = Live(sha=sha_of("main"), release="r", since=now, approval_id=None, verified=True)
    rows = (
        EnvironmentRow("backend", "production", live, behind=2),
        EnvironmentRow("frontend", "production", None),
        EnvironmentRow("backend", "staging", None, problem="It does not answer."),
    )
    desk = office.desk
    commands = replace(desk.commands, overview=lambda: Overview(now, rows))
    object.__setattr__(desk, "commands", commands)

    everywhere = _types(office, "environments")
    there = _types(office, "what's live on production?")
    nowhere = _types(office, "environments live on moon")
    missing = _types(office, "what's live on moon")

    assert f"*backend* `{sha_of('main')[:7]}`" in there
    assert "2 behind" in there
    assert "*frontend*: nothing is live" in there
    assert "staging" not in there
    assert "It does not answer." in everywhere
    assert "follows in a thread" in nowhere
    assert "There are: production, staging." in missing
    assert _calls(office) == [], "nobody asked the network"


def test_before_anybody_has_looked_it_says_so(office: Office) -> None:
    assert "Ask again in a minute" in _types(office, "status")


def test_locks_are_told_and_stop_says_where_it_belongs(office: Office) -> None:
    assert _types(office, "locks") == "Nothing is locked or held."
    assert "Write “stop” in the thread" in _types(office, "stop")
    assert _threads(office) == ()


def test_a_stranger_may_ask(office: Office) -> None:
    _types(office, "tags", user="zoe")

    (event,) = office.story.store.load(_threads(office)[0]).events
    assert event.by == "slack:U0ZOE"


def test_opening_the_page_of_the_app_has_it_drawn_elsewhere(office: Office) -> None:
    before = len(OPENED)

    actions.open_home(office.server, "ben")

    assert OPENED[before:] == ["U0BEN"]
    assert _calls(office) == []
