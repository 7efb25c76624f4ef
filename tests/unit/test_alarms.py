"""Alarms: by Slack, or else by mail, once an hour, and never an error of their own."""

import pytest
from fakes import FakeClock
from smtp_sink import SmtpSink

from deploybot.alarms import Alarms
from deploybot.demo.workspace import WorkspaceServer, WorkspaceSettings
from deploybot.demo.workspace.faults import Fault
from deploybot.outbound.slack_calls import slack_client
from deploybot.outbound.smtp import SmtpSettings

TEXT = "The store takes nothing now. Look at Redis."


class Desk:
    def __init__(self, slack: WorkspaceServer, sink: SmtpSink) -> None:
        self.slack, self.sink, self.clock = slack, sink, FakeClock()
        self.alarms = Alarms(
            now=self.clock.now,
            client=slack_client("xoxb-test", f"{slack.url}/api/"),
            channel="C0DEPLOYS",
            smtp=SmtpSettings.from_url(sink.url),
            sender="bot@harbour.test",
            readers=("ann@harbour.test", "ben@harbour.test"),
        )

    def posted(self) -> list[str]:
        where = self.slack.workspace.conversations.by_id["C0DEPLOYS"]
        return [message.text for message in where.messages.values()]


@pytest.fixture
def desk():
    settings = WorkspaceSettings(bot_token="xoxb-test", signing_secret="s" * 32)
    with WorkspaceServer(settings) as slack, SmtpSink() as sink:
        yield Desk(slack, sink)


def test_an_alarm_is_said_in_the_channel_once_an_hour(desk):
    said = [desk.alarms.say("store", TEXT) for _ in range(3)]
    desk.clock.passes(minutes=61)
    desk.alarms.say("store", TEXT)

    assert said == [True, False, False]
    assert len(desk.posted()) == 2
    assert desk.sink.mails == []


def test_what_slack_does_not_take_goes_by_mail_to_all_who_may_approve(desk):
    desk.slack.workspace.faults.add(Fault(kind="error", error="channel_not_found"))

    assert desk.alarms.say("store", TEXT)

    assert desk.posted() == []
    assert desk.sink.recipients == ["ann@harbour.test", "ben@harbour.test"]
    (first, _) = desk.sink.mails
    assert first["Subject"] == "deploybot: The store takes nothing now"
    assert TEXT in first.get_content()


def test_that_it_is_over_is_said_only_if_it_was_said_that_it_began(desk):
    desk.alarms.over("store", "It is over.")
    desk.alarms.say("store", TEXT)
    desk.alarms.over("store", "It is over.")
    desk.alarms.say("store", TEXT)

    assert [text.removeprefix(":rotating_light: ") for text in desk.posted()] == [
        TEXT,
        "It is over.",
        TEXT,
    ]


def test_nobody_to_tell_is_no_error():
    assert not Alarms(now=FakeClock().now).say("store", TEXT)


def test_whoever_shares_a_store_says_it_together_once(desk):
    desk.alarms.first = lambda _: False

    assert not desk.alarms.say("store", TEXT)
    assert desk.posted() == []
