"""A company that meets its bot everywhere: one web process with Slack, mail, pages and API, a real store between.

Targets, model and clock are fakes; the workspace, the mail server and all that goes between them and
the bot are real, on the loopback.
"""

import json
import re
import socket
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fakes import PEOPLE, catalog
from page_office import PageOffice, PageStory
from redis_server import wait_until

from deploy.catalog import Catalog
from deploybot.config import Configuration, PersonTable, SlackTable
from deploybot.demo.mailbox import Mailbox, MailboxSettings
from deploybot.demo.workspace import (
    Channel,
    Person,
    WorkspaceServer,
    WorkspaceSettings,
    actions,
    interactions,
)
from deploybot.demo.workspace.mail import Mail
from deploybot.demo.workspace.message import Message
from deploybot.manifest import EVENTS, SCOPES
from deploybot.outbound.slack import SlackChannel
from deploybot.outbound.slack_calls import Pacing
from deploybot.thread import Thread
from deploybot.web import slack_opening

CHANNEL = "C0DEPLOYS"
BOT = "deploybot@bot.example"
AUTHSERV_ID = "mx.bot.example"
SIGNING, EMAIL_SECRET, TOKEN = "signing-secret-of-the-tests", "mail-secret", "xoxb-everywhere"
PATIENCE = 60.0
"""Seconds for what Slack gives three: how fast the bot is, other tests say."""
USERS = {person.id: person.slack or f"U0{person.id.upper()}" for person in PEOPLE.known}
"""Mia has no Slack: she reads her mail on the page alone."""


