"""Everything that a soak needs, as processes that can be killed: Valkey, web, workers, Slack, a mail server, a model."""

import json
import os
import random
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Self

from faults.lean_company import ENVIRONMENTS, ROOT, SERVICES, SHOP, TOKEN, now, token_of
from model_server import Reply, completion, seed, serving
from smtp_sink import SmtpSink
from web_process import WebProcess

from deploy.look import Look
from deploybot.bootstrap import mail_settings
from deploybot.config import read_configuration, read_settings
from deploybot.demo.sample_repository import create
from deploybot.demo.workspace import Channel, Person, WorkspaceServer, WorkspaceSettings
from deploybot.embedded import EmbeddedServer
from deploybot.errors import StoreUnavailableError
from deploybot.queue import PREFIX
from deploybot.redis_safety import client
from deploybot.store import RedisStore

PEOPLE = ("ann", "ben", "eve")
CHANNELS = ("C0DEPLOYS", "C0BACKEND", "C0FRONTEND", "C0SHOP", "C0OPS", "C0TEAM")
"""Several: in one of them Slack takes a message a second, and hundreds of threads are told there."""
REFS = ("v1.0.0", "v1.1.0", "v1.1.1", "v1.2.0", "v1.2.1", "main")
LEASE_SECONDS = 3.0
SWEEP_SECONDS = 1.0
MODEL_SECONDS = 2.0

CONFIGURATION = (
    """
[slack]
channel = "C0DEPLOYS"

[people]
ann = {{ name = "Ann", slack = "U0ANN", email = "ann@harbour.example" }}
ben = {{ name = "Ben", slack = "U0BEN", email = "ben@harbour.example", mail_me = true }}
eve = {{ name = "Eve", slack = "U0EVE", email = "eve@harbour.example" }}
"""
    + SHOP
    + """
[environments.staging]
order = 1
automatic = true
services = {{ backend = {{}}, frontend = {{}} }}

[environments.production]
order = 2
approvers = ["ann", "ben"]
services = {{ backend = {{}}, frontend = {{}} }}
"""
)


class MoodyModel:
    """A model that answers as the seed's does, or hangs, fails, or says something that is no step."""

    def __init__(self, seed_of_moods: int) -> None:
        self._chance = random.Random(f"{seed_of_moods}/model")
        self.moods: dict[str, int] = {}
        self.calm = False

    def __call__(self, request: dict[str, Any]) -> Reply:
        mood = "good" if self.calm else self._chance.choices(
            ("good", "hangs", "fails", "babbles"), (70, 10, 10, 10)
        )[0]  # fmt: skip
        self.moods[mood] = self.moods.get(mood, 0) + 1
        match mood:
            case "hangs":
                return Reply({}, hang=True)
            case "fails":
                return Reply({"error": {"message": "overloaded"}}, status=503)
            case "babbles":
                return completion("I would rather talk about the weather.")
            case _:
                return seed(request)


