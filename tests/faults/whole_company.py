"""A whole company for the matrix: the lean one, with its web process, a mail server and a model, people who
write and click in Slack, and a judge who believes only journals, ledgers and what people can see.
"""

import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

from faults.lean_company import (
    CHANNEL,
    GITHUB_SECRET,
    LEASE_SECONDS,
    PATIENCE,
    PEOPLE,
    LeanCompany,
    token_of,
)
from model_server import Reply, seed, serving
from shop import free_ports
from smtp_sink import SmtpSink
from web_process import WebProcess

from deploy.records import BeganRecord, EndedRecord
from deploybot.approvals import ApprovalRequest
from deploybot.demo.company import Access
from deploybot.demo.hands import Hands, text_of
from deploybot.demo.workspace import WorkspaceSettings
from deploybot.errors import ConflictError, IllegalEventError
from deploybot.events import (
    DeployFailed,
    DeployOutcomeUnknown,
    DeploySucceeded,
    Event,
    SlackMessageReceived,
)
from deploybot.inbound.slack_buttons import APPROVE
from deploybot.inbox import Settling
from deploybot.invariants import Ledger, World
from deploybot.queue import PREFIX, due_key
from deploybot.thread import Status, Thread, thread_id_for

ENDS = (DeploySucceeded, DeployFailed, DeployOutcomeUnknown)
TEAM = "T0HARBOUR"
BOT = "U0DEPLOYBOT"
TOLD_WITHIN = LEASE_SECONDS + 20.0
"""Seconds within which people hear what became of a deploy; most of them are for two busy cores."""
REFS = ("v1.0.0", "v1.1.0", "v1.1.1", "v1.2.0", "v1.2.1")
BUILD = """
echo $SHA >> {folder}/effects
while [ -e {folder}/hold ]; do sleep 0.05; done
if [ -e {folder}/broken ]; then echo compiling; cat {folder}/secret; echo no such file; exit 3; fi
touch built
"""
ACTIVATE = "if [ -e {folder}/deaf ]; then echo nobody listens; exit 4; fi"

CONFIGURATION = """
[slack]
channel = "C0DEPLOYS"

[people]
ann = {{ name = "Ann", slack = "U0ANN", github = "ann", email = "ann@harbour.test" }}
ben = {{ name = "Ben", slack = "U0BEN", github = "ben", email = "ben@harbour.test", mail_me = true }}
eve = {{ name = "Eve", slack = "U0EVE", github = "eve", email = "eve@harbour.test" }}

[repositories]
shop = {{ path = "{folder}/shop.git", github = "harbour/shop" }}

[services.backend]
repository = "shop"
path = "backend"
target = {{ kind = "releases", base = "{folder}/releases", build = {build}, activate = {activate}, minimum_free_bytes = 0 }}

[services.frontend]
repository = "shop"
path = "frontend"
target = {{ kind = "releases", base = "{folder}/releases", build = {build}, activate = {activate}, minimum_free_bytes = 0 }}

[environments.staging]
order = 1
automatic = true
tests = {tests}
services = {{ backend = {{}}, frontend = {{}} }}

[environments.production]
order = 2
approvers = ["ann", "ben"]
tests = {tests}
services = {{ backend = {{}}, frontend = {{}} }}
"""


