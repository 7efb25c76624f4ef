"""Secrets that builds, tests and a model's endpoint print, through a real bot: nobody gets to see them."""

import io
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis
from attacks.siege import CANARIES, LEAKS, SET
from model_server import ModelServer, Reply, chooses, serving
from redis_server import emptied, running_server, wait_until
from shop import Shop
from slack_bot import SECRET

from deploybot import logs
from deploybot.bootstrap import Bot, bot_from_environment
from deploybot.demo.workspace import Channel, Person, WorkspaceServer, WorkspaceSettings
from deploybot.errors import DeliveryError, ModelUnavailableError
from deploybot.events import ApiMessageReceived, DeployFailed, Finished, TestsFailed
from deploybot.manifest import EVENTS, SCOPES
from deploybot.redaction import REMOVED

KEY = CANARIES["OPENAI_API_KEY"]
SLACK = CANARIES["SLACK_BOT_TOKEN"]
PLACE = "canary-registry-5b1e77a0c2d94f63"
PRINTS = ["sh", "-c", 'printenv; printf %s "$LEAKED" | base64 -w0; echo; exit 1']
SHOWN = WorkspaceSettings(
    bot_token=SLACK,
    signing_secret=SECRET,
    scopes=SCOPES,
    events=EVENTS,
    channels=(Channel(id="C0DEPLOYS", name="deploys"),),
    people=(Person(id="U0ANN", name="ann"),),
)


def configuration(folder: Path) -> Path:
    """Write a shop whose backend prints its variables while it is built, and whose tests do."""
    shop = Shop(folder)
    leaked = f'{{ PATH = "/usr/bin:/bin", REGISTRY_TOKEN = "{PLACE}", LEAKED = "{KEY}" }}'
    path = folder / "deploybot.toml"
    path.write_text(
        f"""
[people.ann]
name = "Ann"
slack = "U0ANN"
[slack]
channel = "C0DEPLOYS"
[repositories.shop]
path = "{shop.repository.path}"
[services.backend]
repository = "shop"
path = "backend"
target = {{ kind = "releases", base = "releases", minimum_free_bytes = 0, build = [{json.dumps(PRINTS)}], variables = {leaked} }}
[services.frontend]
repository = "shop"
path = "frontend"
target = {{ kind = "releases", base = "releases", minimum_free_bytes = 0 }}
[environments.staging]
automatic = true
services = {{ backend = {{}}, frontend = {{}} }}
tests = {json.dumps(PRINTS)}
tests_variables = {leaked}
"""
    )
    return path


def echoing(request: dict[str, Any]) -> Reply:
    """Answer as a hostile endpoint does: with the key that it was sent."""
    if "frontend" in json.dumps(request["messages"][1:]):
        return chooses(intent="done_for_now", message=f"Your key is {KEY}.")
    return Reply({"error": {"message": f"Incorrect API key: {KEY}", "code": KEY}}, 401)


@dataclass
class Company:
    """A bot over a real store, its Slack, its model's endpoint, and what it logged."""

    bot: Bot
    connection: redis.Redis
    slack: WorkspaceServer
    model: ModelServer
    log: io.StringIO

    def hears(self, thread: str, text: str) -> None:
        said = ApiMessageReceived(
            at=self.bot.clock.now(), by="ann", delivery=f"d:{thread}", text=text
        )
        self.bot.inbox.hear(thread, said, dedupe=(said.delivery,))
        for _ in range(12):
            self.bot.agent.advance(thread)
            self.bot.operator.operate(thread)
        wait_until(lambda: self._told(thread))

    def _told(self, thread: str) -> bool:
        try:
            self.bot.deliver(thread)
        except DeliveryError as error:
            if error.retry_after is None:
                raise
            return False
        return True

    def everything(self) -> Iterator[tuple[str, str]]:
        """Yield all that was stored, shown and logged, and what a model was sent."""
        for key in self.connection.scan_iter():
            yield f"redis {key.decode()}", repr(_value(self.connection, key))
        workspace = self.slack.workspace
        with workspace.lock:
            for place in workspace.conversations.by_id.values():
                for message in place.messages.values():
                    shown = place.shape(workspace.settings, message, with_metadata=True)
                    yield "slack", json.dumps(shown, default=str)
        for request in self.model.requests:
            yield "model", json.dumps(request)
        yield "log", self.log.getvalue()