class SoakCompany:
    """Starts the company in a folder and ends it; a context manager."""

    def __init__(self, folder: Path, seed_of_all: int) -> None:
        self.folder = folder
        self.seed = seed_of_all
        self.key = secrets.token_hex(32)
        self._stack = ExitStack()
        self._pool: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.redis = EmbeddedServer.start(self.folder / "redis")
            stack.callback(self._stop_redis)
            self.repository = create(self.folder / "shop.git", now())
            self.model = MoodyModel(self.seed)
            self.model_server = stack.enter_context(serving(self.model))
            self.sink = stack.enter_context(SmtpSink())
            server = stack.enter_context(WorkspaceServer(_workspace()))
            self.workspace, self.slack_url = server.workspace, server.url
            config = self.folder / "deploybot.toml"
            build = json.dumps([["sh", "-c", f"echo $SHA >> {self.folder}/effects; sleep 0.05"]])
            config.write_text(CONFIGURATION.format(folder=self.folder, build=build))
            configuration = read_configuration(config)
            self.people = configuration.known_people()
            self.environ = self._environ(config)
            settings = read_settings(self.environ)
            self.mail = mail_settings(settings, configuration, self.key.encode())
            self.look = Look(configuration.catalog, clock=now)
            self.connection = client(self.redis.url)
            stack.callback(self.connection.close)
            self.store = RedisStore(
                self.connection, key=self.key.encode(), now=now, lease_seconds=LEASE_SECONDS,
                sweep_seconds=SWEEP_SECONDS,
            )  # fmt: skip
            self.web = WebProcess(self.environ, self.folder)
            stack.callback(self.web.kill)
            self.web.start()
            self.workspace.bot_url = self.web.url
            self.start_pool()
            stack.callback(self.end_pool)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    # -- processes -----------------------------------------------------------------

    def start_pool(self) -> None:
        with (self.folder / "workers.log").open("ab") as log:
            self._pool = subprocess.Popen(
                (sys.executable, "-m", "workers"), env=self.environ, cwd=self.folder,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def end_pool(self) -> None:
        if self._pool is None:
            return
        self._pool.terminate()
        try:
            self._pool.wait(30)
        except subprocess.TimeoutExpired:
            self._pool.kill()
            self._pool.wait()

    def start_web(self) -> None:
        """Start the web process as a supervisor does: anew, while it does not find its store."""
        for _ in range(20):
            with suppress(AssertionError):
                self.web.start()
                return
        raise AssertionError(f"the web process does not start: {self.web.log()[-500:]}")

    @property
    def workers(self) -> tuple[int, ...]:
        """The processes below the pool."""
        return children(self._pool.pid) if self._pool and self._pool.poll() is None else ()

    def supervise(self) -> bool:
        """Start the pool again if it has ended, as a supervisor does; tell whether it had."""
        ended = self._pool is not None and self._pool.poll() is not None
        if ended:
            self.start_pool()
        return ended

    def kill_pool(self) -> None:
        """End the pool as a lost machine would, with all that it started, and start another."""
        assert self._pool is not None
        below = [pid for worker in self.workers for pid in (worker, *children(worker))]
        for pid in (self._pool.pid, *below):
            kill(pid)
        self._pool.wait()
        self.start_pool()

    def restart_redis(self, down_seconds: float, stop: threading.Event) -> None:
        """Kill the server, and start it again on the same data."""
        kill(self.redis.pid)
        self.redis._process.wait()
        self.redis._lock.close()
        stop.wait(down_seconds)
        self.redis = EmbeddedServer.start(self.folder / "redis", timeout=60)

    def _stop_redis(self) -> None:
        self.redis.stop()  # the one that runs by then

    # -- looking -------------------------------------------------------------------

    def until(self, look: Callable[[], object], what: str, seconds: float) -> None:
        """Return as soon as `look` returns something true, whatever answers not meanwhile."""
        deadline = time.monotonic() + seconds
        while True:
            with suppress(StoreUnavailableError):
                if look():
                    return
            assert time.monotonic() < deadline, f"waited {seconds:.0f} s for: {what}"
            threading.Event().wait(0.5)

    def hurry_slack(self) -> None:
        """Forget the pace of the channels: it is for people's eyes, and nobody reads along here."""
        for channel in CHANNELS:
            self.connection.delete(f"{PREFIX}pace:{channel}")

    def log(self) -> str:
        return (self.folder / "workers.log").read_text()[-4000:] + self.web.log()[-2000:]

    def _environ(self, config: Path) -> dict[str, str]:
        return {
            **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},  # noqa: TID251 - handed on to a child
            "PYTHONPATH": str(ROOT),
            "DEPLOYBOT_CONFIG": str(config),
            "DEPLOYBOT_STATE_DIR": str(self.folder / "state"),
            "DEPLOYBOT_REDIS_URL": self.redis.url,
            "DEPLOYBOT_SECRET_KEY": self.key,
            "DEPLOYBOT_LEASE_SECONDS": str(LEASE_SECONDS),
            "DEPLOYBOT_SWEEP_SECONDS": str(SWEEP_SECONDS),
            "DEPLOYBOT_MODEL_TIMEOUT": str(MODEL_SECONDS),
            "DEPLOYBOT_API_TOKENS": ",".join(f"{who}:{token_of(who)}" for who in PEOPLE),
            "DEPLOYBOT_EMAIL_ADDRESS": "deploybot@harbour.example",
            "DEPLOYBOT_EMAIL_AUTHSERV_ID": "mx.harbour.example",
            "DEPLOYBOT_SMTP_URL": self.sink.url,
            "SLACK_BOT_TOKEN": TOKEN,
            "SLACK_SIGNING_SECRET": "s" * 32,
            "SLACK_API_URL": f"{self.slack_url}/api/",
            "OPENAI_API_KEY": "a-key-of-nobody",
            "OPENAI_BASE_URL": self.model_server.base_url,
        }


def places() -> list[tuple[str, str]]:
    return [(service, environment) for environment in ENVIRONMENTS for service in SERVICES]


def children(pid: int) -> tuple[int, ...]:
    try:
        return tuple(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))
    except (FileNotFoundError, ProcessLookupError):
        return ()


def kill(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def _workspace() -> WorkspaceSettings:
    return WorkspaceSettings(
        bot_token=TOKEN,
        signing_secret="s" * 32,
        channels=tuple(Channel(id=name, name=name[2:].lower()) for name in CHANNELS),
        people=tuple(Person(id=f"U0{name.upper()}", name=name) for name in PEOPLE),
        retry_scale=0.1,
    )
