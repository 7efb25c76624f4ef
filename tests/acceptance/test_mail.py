"""Mail from end to end: a page, two mail servers' worth of SMTP and HTTP, and the bot's routes."""

import json
import socket
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import uvicorn
from fakes import PEOPLE
from letters import MAIL
from office import EMAIL_SECRET, Office
from redis_server import wait_until
from story import Story

from deploybot.demo.mailbox import Mailbox, MailboxSettings
from deploybot.demo.workspace import Person, WorkspaceServer, WorkspaceSettings
from deploybot.next_step import Deploy, DoneForNow
from deploybot.outbound.email import EmailChannel
from deploybot.outbound.smtp import SmtpSettings
from deploybot.outbox import tellings
from deploybot.thread import Status

DEPLOY = Deploy(service="backend", ref="main", environment="production", reason="Ann asked")


@contextmanager
def serving(office: Office) -> Iterator[str]:
    """Serve the bot's routes on the loopback."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(office.app(), log_config=None, lifespan="off")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        wait_until(lambda: server.started)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join()


class Company:
    """People at their mail, the bot at work."""

    def __init__(self, story: Story, workspace: WorkspaceServer, mailbox: Mailbox) -> None:
        self.story = story
        self.workspace = workspace
        self.channel = EmailChannel(
            SmtpSettings.from_url(mailbox.smtp_url),
            MAIL,
            people=PEOPLE,
            url_of=lambda thread: f"https://bot.example/threads/{thread}",
            alias=story.store.name,
            now=story.clock.now,
        )

    def person(self, user: str, act: str, **body: str) -> Any:
        """Let a person do something on the page."""
        request = urllib.request.Request(
            f"{self.workspace.url}/_human/{user}/{act}",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)

    def bot_works(self) -> None:
        """Let the workers take every wake-up, and tell people of every thread."""
        self.story.bot_works()
        for thread_id in self.story.store.list().threads:
            thread = self.story.store.load(thread_id)
            self.channel.deliver(
                thread,
                tellings(thread),
                self.story.store.sent(thread_id),
                lambda key, value, of=thread_id: self.story.store.note_sent(of, key, value),
            )

    def mails_to(self, address: str) -> list[Any]:
        return [
            mail for mail in self.workspace.workspace.mailbox.all() if address in mail.to.lower()
        ]

    @property
    def thread_id(self) -> str:
        (thread,) = self.story.store.list().threads
        return thread


@pytest.fixture
def company(story: Story) -> Iterator[Company]:
    story.verified_on_staging("main")
    urls: dict[str, str] = {}
    with serving(Office(story)) as bot_url:
        settings = MailboxSettings(
            workspace_url=lambda: urls["workspace"],
            bot_url=lambda: bot_url,
            authserv_id=MAIL.authserv_id,
            secret=EMAIL_SECRET,
            now=story.clock.now,
        )
        with Mailbox(settings) as mailbox:
            people = tuple(
                Person(id=f"U0{person.id.upper()}", name=person.id, email=person.email)
                for person in PEOPLE.known
            )
            given = WorkspaceSettings(
                bot_token="xoxb-1",
                signing_secret="s",
                people=people,
                mail_reply_url=mailbox.reply_url,
                mail_address=MAIL.address,
            )
            with WorkspaceServer(given) as workspace:
                urls["workspace"] = workspace.url
                yield Company(story, workspace, mailbox)


def test_a_deploy_is_asked_for_and_approved_by_mail(company: Company) -> None:
    company.story.model_will(DEPLOY, DoneForNow(message="The backend is live on production."))
    company.person("U0ANN", "send_mail", subject="Backend", text="Please deploy the backend.")
    company.bot_works()
    (card,) = company.mails_to("mia@shop.example")

    company.person("U0MIA", "reply_mail", id=card.id, text="approve\n\n> approve?")
    company.bot_works()

    thread = company.story.store.load(company.thread_id)
    assert thread.status is Status.DONE
    assert [event.kind for event in thread.events].count("deploy_succeeded") == 1
    assert any("live on production" in mail.text for mail in company.mails_to("ann@shop.example"))
    (_, ended) = company.mails_to("mia@shop.example")
    assert "approved by Mia" in ended.text
    assert "<h1" in ended.html


def test_a_no_by_mail_brings_another_proposal(company: Company) -> None:
    frontend = DEPLOY.model_copy(update={"service": "frontend"})
    company.story.model_will(DEPLOY, frontend)
    company.person("U0ANN", "send_mail", subject="Backend", text="Please deploy the backend.")
    company.bot_works()
    (card,) = company.mails_to("mia@shop.example")

    company.person("U0MIA", "reply_mail", id=card.id, text="deny: the frontend first")
    company.bot_works()

    subjects = [mail.subject for mail in company.mails_to("mia@shop.example")]
    assert any("frontend" in subject for subject in subjects)
    thread = company.story.store.load(company.thread_id)
    assert thread.status is Status.AWAITING_APPROVAL
    assert "deploy_started" not in [event.kind for event in thread.events]


def test_a_yes_to_an_old_card_is_answered_in_words(company: Company) -> None:
    company.story.model_will(DEPLOY, DoneForNow(message="Not now."))
    company.person("U0ANN", "send_mail", subject="Backend", text="Please deploy the backend.")
    company.bot_works()
    (card,) = company.mails_to("mia@shop.example")
    company.person("U0MIA", "reply_mail", id=card.id, text="deny, not today")
    company.bot_works()

    company.person("U0MIA", "reply_mail", id=card.id, text="approve")
    company.bot_works()

    told = company.mails_to("mia@shop.example")[-1]
    assert "already denied by Mia" in " ".join(told.text.split())
    kinds = [event.kind for event in company.story.store.load(company.thread_id).events]
    assert "deploy_started" not in kinds
