"""A whole company in two seconds: real store, workers, repository, releases and Slack; quick steps.

Everything is real but the services, which are directories that nobody serves, so that a deploy
takes milliseconds. People answer by script, as soon as they are asked.
"""

import json
import os
import re
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import redis
from failing import Failing

from deploy.look import Look
from deploy.records import BeganRecord
from deploybot.config import read_configuration, read_settings
from deploybot.demo.sample_repository import create
from deploybot.demo.workspace import Person, WorkspaceServer, WorkspaceSettings
from deploybot.embedded import EmbeddedServer
from deploybot.gathering import Gathering, sites
from deploybot.inbox import Inbox
from deploybot.invariants import World, check, violations
from deploybot.models import templates
from deploybot.ports import Clockwork
from deploybot.queue import PREFIX
from deploybot.redis_safety import client
from deploybot.store import RedisStore

ROOT = Path(__file__).parent.parent.parent
SERVICES = ("backend", "frontend")
ENVIRONMENTS = ("staging", "production")
CHANNEL = "C0DEPLOYS"
TOKEN = "xoxb-lean-company"
GITHUB_SECRET = "a-secret-of-the-webhook"
PEOPLE = ("ann", "ben", "eve")
LEASE_SECONDS = 1.0
SWEEP_SECONDS = 0.3
PATIENCE = 40.0
"""Seconds that any one thing may take before a test fails."""
WORKERS = 4

SHOP = """
[repositories]
shop = {{ path = "{folder}/shop.git", github = "harbour/shop" }}

[services.backend]
repository = "shop"
path = "backend"
target = {{ kind = "releases", base = "{folder}/releases", build = {build}, minimum_free_bytes = 0 }}

[services.frontend]
repository = "shop"
path = "frontend"
target = {{ kind = "releases", base = "{folder}/releases", build = {build}, minimum_free_bytes = 0 }}
"""
"""What there is to deploy; who may, and to where, is for each configuration to say."""

CONFIGURATION = (
    """
[slack]
channel = "C0DEPLOYS"

[people]
ann = {{ name = "Ann", slack = "U0ANN", github = "ann" }}
ben = {{ name = "Ben", slack = "U0BEN", github = "ben" }}
eve = {{ name = "Eve", slack = "U0EVE", github = "eve" }}
"""
    + SHOP
    + """
[environments.staging]
order = 1
automatic = true
tests = {tests}
services = {{ backend = {{}}, frontend = {{}} }}

[environments.production]
order = 2
approvers = ["ann", "ben"]
verified_in = "staging"
allowed_branches = ["main"]
tests = {tests}
services = {{ backend = {{}}, frontend = {{}} }}
"""
)


def now() -> datetime:
    """Return the time, as bootstrap would pass it."""
    return datetime.now(UTC)  # noqa: TID251 (tests have no bootstrap)


def begun(look: Look) -> Counter[str]:
    """Return how often each approval began, by the targets' journals."""
    return Counter(
        record.approval_id
        for environment in ENVIRONMENTS
        for service in SERVICES
        for record in look.target(service, environment).records()
        if isinstance(record, BeganRecord)
    )


def token_of(person: str) -> str:
    """Return the person's bearer token."""
    return f"token-of-{person}-for-tests"