class Everywhere(PageOffice):
    """The bot and its people."""

    def __init__(
        self,
        redis: str,
        folder: Path,
        *,
        url: str,
        slack: str,
        smtp: str,
        table: Catalog,
    ) -> None:
        self._table = table
        super().__init__(
            redis,
            folder,
            DEPLOYBOT_URL=url,
            DEPLOYBOT_EMAIL_ADDRESS=BOT,
            DEPLOYBOT_EMAIL_SECRET=EMAIL_SECRET,
            DEPLOYBOT_EMAIL_AUTHSERV_ID=AUTHSERV_ID,
            DEPLOYBOT_SMTP_URL=smtp,
            DEPLOYBOT_API_TOKENS=",".join(f"{who}:the-token-of-{who}" for who in USERS),
            SLACK_BOT_TOKEN=TOKEN,
            SLACK_SIGNING_SECRET=SIGNING,
            SLACK_API_URL=f"{slack}/api/",
        )
        self.url = url
        # The workspace signs with the time of day, so the story plays today.
        self.story.clock.time = datetime.now(UTC)  # noqa: TID251 - tests have no bootstrap
        self.story.verified_on_staging("main")
        self.workspace: WorkspaceServer
        unhurried = Pacing(burst=1000)  # what Slack makes a bot wait for is not what is tried here
        self.bot = replace(
            self.bot,
            channels=tuple(
                replace(one, pacing=unhurried, now=_leaping())
                if isinstance(one, SlackChannel)
                else one
                for one in self.bot.channels
            ),
        )

    def opened_story(self) -> PageStory:
        return PageStory(self.connection, table=self._table)

    def described(self) -> Configuration:
        """Return what the bot's file says: everybody, in every way that they are reached."""
        tables = {
            one.id: PersonTable(
                name=one.name, slack=one.slack, email=one.email, mail_me=one.mail_me
            )
            for one in PEOPLE.known
        }
        slack = SlackTable(channel=CHANNEL, bot_user="U0DEPLOYBOT")
        return Configuration(catalog=self.story.table, people=tables, slack=slack)

    # -- the bot -------------------------------------------------------------------

    def threads(self) -> list[Thread]:
        return [self.story.store.load(name) for name in self.story.store.list().threads]

    def thread(self) -> Thread:
        """Return the only thread, or the newest."""
        return self.threads()[0]

    def works(self) -> None:
        """Let every thread move as far as it moves, and people be told."""
        while moving := [thread.id for thread in self.threads() if thread.job()]:
            for self.story.thread_id in moving:
                self.story.bot_works()
        for thread in self.threads():
            self.bot.deliver(thread.id)

    # -- Slack ---------------------------------------------------------------------

    def says(self, person: str, text: str, below: Message | None = None) -> Message:
        """Let somebody write in the channel, and the bot hear and work."""
        before = len(self.threads())
        mention = "" if below else "@deploybot "
        root = (below.thread_ts or below.ts) if below else None
        said = actions.say(
            self.workspace.workspace, USERS[person], CHANNEL, f"{mention}{text}", root
        )
        assert all(one["status"] == 200 for one in said["deliveries"]), said
        if not below:
            wait_until(lambda: len(self.threads()) > before)
        self.works()
        return self._channel.messages[said["ts"]]

    def messages(self) -> list[Message]:
        return list(self._channel.messages.values())

    def message(self, words: str) -> Message:
        """Return the newest message of the bot with these words in it."""
        found = [one for one in self.messages() if one.by_bot and words in shown(one)]
        assert found, f"nobody said {words!r}: {[shown(one) for one in self.messages()]}"
        return found[-1]

    def card(self) -> Message:
        """Return the newest card, as it is now."""
        keys = (
            (one, one.metadata["event_payload"]["key"]) for one in self.messages() if one.metadata
        )
        return [one for one, key in keys if re.fullmatch(r"card:\w+", key)][-1]

    def clicks(self, person: str, action: str, message: Message, **more: Any) -> None:
        """Press a button of a message, and let the bot work."""
        self.presses(person, action, message, **more)
        self.works()

    def presses(self, person: str, action: str, message: Message, **more: Any) -> None:
        """Press a button of a message; the bot hears it, and works later."""
        at = (CHANNEL, message.ts)
        sent = interactions.click(self.workspace.workspace, USERS[person], action, at=at, **more)
        assert all(one["status"] == 200 for one in sent["deliveries"]), sent

    def fills(self, person: str, **values: str) -> dict[str, Any]:
        """Fill the dialog that is open for somebody, and send it off; the bot works later."""
        view = self.workspace.workspace.views.stacks[USERS[person]][-1]
        sent = interactions.submit(self.workspace.workspace, USERS[person], view["id"], values)
        return dict(sent)

    def whispers(self) -> list[str]:
        entries = self.workspace.workspace.ledger.entries(0, method="chat.postEphemeral")
        return [entry["args"]["text"] for entry in entries]

    @property
    def _channel(self) -> Any:
        return self.workspace.workspace.conversations.by_id[CHANNEL]

    # -- mail ----------------------------------------------------------------------

    def writes(self, person: str, text: str, subject: str = "Backend") -> None:
        """Let somebody write the bot a mail of their own."""
        self._posts(person, "send_mail", subject=subject, text=text)

    def replies(self, person: str, mail: Mail, text: str) -> None:
        self._posts(person, "reply_mail", id=mail.id, text=text)

    def mails(self, person: str, words: str = "") -> list[Mail]:
        """Return somebody's mails, oldest first, with these words in them."""
        found = self.workspace.workspace.mailbox.all()
        address = f"{person}@shop.example"
        return [one for one in found if address in one.to and words in flat(one.text)]

    def mail(self, person: str, words: str) -> Mail:
        """Return somebody's newest mail with these words."""
        found = self.mails(person, words)
        assert found, f"no mail with {words!r}: {[one.text for one in self.mails(person)]}"
        return found[-1]

    def _posts(self, person: str, act: str, **body: str) -> None:
        request = urllib.request.Request(
            f"{self.workspace.url}/_human/{USERS[person]}/{act}",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            assert answer.status < 300
        self.works()

    # -- API -----------------------------------------------------------------------

    def call(self, person: str, method: str, path: str, **body: Any) -> Any:
        """Call the API as somebody, and let the bot work."""
        request = urllib.request.Request(
            f"{self.url}{path}",
            json.dumps(body).encode() if body else None,
            {"Authorization": f"Bearer the-token-of-{person}", "Content-Type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            found = json.load(answer)
        self.works()
        return found


def _leaping() -> Callable[[], datetime]:
    """Return a clock by which two updates of a message are never too close to each other."""
    looks = count()
    return lambda: datetime.now(UTC) + timedelta(seconds=2 * next(looks))  # noqa: TID251 - no bootstrap


def shown(message: Message) -> str:
    """Return all that a message shows, as JSON."""
    return json.dumps([message.text, *message.blocks], ensure_ascii=False)


def flat(text: str) -> str:
    """Return a text on one line: where lines end is the layout's matter."""
    return " ".join(text.split())


@contextmanager
def everywhere(redis: str, folder: Path, table: Catalog | None = None) -> Iterator[Everywhere]:
    """Open the company, and close all of it; `table` is what may be deployed, and by whose leave."""
    urls: dict[str, str] = {}
    with ExitStack() as stack:
        unhurried = pytest.MonkeyPatch()
        unhurried.setattr(slack_opening, "DIALOG_SECONDS", PATIENCE)
        stack.callback(unhurried.undo)
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        bot_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        settings = MailboxSettings(
            workspace_url=lambda: urls["workspace"],
            bot_url=lambda: bot_url,
            authserv_id=AUTHSERV_ID,
            secret=EMAIL_SECRET,
            now=lambda: datetime.now(UTC),  # noqa: TID251 - tests have no bootstrap
        )
        mailbox = stack.enter_context(Mailbox(settings))
        workspace = stack.enter_context(WorkspaceServer(_workspace(bot_url, mailbox)))
        urls["workspace"] = workspace.url
        office = Everywhere(
            redis,
            folder,
            url=bot_url,
            slack=workspace.url,
            smtp=mailbox.smtp_url,
            table=table or catalog(approve_by_mail=True),
        )
        office.workspace = workspace
        stack.callback(office.bot.queues.connection.close)
        stack.callback(office.connection.close)
        server = uvicorn.Server(
            uvicorn.Config(office.app(), lifespan="off", log_config=None, access_log=False)
        )
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        wait_until(lambda: server.started)
        stack.callback(thread.join, 20)
        stack.callback(setattr, server, "should_exit", True)
        yield office


def _workspace(bot_url: str, mailbox: Mailbox) -> WorkspaceSettings:
    people = tuple(
        Person(id=USERS[one.id], name=one.id, real_name=one.name, email=one.email)
        for one in PEOPLE.known
    )
    return WorkspaceSettings(
        bot_token=TOKEN,
        signing_secret=SIGNING,
        scopes=SCOPES,
        events=EVENTS,
        channels=(Channel(id=CHANNEL, name="deploys"),),
        people=people,
        bot_url=bot_url,
        mail_reply_url=mailbox.reply_url,
        mail_address=BOT,
        delivery_timeout=PATIENCE,
        trigger_seconds=PATIENCE,
    )
