"""A company in a box: repository, two environments, Slack, mail, Redis, the bot's web and workers.

Everything is real and on the loopback; each process ends with the one that started it. What
happens in the company is `play`'s to say.
"""

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import redis

from deploy.catalog import Catalog
from deploy.free_ports import free_ports
from deploy.journal import BY_HAND
from deploy.look import Look
from deploy.run import run
from deploy.target import Order, Running
from deploybot.demo import configuration
from deploybot.demo.mailbox import Mailbox, MailboxSettings
from deploybot.demo.sample_repository import SampleRepository, create
from deploybot.demo.waiting import answers, until
from deploybot.demo.workspace.settings import WorkspaceSettings
from deploybot.embedded import EmbeddedServer
from deploybot.errors import ConfigError
from deploybot.operations import FENCES, place
from deploybot.reach import Reach, write_reach
from deploybot.state_folder import kept_key, opened_for_its_owner, private_folder

HOST = "127.0.0.1"
STARTS_WITHIN = 30.0
STOPS_WITHIN = 15.0
MARK = "demo.json"
YOU = "ann"
"""Who types at the command line, unless it is said otherwise."""


@dataclass(frozen=True)
class Access:
    """How tools reach the company; written to `demo.json` in the state folder."""

    state: str
    bot: str
    workspace: str
    releases: dict[str, dict[str, str]]
    channel: str
    people: dict[str, str]
    """Person → Slack user id."""
    tokens: dict[str, str]
    """Person → API token."""
    signing_secret: str
    github_secret: str
    email_secret: str
    redis_url: str
    config: str
    pids: dict[str, int] = field(default_factory=dict)


