"""Several machines over one store: each with a state folder of its own, a web process and a pool of workers."""

import os
import secrets
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import redis
from faults.lean_company import (
    CHANNEL,
    CONFIGURATION,
    PEOPLE,
    ROOT,
    TOKEN,
    begun,
    now,
    token_of,
)
from soak.company import children, kill
from web_process import WebProcess

from deploy.look import Look
from deploybot.config import read_configuration
from deploybot.demo.sample_repository import create
from deploybot.demo.workspace import Person, WorkspaceServer, WorkspaceSettings
from deploybot.errors import StoreUnavailableError
from deploybot.queue import PREFIX
from deploybot.redis_safety import client
from deploybot.store import RedisStore

PATIENCE = 90.0
LEASE_SECONDS = 2.0
SWEEP_SECONDS = 0.5
ONE_WITH_THE_TARGETS = ("threads", "operations", "surveys")
ONE_WITHOUT = ("deliveries",)


SLACK = WorkspaceSettings(
    bot_token=TOKEN,
    signing_secret="s" * 32,
    people=tuple(Person(id=f"U0{name.upper()}", name=name) for name in PEOPLE),
)


class Machine:
    """One host: its folder, its web process, and its workers for some queues."""

    def __init__(self, folder: Path, environ: dict[str, str], queues: Sequence[str] = ()) -> None:
        folder.mkdir()
        self.folder = folder
        self._environ = environ | {"DEPLOYBOT_STATE_DIR": str(folder / "state")}
        self._queues = queues
        self.web = WebProcess(self._environ, folder)
        self.pool: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.web.start()
        queues = ("--queues", *self._queues) if self._queues else ()
        with (self.folder / "workers.log").open("ab") as log:
            self.pool = subprocess.Popen(
                (sys.executable, "-m", "workers", *queues),
                env=self._environ, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, start_new_session=True,
            )  # fmt: skip

    def dies(self) -> None:
        """End as a machine does that loses its power: every process at once."""
        self.web.kill()
        if self.pool is not None:
            below = [p for w in children(self.pool.pid) for p in (w, *children(w))]
            for pid in (self.pool.pid, *below):
                kill(pid)
            self.pool.wait()
            self.pool = None

    def stops(self, seconds: float = 60.0) -> float:
        """End the workers in order; return how long that took."""
        assert self.pool is not None
        since = time.monotonic()
        self.pool.terminate()
        self.pool.wait(seconds)
        self.pool = None
        return time.monotonic() - since

    def log(self) -> str:
        path = self.folder / "workers.log"
        return path.read_text()[-3000:] if path.exists() else ""


class Fleet:
    """What several machines share: the store, Slack, the repository and the targets; a context manager."""

    def __init__(self, folder: Path, url: str, *, build: str = "true") -> None:
        self.folder = folder
        self.url = url
        self._build = build
        self._key = secrets.token_hex(32)
        self.machines: list[Machine] = []
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.repository = create(self.folder / "shop.git", now())
            server = stack.enter_context(WorkspaceServer(SLACK))
            self.workspace, self._slack = server.workspace, server.url
            self._config = self.folder / "deploybot.toml"
            build = f'[["sh", "-c", "{self._build}"]]'
            text = CONFIGURATION.format(folder=self.folder, build=build, tests='["true"]')
            text = text.replace('verified_in = "staging"\n', "").replace('tests = ["true"]\n', "")
            self._config.write_text(text)
            self.look = Look(read_configuration(self._config).catalog, clock=now)
            self.connection = client(self.url)
            stack.callback(self.connection.close)
            self.store = RedisStore(self.connection, key=self._key.encode(), now=now)
            stack.callback(lambda: [machine.dies() for machine in self.machines])
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def machine(self, name: str, queues: Sequence[str] = ()) -> Machine:
        """Set one more machine up, and start it."""
        machine = Machine(self.folder / name, self._environ(), queues)
        self.machines.append(machine)
        machine.start()
        return machine

    def until(self, look: Callable[[], Any], what: str, patience: float = PATIENCE) -> Any:
        """Return what `look` returns as soon as that is true; the store may be away meanwhile."""
        deadline = time.monotonic() + patience
        while True:
            with suppress(StoreUnavailableError, redis.RedisError):
                if found := look():
                    return found
                self.connection.delete(f"{PREFIX}pace:{CHANNEL}")  # Slack's pace is for people
            logs = "\n".join(machine.log() for machine in self.machines)
            assert time.monotonic() < deadline, f"it did not happen: {what}\n{logs}"
            threading.Event().wait(0.05)

    # -- what people do ------------------------------------------------------------

    def asks(self, machine: Machine, text: str, *, by: str = "eve", key: str) -> str:
        """Ask over the API, again with the same key until it is taken; return the thread."""

        def taken() -> str:
            body = {"text": text}
            status, answer = machine.web.call("POST", "/api/threads", body, by=by, key=key)
            assert status in (0, 201, 503), answer
            return str(answer["id"]) if status == 201 else ""

        return str(self.until(taken, f"{text!r} is taken"))

    def approves(self, machine: Machine, thread: str, *, by: str = "ann") -> None:
        """Wait for the request, and approve it."""

        def approved() -> bool:
            status, shown = machine.web.call("GET", f"/api/threads/{thread}", by=by)
            request = shown.get("request") if status == 200 else None
            if not request:
                return False
            body = {"request": request["id"], "digest": request["digest"], "approved": True}
            path = f"/api/threads/{thread}/decision"
            status, _ = machine.web.call("POST", path, body, by=by, key=f"yes-{request['id']}")
            return status == 200

        self.until(approved, f"{thread} is approved")

    # -- what can be seen ----------------------------------------------------------

    def live(self, service: str, environment: str) -> str:
        live = self.look.live(service, environment)
        return live.sha if live else ""

    def begun(self) -> Counter[str]:
        """Return how often each approval began, by the targets' journals."""
        return begun(self.look)

    def kinds(self, thread: str) -> list[str]:
        return [event.kind for event in self.store.load(thread).events]

    def said(self) -> str:
        """Return everything that stands in the channel."""
        with self.workspace.lock:
            where = self.workspace.conversations.by_id[CHANNEL]
            return "\n".join(f"{m.text} {m.blocks}" for m in where.messages.values())

    def _environ(self) -> dict[str, str]:
        return {
            **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},  # noqa: TID251 - handed on to a child
            "PYTHONPATH": str(ROOT),
            "DEPLOYBOT_CONFIG": str(self._config),
            "DEPLOYBOT_REDIS_URL": self.url,
            "DEPLOYBOT_SECRET_KEY": self._key,
            "DEPLOYBOT_LEASE_SECONDS": str(LEASE_SECONDS),
            "DEPLOYBOT_SWEEP_SECONDS": str(SWEEP_SECONDS),
            "DEPLOYBOT_API_TOKENS": ",".join(f"{who}:{token_of(who)}" for who in PEOPLE),
            "SLACK_BOT_TOKEN": TOKEN,
            "SLACK_SIGNING_SECRET": "s" * 32,
            "SLACK_API_URL": f"{self._slack}/api/",
        }
