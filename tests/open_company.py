"""A company whose every border is open to a test: Slack, GitHub, mail, the API, a model, and targets.

The web process and the workers are real processes over a real store; the world around them listens on the
loopback in this process, so that a test sees all that people were told, and can send whatever it likes.
"""

import hashlib
import hmac
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from uuid import uuid4

from github_api.server import GitHubApi
from model_server import ModelServer, Reply, Script, chooses, serving
from redis_server import running_server
from shop import ROOT, free_ports, now
from slack_bot import HOME, click, form, said, signed

from deploy.look import Look
from deploy.records import BeganRecord
from deploybot.config import read_configuration
from deploybot.demo.hands import text_of
from deploybot.demo.mailbox import Mailbox, MailboxSettings
from deploybot.demo.sample_repository import create
from deploybot.demo.waiting import answers
from deploybot.demo.workspace import Channel, Person, WorkspaceServer, WorkspaceSettings
from deploybot.inbound.email_delivery import sign
from deploybot.inbound.slack_buttons import Reference
from deploybot.manifest import EVENTS, SCOPES
from deploybot.queue import PREFIX
from deploybot.redis_safety import client
from deploybot.store import RedisStore
from deploybot.thread import Thread

HOOK = """
import sys
def note(event, arguments):
    if event == "socket.connect":
        with open({log!r}, "a") as log:
            log.write(repr(arguments[1]) + "\\n")
sys.addaudithook(note)
"""
"""Notes every connection that a process of the bot opens, before it is opened."""
PEOPLE = ("ann", "ben", "eve")
TAIL = "5b1e77a0c2d94f63"
"""Ends every secret of the company: wherever it turns up, a secret has."""
SLACK, GITHUB, EMAIL = (f"CANARY-{name}-{TAIL}" for name in ("slack", "github", "email"))
KEY = f"sk-canary-{TAIL}"
CHANNEL, BOT = "C0DEPLOYS", "deploybot@bot.example"
MAIL_SERVER = "mx.bot.example"
PATIENCE = 120.0
SEAL = f"CANARY-seal-of-threads-{TAIL}"
SLACK_TOKEN = f"xoxb-CANARY-{TAIL}"
GITHUB_TOKEN = f"ghp_canary_token_of_the_tests{TAIL}"


@dataclass(frozen=True)
class Got:
    """An answer over HTTP."""

    status: int
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def says(self) -> str:
        """The sentence for a person: the detail of problem details, or the text itself."""
        try:
            body = self.json
        except ValueError:
            return self.text
        return str(body.get("detail", self.text)) if isinstance(body, dict) else self.text