class WholeCompany(LeanCompany):
    """The company; a context manager. What goes wrong in the web process is `web.failing`'s to say."""

    def __init__(self, folder: Path) -> None:
        build = (("sh", "-c", BUILD.format(folder=folder)),)
        activate = json.dumps(["sh", "-c", ACTIVATE.format(folder=folder)])
        text = CONFIGURATION.replace("{activate}", activate.replace("{", "{{").replace("}", "}}"))
        super().__init__(folder, build=build, text=text, keys={})
        self.model_says: Callable[[dict[str, Any]], Reply] = seed
        (self.web_port,) = free_ports(1)

    def __enter__(self) -> Self:
        (self.folder / "effects").touch()
        (self.folder / "secret").write_text(f"{token_of('ann')}\n")
        self.sink = self._stack.enter_context(SmtpSink())
        self.model = self._stack.enter_context(serving(self._model_answers))
        outer = self._stack.pop_all()
        try:
            super().__enter__()
            outer.push(self._stack.pop_all())
            self._start_web(outer)
        except BaseException:
            outer.close()
            raise
        self._stack = outer
        return self

    def _start_web(self, stack: ExitStack) -> None:
        folder = self.folder / "web"
        folder.mkdir()
        self.web = WebProcess(self.environ, folder, port=self.web_port)
        stack.callback(self.web.kill)
        self.web.start()
        self.hands = Hands(
            Access(
                state=str(self.folder),
                bot=self.web.url,
                workspace=self.workspace.url,
                releases={},
                channel=CHANNEL,
                people={name: f"U0{name.upper()}" for name in PEOPLE},
                tokens={name: token_of(name) for name in PEOPLE},
                signing_secret="s" * 32,
                github_secret=GITHUB_SECRET,
                email_secret="",
                redis_url=self.url,
                config=str(self.folder / "deploybot.toml"),
            )
        )

    def workspace_settings(self) -> WorkspaceSettings:
        """Return a workspace that delivers again soon, as Slack does late."""
        lean = super().workspace_settings()
        changes = {"bot_url": f"http://127.0.0.1:{self.web_port}", "retry_scale": 100.0}
        return lean.model_copy(update={**changes, "delivery_timeout": 10.0})

    def _environ(self, config: Path) -> dict[str, str]:
        return {
            **super()._environ(config),
            "DEPLOYBOT_URL": f"http://127.0.0.1:{self.web_port}",
            "DEPLOYBOT_EMAIL_ADDRESS": "bot@harbour.test",
            "DEPLOYBOT_SMTP_URL": self.sink.url,
            "OPENAI_BASE_URL": self.model.base_url,
            "DEPLOYBOT_MODEL_TIMEOUT": "4",
        }

    def _model_answers(self, body: dict[str, Any]) -> Reply:
        return self.model_says(body)

    # -- what people do ------------------------------------------------------------

    def says(self, person: str, text: str) -> str:
        """Write to the bot in the channel; return the id of the thread that it begins."""
        ts = self.hands.say(person, f"<@{BOT}> {text}")
        return thread_id_for("slack", TEAM, CHANNEL, ts)

    def replies(self, person: str, thread_id: str, text: str) -> None:
        """Write below the message that began a thread."""
        first = self.thread(thread_id).events[0]
        assert isinstance(first, SlackMessageReceived)
        self.hands.say(person, text, thread_ts=first.thread_ts)

    def clicks(self, person: str, request: ApprovalRequest, action: str) -> int:
        """Click a button of a request's card; return what the bot answered, 0 for nothing."""
        card = self.card_of(request)
        answered = self.hands.click(person, card["ts"], action)
        return answered.body["deliveries"][0]["status"] or 0

    def asks_for(self, service: str = "backend", environment: str = "staging") -> str:
        """Ask for a deploy of something that is not live there, in a plain command."""
        live, repository = self.live(environment, service), self.look.repository(service)
        ref = next(ref for ref in REFS if repository.resolve(ref).sha != live)
        return self.says("eve", f"deploy {service} {ref} to {environment}")

    def request_of(self, thread_id: str) -> ApprovalRequest:
        """Return the request that is open in a thread, once its card can be clicked."""
        self.until(lambda: self.open_request(thread_id), "people are asked")
        request = self.open_request(thread_id)
        assert request is not None
        self.card_of(request)
        return request

    def open_request(self, thread_id: str) -> ApprovalRequest | None:
        """Return the request that is open in a thread."""
        thread = self.thread(thread_id)
        return thread.standing.request if thread.status is Status.AWAITING_APPROVAL else None

    def card_of(self, request: ApprovalRequest, patience: float = PATIENCE) -> dict[str, Any]:
        """Return a request's card, once it stands in the channel."""
        name = f"{request.thread}/card:{request.id}"
        self.until(lambda: name in self.messages(), "the card is shown", patience)
        return self.messages()[name][0]

    def approved(self, service: str = "backend") -> str:
        """Ask for a deploy to production and approve it; return its thread."""
        thread_id = self.asks_for(service, "production")
        request = self.request_of(thread_id)
        assert self.clicks("ben", request, APPROVE) == 200
        return thread_id

    def push_status(self) -> int:
        """Push something, as GitHub tells of it; return what the bot answered."""
        sha = self.repository.head()
        return self.hands.push(sha, "0" * 40, by="eve", subject="something").status

    # -- what can be seen ----------------------------------------------------------

    def thread(self, thread_id: str) -> Thread:
        """Return a thread as it is stored."""
        return self.store.load(thread_id)

    def of(self, thread_id: str, *kinds: type[Event]) -> list[Any]:
        """Return what happened in a thread, of these kinds."""
        return [event for event in self.thread(thread_id).events if isinstance(event, kinds)]

    def kinds(self, thread_id: str) -> list[str]:
        """Return what happened in a thread."""
        return [event.kind for event in self.thread(thread_id).events]

    def ends(self, thread_id: str) -> Any:
        """Wait until a deploy has ended, and return how."""
        self.until(lambda: self.of(thread_id, *ENDS), "somebody says what became of the deploy")
        return self.of(thread_id, *ENDS)[0]

    def told(self, thread_id: str) -> str:
        """Return everything that stands in the channel of a thread."""
        shown = self.messages().items()
        mine = [m for name, messages in shown for m in messages if name.startswith(f"{thread_id}/")]
        return "\n".join(text_of(message) for message in mine)

    def until_told(self, thread_id: str, *words: str) -> str:
        """Wait until people can read these words; return all that they can read."""
        self.until(lambda: all(w in self.told(thread_id) for w in words), f"people read {words}")
        return self.told(thread_id)

    def journal_ends(self, service: str, environment: str) -> bool:
        """Tell whether the last order of a place has ended, by the target's journal."""
        records = self.look.target(service, environment).records()
        fenced = (r for r in records if isinstance(r, BeganRecord | EndedRecord))
        return isinstance(next(fenced, None), EndedRecord)

    def effects(self) -> int:
        """Return how many builds have begun."""
        return len((self.folder / "effects").read_text().split())

    def channel(self) -> str:
        """Return everything that stands in the channel."""
        shown = self.messages().values()
        return "\n".join(text_of(message) for messages in shown for message in messages)

    def mailed(self, since: int = 0) -> str:
        """Return the mails that were sent, but for the first ones."""
        mails = self.sink.mails[since:]
        return "\n".join(f"{m['Subject']}\n{m.get_body(('plain',))}" for m in mails)

    # -- what happens to processes ---------------------------------------------------

    def web_again(self) -> None:
        """Start the web process again; nothing goes wrong there any more."""
        self.web.failing.arm()
        self.web.start()

    def moves_to(self, environ: dict[str, str]) -> None:
        """End all processes of the bot, and start them on a machine with other variables."""
        self.pool.terminate()
        self.web.kill()
        self.environ = environ
        self.restart_workers()
        self.web.moves_to(environ)
        self.web.start()

    def slack_delivers_again(self) -> None:
        """Have Slack deliver again what nobody has taken."""
        last: dict[str, bool] = {}
        for entry in self.workspace.workspace.ledger.entries(direction="to_bot", kind="event"):
            last[entry["id"]] = last.get(entry["id"], False) or entry["status"] == 200
        for event_id, taken in last.items():
            if not taken:
                self.workspace.workspace.courier.redeliver(event_id)

    @contextmanager
    def wake_ups_get_lost(self) -> Iterator[None]:
        """Lose every wake-up that is made in this block: what was to be done is not in the queue."""
        workers = [pid for pid, name in self.processes() if name != "clock"]
        for pid in workers:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
            for key in self.connection.scan_iter("rq:job:*"):
                self.connection.delete(key)
        finally:
            for pid in workers:
                os.kill(pid, signal.SIGCONT)

    def forget_alarms(self) -> None:
        """Let every alarm be said anew."""
        for key in self.connection.scan_iter(f"{PREFIX}alarm:*"):
            self.connection.delete(key)

    # -- rest, and judgement -------------------------------------------------------

    def set(self, name: str) -> Path:
        """Let builds be on `hold`, `broken`, or the service `deaf`."""
        path = self.folder / name
        path.touch()
        return path

    def comes_to_rest(self) -> None:
        """End everything that waits for people, and wait until nothing is left to do."""
        for name in ("hold", "broken", "deaf"):
            (self.folder / name).unlink(missing_ok=True)
        try:
            self.until(self._is_at_rest, "the company comes to rest")
        except AssertionError as error:
            raise AssertionError(f"{error}: {self._unrest()}\n{self.log()[-4000:]}") from None

    def _is_at_rest(self) -> bool:
        for name in self.store.list(limit=1000).threads:
            self._answer(self.thread(name))
        return not self._unrest()

    def _unrest(self) -> list[str]:
        waits = [
            f"{name} {thread.status}"
            for name in self.store.list(limit=1000).threads
            if (thread := self.thread(name)).status is not Status.DONE
        ]
        untold = self.connection.zrange(due_key("deliver"), 0, -1)
        return waits + [name.decode() for name in untold] + self.running()

    def _answer(self, thread: Thread) -> None:
        """Settle what nobody knows by what is live, deny what is asked, stop what asks."""
        request, question = thread.standing.request, thread.standing.question
        inbox, about = self.inbox, f"rest:{thread.id}:{len(thread.events)}"
        with suppress(ConflictError, IllegalEventError):
            match thread.status:
                case Status.OUTCOME_UNKNOWN if request and (started := thread.standing.started):
                    plan = request.plans[started.part]
                    there = self.live(plan.environment, plan.service) == plan.sha
                    outcome: Any = "succeeded" if there else "failed"
                    settling = Settling(thread.id, request.id, outcome, by="ben", delivery=about)
                    inbox.settle(settling)
                case Status.AWAITING_INPUT if question:
                    inbox.answer_question(
                        thread.id, question.question_id, "Stop", by="ann", delivery=about
                    )
                case Status.AWAITING_INPUT | Status.AWAITING_APPROVAL | Status.IN_LINE:
                    inbox.cancel(thread.id, by="ann", delivery=about)
                case Status.PAUSED:
                    inbox.resume(thread.id, by="ann", delivery=about)
                case _:
                    pass

    def world(self) -> World:
        """Return what stands beside the threads, with what clients were answered and people can see."""
        shown: dict[str, dict[str, tuple[str, ...]]] = {}
        heads: dict[str, set[str]] = {}
        for name, messages in self.messages().items():
            thread, _, key = name.partition("/")
            if thread != "None":
                shown.setdefault(thread, {})[key] = tuple(text_of(m) for m in messages)
                drawn_at = (m["metadata"]["event_payload"].get("head") for m in messages)
                heads.setdefault(thread, set()).update(filter(None, drawn_at))
        lean = super().world()
        return replace(
            lean,
            told_within=timedelta(0),
            ledger=Ledger(accepted=frozenset(self.accepted())),
            shown=shown,
            shown_heads={thread: frozenset(those) for thread, those in heads.items()},
            bots=frozenset({BOT}),
            sinks={**lean.sinks, "the web process' log": self.web.log()},
        )

    def accepted(self) -> Iterator[str]:
        """Yield what Slack was told was taken, as it is told apart in the threads."""
        for entry in self.workspace.workspace.ledger.entries(direction="to_bot"):
            payload = entry["payload"]
            event = payload.get("event", {})
            told = entry["status"] == 200 and BOT in str(event.get("text", ""))
            if told and event.get("type") == "app_mention":
                yield f"slack:msg:{event['channel']}:{event['ts']}"

    def set_right(self) -> None:
        """Let nothing go wrong any more, and start again what has ended."""
        self.failing.arm()
        self.web.failing.arm()
        self.workspace.workspace.faults.clear()
        self.sink.answers.clear()
        self.model_says = seed
        self.forget_alarms()
        for key in self.connection.scan_iter(f"{PREFIX}tally:*"):
            self.connection.delete(key)
        if self.web.has_died:
            self.web.start()