class Company:
    """Starts everything, and ends it in order; a context manager.

    `directory` is emptied if an earlier demo left it, and refused if anything else is in it.
    `port` is where the workspace listens, the bot on the next one and the releases behind it; 0
    takes free ones. `environ` is added to what the bot's processes see.
    """

    def __init__(
        self,
        directory: Path,
        *,
        now: Any,
        port: int = 0,
        environ: Mapping[str, str] | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self.directory = directory.resolve()
        self._now = now
        self._port = port
        self._extra = dict(environ or {})
        self._workspace_settings = dict(settings or {})
        self._stack = ExitStack()
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._stack = stack
            self._empty_directory()
            server = stack.enter_context(EmbeddedServer.start(self.directory / "redis"))
            ports = self._ports(7)
            self.ports = configuration.Ports.of(ports)
            self.repository: SampleRepository = create(self.directory / "shop.git", self._now())
            self._give_tools()
            config = self.directory / "deploybot.toml"
            config.write_text(configuration.toml(self.directory, self.ports), encoding="utf-8")
            self.access = self._access(server.url, config)
            mailbox = self._mailbox(stack)
            self.environ = self._environ(mailbox)
            self._start_world(mailbox)
            self._release_the_past()
            self._seed_fences(server.url)
            self.start_bot()
            self._wait_for(f"{self.access.workspace}/_people", f"{self.access.bot}/readyz")
            self._write_access(server.pid)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    # -- parts ---------------------------------------------------------------------

    def start(self, name: str, argv: Sequence[str], *, environ: Mapping[str, str]) -> None:
        """Start one process of the company, its output in `logs/<name>.log`."""
        logs = self.directory / "logs"
        logs.mkdir(exist_ok=True)
        with (logs / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, *argv],
                env=dict(environ),
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C reaches the demo, which then ends everybody
            )
        self.processes[name] = process
        self._stack.callback(self.stop, name)

    def stop(self, name: str, *, number: signal.Signals = signal.SIGTERM) -> None:
        """End one process, by force when it takes too long."""
        process = self.processes.pop(name, None)
        if process is None or process.poll() is not None:
            return
        process.send_signal(number)
        try:
            process.wait(STOPS_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def start_bot(self) -> None:
        """Start the web process and the workers."""
        self.start("workers", ["-m", "workers"], environ=self.environ)
        self.start("web", ["-m", "deploybot", "serve"], environ=self.environ)

    def _start_world(self, mailbox: Mailbox) -> None:
        """Start what is there without the bot: Slack, and whatever serves the releases."""
        plain = {name: value for name, value in os.environ.items() if name in _KEPT}  # noqa: TID251 - handed on to children, not read
        workspace = self.directory / "workspace.json"
        with open(workspace, "w", encoding="utf-8", opener=opened_for_its_owner) as file:
            file.write(self._workspace(mailbox).model_dump_json())
        argv = ["-m", "deploybot.demo.workspace", "--settings", str(workspace)]
        self.start("workspace", [*argv, "--port", str(self.ports.workspace)], environ=plain)
        for (environment, service), port in self.ports.releases.items():
            backend = self.access.releases[environment]["backend"]
            argv = ["-m", "deploybot.demo.host", "--base", str(self.directory / "releases")]
            argv += ["--environment", environment, "--service", service, "--port", str(port)]
            argv += ["--set", f"BACKEND_URL={backend}"]
            self.start(f"{environment}-{service}", argv, environ=plain)

    def _wait_for(self, *urls: str) -> None:
        for url in urls:
            until(partial(answers, url), STARTS_WITHIN, f"{url} answers")

    def _empty_directory(self) -> None:
        if self.directory.exists() and any(self.directory.iterdir()):
            if not (self.directory / MARK).exists():
                raise ConfigError(
                    f"{self.directory} is not empty and no demo made it, so nothing was started; "
                    "choose another folder with --state."
                )
            shutil.rmtree(self.directory)
        private_folder(self.directory)
        (self.directory / MARK).write_text("{}\n", encoding="utf-8")

    def _give_tools(self) -> None:
        """Put `python3` where releases look for it, so that a card can name it as people do."""
        tools = configuration.tools(self.directory)
        tools.mkdir()
        (tools / "python3").symlink_to(Path(sys.executable).resolve())

    def _ports(self, number: int) -> list[int]:
        """Return ports that are free: the wanted ones in a row, or any."""
        if not self._port:
            return free_ports(number)
        wanted = range(self._port, self._port + number)
        listeners: list[socket.socket] = []
        try:
            for port in wanted:  # not a comprehension: those opened so far must be closed
                listeners.append(socket.create_server((HOST, port)))  # noqa: PERF401
            return [listener.getsockname()[1] for listener in listeners]
        except OSError as error:
            raise ConfigError(
                f"The ports {self._port} to {self._port + number - 1} are not all free "
                f"({error.strerror}), so nothing was started; choose another with --port."
            ) from None
        finally:
            for listener in listeners:
                listener.close()

    def _access(self, redis_url: str, config: Path) -> Access:
        return Access(
            state=str(self.directory),
            bot=f"http://{HOST}:{self.ports.bot}",
            workspace=f"http://{HOST}:{self.ports.workspace}",
            releases=self.ports.urls(),
            channel=configuration.CHANNEL,
            people={name: person.slack for name, person in configuration.PEOPLE.items()},
            tokens={name: secrets.token_urlsafe(24) for name in configuration.PEOPLE},
            signing_secret=secrets.token_hex(16),
            github_secret=secrets.token_hex(16),
            email_secret=secrets.token_hex(16),
            redis_url=redis_url,
            config=str(config),
        )

    def _write_access(self, redis_pid: int) -> None:
        pids = {name: process.pid for name, process in self.processes.items()}
        access = asdict(self.access) | {"pids": {"redis": redis_pid, **pids}}
        path = self.directory / MARK
        with open(path, "w", encoding="utf-8", opener=opened_for_its_owner) as file:
            file.write(json.dumps(access, indent=2) + "\n")
        write_reach(self.directory, Reach(self.access.bot, self.access.tokens, YOU))

    def _mailbox(self, stack: ExitStack) -> Mailbox:
        settings = MailboxSettings(
            workspace_url=lambda: self.access.workspace,
            bot_url=lambda: self.access.bot,
            authserv_id=configuration.AUTHSERV_ID,
            secret=self.access.email_secret,
            now=self._now,
        )
        return stack.enter_context(Mailbox(settings))

    def _workspace(self, mailbox: Mailbox) -> WorkspaceSettings:
        return configuration.workspace(
            self.access.bot,
            self.access.releases,
            signing_secret=self.access.signing_secret,
            mail_reply_url=mailbox.reply_url,
            **self._workspace_settings,
        )

    def _environ(self, mailbox: Mailbox) -> dict[str, str]:
        """Return what the bot's processes are told: nothing of this shell's own settings."""
        kept = {name: value for name, value in os.environ.items() if name in _KEPT}  # noqa: TID251 - handed on to children, not read
        access = self.access
        return {
            **kept,
            "DEPLOYBOT_CONFIG": access.config,
            "DEPLOYBOT_STATE_DIR": str(self.directory),
            "DEPLOYBOT_REDIS_URL": access.redis_url,
            "DEPLOYBOT_SECRET_KEY": self._sealing_key(),
            "DEPLOYBOT_PORT": str(self.ports.bot),
            "DEPLOYBOT_URL": access.bot,
            "DEPLOYBOT_SIGN_IN_BY_CHOICE": "1",
            "DEPLOYBOT_API_TOKENS": ",".join(f"{p}:{t}" for p, t in access.tokens.items()),
            "DEPLOYBOT_EMAIL_ADDRESS": configuration.MAIL_ADDRESS,
            "DEPLOYBOT_EMAIL_SECRET": access.email_secret,
            "DEPLOYBOT_EMAIL_AUTHSERV_ID": configuration.AUTHSERV_ID,
            "DEPLOYBOT_SMTP_URL": mailbox.smtp_url,
            "SLACK_BOT_TOKEN": configuration.BOT_TOKEN,
            "SLACK_SIGNING_SECRET": access.signing_secret,
            "SLACK_API_URL": f"{access.workspace}/api/",
            "GITHUB_WEBHOOK_SECRET": access.github_secret,
            **self._extra,
        }

    def _sealing_key(self) -> str:
        """Make the key, where commands on this host look for it."""
        return kept_key(self.directory).decode()

    # -- the past ------------------------------------------------------------------

    def _release_the_past(self) -> None:
        """Put the newest tag live everywhere before the bot comes: a company has a past."""
        catalog = Catalog.model_validate(configuration.catalog_tables(self.directory, self.ports))
        unchecked = {
            name: table.model_copy(update={"verified_in": None})
            for name, table in catalog.environments.items()
        }
        quiet = catalog.model_copy(update={"environments": unchecked})
        look = Look(quiet, clock=self._now)
        for environment, service in self.ports.releases:
            self._first_release(look, environment, service)

    def _first_release(self, look: Look, environment: str, service: str) -> None:
        tag = look.tags(service, 1)[0]
        target = look.target(service, environment)
        plan = look.plan("deploy", service, tag.name, environment)
        order = Order(
            approval_id=f"{BY_HAND}first:{environment}:{service}",
            fence=1,
            digest="0" * 64,
            head="",
            plan=plan,
        )
        outcome = run(target, order, guard=lambda: None, progress=lambda _: None)
        if isinstance(outcome, Running) or outcome.outcome != "succeeded":
            raise ConfigError(f"The first release of {service} did not succeed: {outcome!r}")
        target.verify(plan.sha)

    def _seed_fences(self, url: str) -> None:
        """Let the store know of the fences that the first releases used up."""
        connection = redis.Redis.from_url(url)
        for environment, service in self.ports.releases:
            connection.hset(FENCES, place(service, environment), "1")
        connection.close()


_KEPT = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TMPDIR",
    "VIRTUAL_ENV",
    "PYTHONPATH",
    "COVERAGE_PROCESS_START",
)
"""What children see of this shell's environment; no secret of the person who tries the demo."""