@dataclass
class OpenCompany:
    """All that there is of it; `model` says what the model answers from now on."""

    folder: Path
    url: str
    redis_url: str
    smtp_url: str
    world: WorkspaceServer
    github: GitHubApi
    models: ModelServer
    answering: "Answering"
    processes: list["subprocess.Popen[bytes]"]

    def __post_init__(self) -> None:
        self.repository = create_repository(self.folder)
        configuration = read_configuration(self.folder / "deploybot.toml")
        self.look = Look(configuration.catalog, clock=now)
        self.connection = client(self.redis_url)
        self.store = RedisStore(self.connection, key=SEAL.encode(), now=now)
        self.serial = 0

    # -- the borders ---------------------------------------------------------------

    def post(self, path: str, body: bytes, headers: dict[str, str] | None = None) -> Got:
        """Send a request to the web process."""
        connection = HTTPConnection(self.url.removeprefix("http://"), timeout=PATIENCE)
        try:
            connection.putrequest("POST", path)
            for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
                connection.putheader(name, value.encode("utf-8"))
            connection.endheaders()
            with suppress(BrokenPipeError, ConnectionResetError):  # it answered, and reads no more
                connection.send(body)
            answer = connection.getresponse()
            return Got(answer.status, answer.read().decode())
        finally:
            connection.close()

    def slack(self, body: bytes, *, at: float | None = None, **changed: str) -> Got:
        """Send a request as Slack does, signed; headers given here stand in place of the right ones."""
        right = signed(body, int(at or time.time()), SLACK)
        return self.post(
            "/slack/events", body, right | {k.replace("_", "-"): v for k, v in changed.items()}
        )

    def mention(self, person: str, text: str) -> tuple[bytes, str]:
        """Return the body with which Slack tells of a mention, and the ts of the message."""
        self.serial += 1
        ts = f"{1_700_000_000 + self.serial}.000100"
        body = said(f"<@{HOME.bot_user}> {text}", ts=ts, user=f"U0{person.upper()}")
        return json.dumps(body).encode(), ts

    def push(self, body: dict[str, Any], guid: str = "") -> Got:
        """Tell of a push as GitHub does."""
        raw = json.dumps(body).encode()
        return self.post("/github/webhook", raw, self.github_headers(raw, guid))

    def github_headers(self, raw: bytes, guid: str = "") -> dict[str, str]:
        """Return what GitHub sends along."""
        mac = hmac.new(GITHUB.encode(), raw, hashlib.sha256).hexdigest()
        return {
            "Content-Type": "application/json",
            "X-GitHub-Event": "push",
            "X-GitHub-Delivery": guid or str(uuid4()),
            "X-Hub-Signature-256": f"sha256={mac}",
        }

    def mail(self, raw: bytes) -> Got:
        """Hand in a mail as our own mail server does."""
        return self.post("/email/inbound", raw, sign(EMAIL, int(time.time()), raw))

    def api(self, path: str, body: bytes, *, by: str = "ann", **headers: str) -> Got:
        """Call the API as a person does."""
        given = {"Authorization": f"Bearer {token_of(by)}", "Content-Type": "application/json"}
        return self.post(path, body, given | {k.replace("_", "-"): v for k, v in headers.items()})

    def click(
        self, person: str, action: str, thread: Thread, *, user: str = "", **changes: Any
    ) -> bytes:
        """Return the signed-to-be body of a click on the thread's card."""
        request = thread.standing.request
        assert request is not None
        about = Reference(thread=thread.id, request=request.id, digest=request.digest)
        card = self.card_of(thread)
        self.serial += 1
        pressed = {"action_id": action, "value": about.dumps()}
        pressed["action_ts"] = f"{1_700_000_000 + self.serial}.5"
        where = {"type": "message", "channel_id": CHANNEL, "message_ts": card["ts"]}
        user = user or f"U0{person.upper()}"
        return form(click(pressed, user=user, container=where, message=card, **changes))

    # -- what came of it -----------------------------------------------------------

    def ask(self, person: str, text: str) -> Thread:
        """Let a person ask in Slack; return the thread as soon as it waits for people, or is done."""
        body, ts = self.mention(person, text)
        got = self.slack(body)
        assert got.status == 200, got
        return self.settled(f"slack:{CHANNEL}:{ts}")

    def settled(self, alias: str) -> Thread:
        """Return the thread of this alias once nothing moves in it by itself and all was told."""

        def thread() -> Thread | None:
            name = self.store.find(alias)
            found = self.store.load(name) if name else None
            return found if found and self.rests(found) else None

        return self.until(thread, alias)

    def rests(self, thread: Thread) -> bool:
        """Tell whether only people can move it now, and all of them were told."""
        if thread.status in ("working", "approved", "deploying"):
            return False
        return self.connection.zscore(f"{PREFIX}due:deliver", thread.id) is None

    def again(self, thread: Thread) -> Thread:
        """Return the thread once it rests, with all that has happened since."""
        return self.until(
            lambda: found if self.rests(found := self.store.load(thread.id)) else None, thread.id
        )

    def until(self, look: Callable[[], Any], what: str) -> Any:
        """Return what `look` returns as soon as that is something."""
        deadline = time.monotonic() + PATIENCE
        while not (found := look()):
            assert time.monotonic() < deadline, f"{what}\n{self.log()}"
            assert all(process.poll() is None for process in self.processes), self.log()
            self.connection.delete(f"{PREFIX}pace:{CHANNEL}")  # nobody reads along here
            threading.Event().wait(0.02)
        return found

    def model_is_up(self) -> None:
        """Forget that the model did not answer before: it is left out for a while after that."""
        for key in self.connection.scan_iter(f"{PREFIX}tally:*"):
            self.connection.delete(key)

    def messages(self, thread: Thread) -> list[dict[str, Any]]:
        """Return what is said of this thread in Slack, whispers included."""
        workspace = self.world.workspace
        with workspace.lock:
            found = [
                where.shape(workspace.settings, message, with_metadata=True)
                for where in workspace.conversations.by_id.values()
                for message in where.messages.values()
            ]
        about = lambda m: (m.get("metadata") or {}).get("event_payload", {})  # noqa: E731
        return [m for m in found if about(m).get("thread") == thread.id]

    def told(self, thread: Thread) -> str:
        """Return everything that people read in Slack of this thread."""
        return "\n".join(text_of(message) for message in self.messages(thread))

    def whispers(self) -> list[str]:
        """Return what was shown to one person alone."""
        workspace = self.world.workspace
        with workspace.lock:
            return [
                m.text or ""
                for where in workspace.conversations.by_id.values()
                for m in where.messages.values()
                if m.only_for
            ]

    def card_of(self, thread: Thread) -> dict[str, Any]:
        """Return the card of the open request, once it is there."""
        request = thread.standing.request
        assert request is not None
        key = f"card:{request.id}"

        def card() -> Any:
            found = [
                m for m in self.messages(thread) if m["metadata"]["event_payload"]["key"] == key
            ]
            return found[0] if found else None

        found: dict[str, Any] = self.until(card, key)
        return found

    def mails(self, address: str) -> list[Any]:
        """Return the mails that the bot sent there."""
        return [m for m in self.world.workspace.mailbox.all() if address in m.to.lower()]

    def began(self) -> int:
        """Return how many deploys ever began at the targets, by their own journals."""
        return sum(
            isinstance(record, BeganRecord)
            for environment, table in self.look.catalog.environments.items()
            for service in table.services
            for record in self.look.target(service, environment).records()
        )

    def connected(self) -> set[str]:
        """Return where the processes of the bot connected to, ever."""
        return set((self.folder / "connects").read_text().splitlines())

    def threads(self) -> int:
        """Return how many threads there are."""
        return int(self.connection.zcard(f"{PREFIX}threads"))

    def log(self) -> str:
        """Return what the processes wrote."""
        return "".join(path.read_text()[-4000:] for path in sorted(self.folder.glob("*.log")))


