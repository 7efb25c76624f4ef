"""The web process's routes over a story in memory, and clients that call them."""

import hashlib
from dataclasses import replace
from typing import Any

import redis
from fakes import PEOPLE
from fastapi import FastAPI
from letters import room_of
from starlette.testclient import TestClient
from story import Story

from deploybot.errors import StoreUnavailableError
from deploybot.holding import Holding
from deploybot.overview import Overview
from deploybot.thread import Thread
from deploybot.web import api, email, github, health
from deploybot.web.api_description import describe
from deploybot.web.bearer import Callers
from deploybot.web.deps import Deps
from deploybot.web.stream import Stream

EMAIL_SECRET, GITHUB_SECRET = "mail-secret", "It's a Secret to Everybody"
TOKENS = {hashlib.sha256(f"token-of-{who}".encode()).hexdigest(): who for who in ("ann", "ben")}
TOKENS[hashlib.sha256(b"token-of-a-stranger").hexdigest()] = "zoe"


class DeadStore:
    """A store that answers nothing."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def load(self, thread_id: str) -> Thread:
        raise self.error

    def list(self, **_: object) -> None:
        raise self.error


DEAD = (redis.ConnectionError("gone"), StoreUnavailableError("gone"))


class Office:
    """The routes, wired as the web process wires them."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.deps = Deps(
            store=story.store,
            inbox=story.inbox,
            holding=Holding(story.store, story.table, PEOPLE, story.clock.clockwork),
            overview=lambda: Overview(story.clock.now(), story.deployer.environments()),
            people=PEOPLE,
            deployer=story.deployer,
            clock=story.clock.clockwork,
            url_of=lambda thread: f"https://bot.example/threads/{thread}",
            stream=Stream(story.store),
            callers=Callers(TOKENS),
            github_secrets=(GITHUB_SECRET,),
            email_secrets=(EMAIL_SECRET,),
            mail_room=room_of(story),
        )

    def app(self, **changes: Any) -> FastAPI:
        deps = replace(self.deps, **changes)
        app = FastAPI()
        describe(app)
        for part in (api, email, github, health):
            app.include_router(part.router(deps))
        return app

    def client(self, **changes: Any) -> TestClient:
        return TestClient(self.app(**changes), raise_server_exceptions=True)
