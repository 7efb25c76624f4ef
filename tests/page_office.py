"""The pages over a real store, with a bot whose targets, model and clock are fakes; and browsers' doings."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import redis
from fakes import PEOPLE
from fastapi import FastAPI
from redis_server import emptied
from starlette.testclient import TestClient
from story import Story

from deploy.catalog import Catalog
from deploybot.bootstrap import Bot, build_bot
from deploybot.config import Configuration, read_settings
from deploybot.events import ApiMessageReceived, Event, Finished, StepChosen
from deploybot.next_step import Deploy, DoneForNow
from deploybot.ports import People
from deploybot.store import RedisStore
from deploybot.thread import Thread
from deploybot.web.app import create_app

KEY = "k" * 64
ORIGIN = "http://127.0.0.1"


class PageStory(Story):
    """A story whose threads are in Redis, so that the pages can be asked about them."""

    def __init__(self, connection: redis.Redis, **given: Any) -> None:
        self._connection = connection
        super().__init__(**given)

    def opened_store(self) -> RedisStore:
        return RedisStore(self._connection, key=KEY.encode(), now=self.clock.now)

    def bot_works(self) -> "PageStory":
        """Let the agent and the operator move the thread for as long as it moves."""
        while job := self.thread.job():
            move = self.agent.advance if job == "advance" else self.operator.operate
            move(self.thread_id)
        return self


class PageOffice:
    """One web process with its pages, and what people do in their browsers."""

    def __init__(self, url: str, folder: Path, **environ: str) -> None:
        self.connection = emptied(url)
        self._made: tuple[Bot, FastAPI] | None = None
        self.story = self.opened_story()
        settings = read_settings(
            {
                "DEPLOYBOT_REDIS_URL": url,
                "DEPLOYBOT_SECRET_KEY": KEY,
                "DEPLOYBOT_STATE_DIR": str(folder),
                "DEPLOYBOT_SIGN_IN_BY_CHOICE": "1",
                **environ,
            }
        )
        built = build_bot(settings, self.described())
        story = self.story
        self.bot: Bot = replace(
            built,
            store=story.store,
            people=PEOPLE,
            people_for=lambda _: PEOPLE,
            clock=story.clock.clockwork,
            inbox=story.inbox,
            deployer=story.deployer,
        )

    def opened_story(self) -> PageStory:
        """Return the story that is played here."""
        return PageStory(self.connection)

    def described(self) -> Configuration:
        """Return what the bot's file says."""
        return Configuration(catalog=self.story.table)

    def app(self) -> FastAPI:
        """Return the web process's app; it is made anew when the bot was changed."""
        if self._made is None or self._made[0] is not self.bot:
            self._made = (self.bot, create_app(self.bot))
        return self._made[1]

    def browser(self, person: str = "") -> "Browser":
        """Open a browser, signed in as somebody."""
        browser = Browser(self.app())
        if person:
            assert browser.signs_in(person).status_code == 303
        return browser

    def of_team(self, team: str) -> None:
        """Belong to one Slack workspace."""
        slack = self.bot.configuration.slack.model_copy(update={"team": team})
        configuration = self.bot.configuration.model_copy(update={"slack": slack})
        self.bot = replace(self.bot, configuration=configuration)

    def configured(self, **environments: dict[str, Any]) -> None:
        """Give some environments these settings, too."""
        tables = self.bot.configuration.catalog.model_dump(exclude_unset=True)
        for name, changes in environments.items():
            tables["environments"][name] |= changes
        changed = {"catalog": Catalog.model_validate(tables)}
        configuration = self.bot.configuration.model_copy(update=changed)
        self.bot = replace(self.bot, configuration=configuration)

    def known(self, *people: str) -> None:
        """Know these people, and nobody else any more."""
        kept = tuple(person for person in PEOPLE.known if person.id in people)
        self.bot = replace(self.bot, people=People(kept))

    def asks_for_approval(self, *, by: str = "ann", words: str = "deploy backend") -> Thread:
        """Have a thread stand at a request that Ben may approve."""
        step = Deploy(service="backend", ref="main", environment="production", reason="asked")
        self.story.verified_on_staging("main").model_will(step)
        return self.story.person_says(words, by=by).thread


class Browser(TestClient):
    """A browser at this machine: keeps its cookie, and fills the forms that it was shown."""

    def __init__(self, app: FastAPI) -> None:
        super().__init__(app, base_url=ORIGIN, follow_redirects=False, client=("127.0.0.1", 50_000))

    def signs_in(self, person: str) -> Any:
        page = self.get("/sign-in")
        return self.post("/sign-in/choice", data=fields(page.text) | {"person": person})

    def sends(self, page: str, action: str, **typed: str) -> Any:
        """Send the form with this action, as the page at `page` shows it."""
        return self.post(action, data=fields(self.get(page).text, action) | typed)


def fields(html: str, action: str = "") -> dict[str, str]:
    """Return the hidden fields of a form of the page: the first one, or that with this action."""
    forms = re.findall(r"<form[^>]*action=\"([^\"]*)\"[^>]*>(.*?)</form>", html, re.DOTALL)
    found = [body for its, body in forms if action in ("", its)]
    assert found, f"there is no form for {action} on the page"
    return dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', found[0]))


def long_thread(office: PageOffice, length: int, text: str = "word " * 200) -> Thread:
    """Store a thread of this many events, each with as long a text as people write."""
    store, thread = office.story.store, Thread("tlong")
    now = office.story.clock.now
    events: list[Event] = []
    while len(events) < length:
        said = ApiMessageReceived(at=now(), by="ann", delivery=f"d{len(events)}", text=text)
        step = StepChosen(at=now(), by="agent:deploy", step=DoneForNow(message=text), model="m")
        events += [said, step, Finished(at=now(), by="agent:deploy", message=text)]
    for start in range(0, length, 500):
        thread = store.append(thread, *events[start : min(start + 500, length)])
    return thread


@contextmanager
def opened(url: str, folder: Path, **environ: str) -> Iterator[PageOffice]:
    """Open an office, and close its connection at the end."""
    office = PageOffice(url, folder, **environ)
    yield office
    office.connection.close()
    office.bot.queues.connection.close()