class Answering:
    """What the model answers; a test says so, and it is nothing to do otherwise."""

    def __init__(self) -> None:
        self.with_: Script = lambda _: chooses(intent="done_for_now", message="Nothing to do.")

    def __call__(self, request: dict[str, Any]) -> Reply:
        return self.with_(request)


def token_of(person: str) -> str:
    """Return the person's bearer token."""
    return f"CANARY-token-of-{person}-{TAIL}"


def create_repository(folder: Path) -> Any:
    """Return the sample shop, made once."""
    path = folder / "shop.git"
    if not path.exists():
        return create(path, datetime(2026, 3, 2, 9, tzinfo=UTC))
    from deploybot.demo.sample_repository import SampleRepository  # noqa: PLC0415 - rarely

    return SampleRepository(path)


@contextmanager
def open_company(
    folder: Path, text: str, more: Mapping[str, str] | None = None
) -> Iterator[OpenCompany]:
    """Run it for as long as the block lasts.

    `text` is the configuration, with {folder} in it; `more` is added to what the processes see.
    """
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    answering = Answering()
    create_repository(folder)
    (folder / "hook").mkdir()
    hook = HOOK.replace("{log!r}", repr(str(folder / "connects")))
    (folder / "hook" / "sitecustomize.py").write_text(hook, "utf-8")
    (folder / "deploybot.toml").write_text(text.replace("{folder}", str(folder)), "utf-8")
    with ExitStack() as stack:
        redis_url = stack.enter_context(running_server())
        models = stack.enter_context(serving(answering, api_key=KEY))
        github = GitHubApi("harbour/shop")
        stack.enter_context(github.serving())
        urls: dict[str, str] = {}
        mailbox = stack.enter_context(
            Mailbox(
                MailboxSettings(
                    workspace_url=lambda: urls["world"],
                    bot_url=lambda: url,
                    authserv_id=MAIL_SERVER,
                    secret=EMAIL,
                    now=now,
                )
            )
        )
        world = stack.enter_context(WorkspaceServer(_workspace(url, mailbox)))
        urls["world"] = world.url
        environ = {
            "PATH": os.environ["PATH"],  # noqa: TID251 - handed on to children
            "PYTHONPATH": f"{folder / 'hook'}:{ROOT}",
            "DEPLOYBOT_CONFIG": str(folder / "deploybot.toml"),
            "DEPLOYBOT_STATE_DIR": str(folder / "state"),
            "DEPLOYBOT_REDIS_URL": redis_url,
            "DEPLOYBOT_SECRET_KEY": SEAL,
            "DEPLOYBOT_PORT": str(port),
            "DEPLOYBOT_URL": url,
            "DEPLOYBOT_SWEEP_SECONDS": "0.3",
            "DEPLOYBOT_MODEL_TIMEOUT": "10",
            "DEPLOYBOT_API_TOKENS": ",".join(f"{who}:{token_of(who)}" for who in PEOPLE),
            "DEPLOYBOT_EMAIL_ADDRESS": BOT,
            "DEPLOYBOT_EMAIL_SECRET": EMAIL,
            "DEPLOYBOT_EMAIL_AUTHSERV_ID": MAIL_SERVER,
            "DEPLOYBOT_SMTP_URL": mailbox.smtp_url,
            "SLACK_BOT_TOKEN": SLACK_TOKEN,
            "SLACK_SIGNING_SECRET": SLACK,
            "SLACK_API_URL": f"{world.url}/api/",
            "GITHUB_WEBHOOK_SECRET": GITHUB,
            "GITHUB_TOKEN": GITHUB_TOKEN,
            "GITHUB_API_URL": github.url,
            "OPENAI_API_KEY": KEY,
            "OPENAI_BASE_URL": models.base_url,
            "OPENAI_MODEL": "m-1",
            **(more or {}),
        }
        processes = [
            stack.enter_context(_process(folder, name, argv, environ))
            for name, argv in (("web", ["deploybot", "serve"]), ("workers", ["workers"]))
        ]
        company = OpenCompany(
            folder, url, redis_url, mailbox.smtp_url, world, github, models, answering, processes
        )
        stack.callback(company.connection.close)
        company.until(lambda: answers(f"{url}/readyz?only=store"), "it answers")
        yield company


@contextmanager
def _process(
    folder: Path, name: str, argv: list[str], environ: dict[str, str]
) -> Iterator["subprocess.Popen[bytes]"]:
    with (folder / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *argv], env=environ, cwd=folder, stdout=log, stderr=log
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _workspace(bot_url: str, mailbox: Mailbox) -> WorkspaceSettings:
    everybody = [
        Person(id=f"U0{who.upper()}", name=who, email=f"{who}@shop.example") for who in PEOPLE
    ]
    return WorkspaceSettings(
        bot_token=SLACK_TOKEN,
        signing_secret=SLACK,
        bot_url=bot_url,
        scopes=SCOPES,
        events=EVENTS,
        channels=(Channel(id=CHANNEL, name="deploys"),),
        people=(
            *everybody,
            Person(id="U0GUEST", name="guest", is_restricted=True),
            Person(id="U0STRANGER", name="stranger", is_stranger=True, team_id="T0OTHER"),
            Person(id="U0GONE", name="gone", deleted=True),
        ),
        mail_reply_url=mailbox.reply_url,
        mail_address=BOT,
    )