def _value(connection: redis.Redis, key: bytes) -> object:  # noqa: PLR0911 - a case a type
    match connection.type(key):
        case b"string":
            return connection.get(key)
        case b"hash":
            return connection.hgetall(key)
        case b"list":
            return connection.lrange(key, 0, -1)
        case b"set":
            return connection.smembers(key)
        case b"zset":
            return connection.zrange(key, 0, -1)
        case b"stream":
            return connection.xrange(key)
        case other:  # or it ended between two looks
            assert other == b"none", other
    return None


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    folder = tmp_path_factory.mktemp("secrets")
    log = io.StringIO()
    handler = logging.StreamHandler(log)
    handler.setFormatter(logs._FORMATTER)
    with (
        running_server() as url,
        WorkspaceServer(SHOWN) as slack,
        serving(echoing) as model,
    ):
        given = {
            "DEPLOYBOT_CONFIG": str(configuration(folder)),
            "DEPLOYBOT_REDIS_URL": url,
            "DEPLOYBOT_STATE_DIR": str(folder / "state"),
            "DEPLOYBOT_API_TOKENS": f"ann:{CANARIES['DEPLOYBOT_API_TOKENS']}",
            "DEPLOYBOT_SMTP_URL": "",
            "DEPLOYBOT_IMAP_URLS": "",
            "SLACK_API_URL": f"{slack.url}/api/",
            "SLACK_CLIENT_ID": "1.2",
            "OPENAI_BASE_URL": model.base_url,
        }
        connection = emptied(url)
        root = logging.getLogger()
        level = root.level
        root.addHandler(handler)
        root.setLevel(logging.INFO)  # whatever a test before this one has left
        try:
            bot = bot_from_environment(CANARIES | given)
            logging.getLogger("tests.attacks").info("a line", extra={"key": KEY})
            made = Company(bot, connection, slack, model, log)
            made.hears("t1", "deploy backend main to staging")
            made.hears("t2", "deploy frontend main to staging")
            yield made
        finally:
            root.removeHandler(handler)
            root.setLevel(level)


def test_the_build_and_the_tests_did_print_secrets_and_the_model_did_echo_one(
    company: Company,
) -> None:
    events = [*company.bot.store.load("t1").events, *company.bot.store.load("t2").events]

    failed = next(event for event in events if isinstance(event, DeployFailed))
    tested = next(event for event in events if isinstance(event, TestsFailed))
    for tail in (failed.tail, tested.tail):
        assert f"REGISTRY_TOKEN={REMOVED}" in tail
        assert f"LEAKED={REMOVED}" in tail
        assert any(line.startswith(REMOVED) for line in tail)
    said = [event.message for event in events if isinstance(event, Finished)]
    assert any(f"Your key is {REMOVED}." in message for message in said), said
    assert REMOVED in company.log.getvalue()


def test_no_secret_is_stored_shown_sent_to_a_model_or_logged(company: Company) -> None:
    told = list(company.everything())

    assert {name.split()[0] for name, _ in told} == {"redis", "slack", "model", "log"}
    assert [(leak, name) for name, text in told for leak in LEAKS if leak in text] == []


def test_a_trace_in_the_log_shows_no_secret(company: Company) -> None:
    error = ModelUnavailableError(f"The endpoint answered: bad key {KEY}")
    about = {"why": str(error)}

    logging.getLogger("deploybot.test").error("it failed", exc_info=error, extra=about)

    told = company.log.getvalue()
    assert "it failed" in told
    assert f"bad key {REMOVED}" in told
    assert KEY not in told


def test_settings_and_what_is_built_of_them_do_not_print_secrets(company: Company) -> None:
    bot = company.bot
    told = [repr(bot.settings), repr(SET), repr(bot.agent._model), repr(bot.channels)]

    assert [(leak, text) for text in told for leak in LEAKS if leak in text] == []