class LeanCompany:
    """Starts the company in a folder and ends it; a context manager.

    `build` is the build's commands, `tests` the end-to-end tests' one; `failing` says what goes wrong, if `armed`.
    `text` is the configuration, `keys` what its targets need of the environment.
    """

    def __init__(
        self,
        folder: Path,
        *,
        build: tuple[tuple[str, ...], ...] = (("touch", "built"),),
        tests: tuple[str, ...] = ("true",),
        armed: bool = True,
        text: str = CONFIGURATION,
        keys: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self._build = build
        self._tests = tests
        self._armed = armed
        self._text = text
        self._keys = keys or {}
        self._key = secrets.token_hex(32)
        self.key = self._key.encode()
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.server = EmbeddedServer.start(self.folder / "redis")
            stack.callback(lambda: self.server.stop())  # noqa: PLW0108 - the one of then
            self.url = self.server.url
            self.repository = create(self.folder / "shop.git", now())
            self.workspace = stack.enter_context(WorkspaceServer(self.workspace_settings()))
            config = self.folder / "deploybot.toml"
            commands = {"build": json.dumps(self._build), "tests": json.dumps(self._tests)}
            config.write_text(self._text.format(folder=self.folder, **commands))
            configuration = read_configuration(config)
            self.people = configuration.known_people()
            connections = read_settings(self._keys).connections()
            self.look = Look(configuration.catalog, clock=now, connections=connections)
            self.connection = client(self.url)
            stack.callback(self.connection.close)
            self.store = RedisStore(
                self.connection,
                key=self.key,
                now=now,
                lease_seconds=LEASE_SECONDS,
                sweep_seconds=SWEEP_SECONDS,
            )
            self.clock = Clockwork(now=now, new_id=lambda: secrets.token_hex(6))
            self.inbox = Inbox(self.store, self.people, self.clock)
            self.failing = Failing(self.folder)
            self.environ = self._environ(config)
            self.pool = self._start_workers()
            stack.callback(self._end, self.pool)
            self.until(lambda: len(self.connection.smembers("rq:workers")) >= WORKERS, "workers")
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def until(self, look: Callable[[], object], what: str, patience: float = PATIENCE) -> None:
        """Return as soon as `look` returns something true; fail after `patience` seconds."""
        deadline = time.monotonic() + patience
        while not look():
            assert time.monotonic() < deadline, (
                f"waited {patience} s, and it did not happen: {what}"
            )
            assert self.pool.poll() is None, "the pool has ended"
            # Slack's pace is for people's eyes; nobody reads along here.
            with suppress(redis.RedisError):  # some tests take the store away
                self.connection.delete(f"{PREFIX}pace:{CHANNEL}")
            threading.Event().wait(0.02)

    # -- what can be seen from outside ---------------------------------------------

    def live(self, environment: str, service: str) -> str:
        """Return the commit that is live, by the target's own word; "" for nothing."""
        live = self.look.live(service, environment)
        return live.sha if live else ""

    def begun(self) -> Counter[str]:
        """Return how often each approval began, by the targets' journals."""
        return begun(self.look)

    def running(self) -> list[str]:
        """Return the places in which an operation is running, or stranded."""
        return [
            f"{service} on {environment}"
            for environment in ENVIRONMENTS
            for service in SERVICES
            if self.store.operation(service, environment)
        ]

    def messages(self) -> dict[str, list[dict[str, Any]]]:
        """Return what is in the channel: thread and key of each message → the messages with it."""
        workspace, found = self.workspace.workspace, {}
        with workspace.lock:
            where = workspace.conversations.by_id[CHANNEL]
            for message in list(where.messages.values()):
                shape = where.shape(workspace.settings, message, with_metadata=True)
                payload = (shape.get("metadata") or {}).get("event_payload", {})
                name = f"{payload.get('thread')}/{payload.get('key')}"
                found.setdefault(name, []).append(shape)
        return found

    def log(self) -> str:
        """Return what the workers wrote to their log."""
        return (self.folder / "workers.log").read_text()

    def workspace_settings(self) -> WorkspaceSettings:
        """Return the Slack in which they meet."""
        return WorkspaceSettings(
            bot_token=TOKEN,
            signing_secret="s" * 32,
            people=tuple(Person(id=f"U0{name.upper()}", name=name) for name in PEOPLE),
        )

    # -- judgement -------------------------------------------------------------------

    def wrong(self) -> list[str]:
        """Judge by every invariant; return what goes against one."""
        gathering = Gathering(self.connection, self.key, templates.read().words)
        return list(violations(check(gathering.threads(), self.world())))

    def world(self) -> World:
        """Return what stands beside the threads."""
        return World(
            now=now(),
            places=sites(self.look.catalog, self.look, self.store),
            people=self.people,
            channels=("slack",),
            mail_decides=frozenset(),
            secrets=(TOKEN, "s" * 32, GITHUB_SECRET, *map(token_of, PEOPLE)),
            sinks={"the workers' log": self.log()},
        )

    # -- processes -----------------------------------------------------------------

    def kill_whoever_works(self) -> int:
        """Kill every worker that has a job in hand, and the job, at once; return how many."""
        busy = [
            (worker, jobs) for worker in _children(self.pool.pid) if (jobs := _children(worker))
        ]
        for worker, jobs in busy:
            for pid in (worker, *jobs):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        return len(busy)

    def busy(self) -> tuple[tuple[int, tuple[int, ...]], ...]:
        """Return the workers that have a job in hand, each with the processes of the job."""
        workers = _children(self.pool.pid)
        return tuple((worker, jobs) for worker in workers if (jobs := _children(worker)))

    def processes(self) -> tuple[tuple[int, str], ...]:
        """Return the processes below the pool, each with its part as the pool's log tells it."""
        found = re.findall(r"started a process \[.*?role=(\w+) child=(\d+)", self.log())
        roles = {child: role for role, child in found}
        return tuple((pid, roles.get(str(pid), "")) for pid in _children(self.pool.pid))

    def restart_store(self, meanwhile: Callable[[], object] = lambda: None) -> None:
        """Kill the store at once, do something, and start it again on what is on its disk."""
        os.kill(self.server.pid, signal.SIGKILL)
        self.server.stop()
        meanwhile()
        self.server = EmbeddedServer.start(self.folder / "redis")

    def renew_workers(self) -> None:
        """Have every process begin anew, as after a change of the configuration."""
        before, many = self.log().count("started a process"), len(_children(self.pool.pid))
        self.pool.send_signal(signal.SIGHUP)
        self.until(lambda: self.log().count("started a process") >= before + many, "all begin anew")

    def restart_workers(self) -> None:
        """Start the workers again when the pool has ended."""
        self.pool.wait(PATIENCE)
        self._pool_again()

    def _pool_again(self) -> None:
        self.pool = self._start_workers()
        self._stack.callback(self._end, self.pool)

    def _environ(self, config: Path) -> dict[str, str]:
        """Return what the bot's processes are told."""
        return {
            **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},  # noqa: TID251 - handed on to a child
            "PYTHONPATH": str(ROOT),
            "DEPLOYBOT_CONFIG": str(config),
            "DEPLOYBOT_STATE_DIR": str(self.folder),
            "DEPLOYBOT_REDIS_URL": self.url,
            "DEPLOYBOT_SECRET_KEY": self._key,
            "DEPLOYBOT_LEASE_SECONDS": str(LEASE_SECONDS),
            "DEPLOYBOT_SWEEP_SECONDS": str(SWEEP_SECONDS),
            "DEPLOYBOT_FAILPOINT": self.failing.setting if self._armed else "",
            "SLACK_BOT_TOKEN": TOKEN,
            "SLACK_SIGNING_SECRET": "s" * 32,
            "SLACK_API_URL": f"{self.workspace.url}/api/",
            "GITHUB_WEBHOOK_SECRET": GITHUB_SECRET,
            "DEPLOYBOT_API_TOKENS": ",".join(f"{who}:{token_of(who)}" for who in PEOPLE),
            **self._keys,
        }

    def _start_workers(self) -> "subprocess.Popen[bytes]":
        with (self.folder / "workers.log").open("ab") as log:
            return subprocess.Popen(
                (sys.executable, "-m", "workers"),
                env=self.environ,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @staticmethod
    def _end(pool: "subprocess.Popen[bytes]") -> None:
        pool.terminate()
        try:
            pool.wait(20)
        except subprocess.TimeoutExpired:
            pool.kill()
            pool.wait()


def _children(pid: int) -> tuple[int, ...]:
    try:
        return tuple(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))
    except (FileNotFoundError, ProcessLookupError):
        return ()
