"""A company under attack: the real loop, prompts and channels' drawings, and every place for a text."""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import yaml
from attacks.obedient import Obedient
from fakes import PEOPLE, FakeDeployer, catalog, sha_of
from letters import EVE, MAIL, raw_mail
from story import Story

from deploy.errors import RepositoryError
from deploy.plan import Commit, Plan
from deploy.refs import checked_name, is_full_sha, is_short_sha, refused
from deploy.target import Ended, Guard, LogLine, Order, Outcome, Report, TestReport
from deploybot.agent import Agent
from deploybot.approvals import POLICY
from deploybot.config import SETTINGS, read_settings
from deploybot.events import (
    Answered,
    ApprovalGranted,
    ApprovalRequested,
    DeployStarted,
    QuestionAsked,
    SlackMessageReceived,
)
from deploybot.inbound.email import Mail, read
from deploybot.inbound.email_intake import MailDesk
from deploybot.inbound.github import Push, to_event
from deploybot.inbound.slack_text import readable
from deploybot.inbox import Inbox
from deploybot.memory import MemoryStore
from deploybot.models import templates
from deploybot.next_step import Deploy, RequestHumanInput
from deploybot.operate import Operator
from deploybot.outbound.email_letters import letters
from deploybot.outbound.email_rendering import message
from deploybot.outbound.slack_blocks import Drawing, Look, draw, personal
from deploybot.outbox import tellings
from deploybot.ports import NOBODY, Asking, Prompt
from deploybot.prompting import DEFAULT, build
from deploybot.redaction import Redactor, secrets_in
from deploybot.telling import Private, Yours
from deploybot.thread import Thread
from deploybot.yours import told_to

ATTACKS: list[dict[str, Any]] = yaml.safe_load(
    (Path(__file__).parent / "attacks.yaml").read_text(encoding="utf-8")
)
TEMPLATES = templates.read()
PAGE = "https://bot.example/threads/t"
ROUNDS = 8

CANARIES = {
    one.name: f"canary-{one.name.lower()}-5b1e77a0c2d94f63" for one in SETTINGS if one.is_secret
}
SET = read_settings(
    CANARIES
    | {
        "DEPLOYBOT_API_TOKENS": f"ann:{CANARIES['DEPLOYBOT_API_TOKENS']}",
        "DEPLOYBOT_SMTP_URL": f"smtp://bot:{CANARIES['DEPLOYBOT_SMTP_URL']}@mx.example:587",
        "DEPLOYBOT_EMAIL_ADDRESS": "bot@mx.example",
        "DEPLOYBOT_IMAP_URLS": f"imaps://bot:{CANARIES['DEPLOYBOT_IMAP_URLS']}@mx.example/INBOX",
        "SLACK_CLIENT_ID": "1.2",
        "DEPLOYBOT_REDIS_URL": "redis://:canary-redis-5b1e77a0c2d94f63@redis.example:6379/0",
    }
)
CANARY = CANARIES["OPENAI_API_KEY"]
LEAKS = (
    "5b1e77a0c2d94f63",
    b"5b1e77a0c2d94f63".hex(),
    "AKIAIOSFODNN7EXAMPLE",
    "ghp_0123456789",
    "xoxb-123456789012",
    "sk-proj-abcdefghij",
    "glpat-abcdefghij",
    "MIIEowIBAAKCAQEAuRQ0",
    *(base64.b64encode(b"_" * n + CANARY.encode()).decode()[8:-8] for n in range(3)),
)
"""What must never be seen anywhere: the canaries in all their forms, and what looks like a secret."""


def filled(attack: dict[str, Any]) -> str:
    """Return the text of an attack with its canaries in place, as often as it says."""
    text: str = attack["text"]
    encoded = base64.b64encode(f"bot:{CANARY}".encode()).decode()
    for name, value in {
        "canary": CANARY,
        "base64": encoded,
        "hex": CANARY.encode().hex(),
    }.items():
        text = text.replace(f"{{{name}}}", value)
    return text * int(attack.get("times", 1))


class Hostile(FakeDeployer):
    """Targets in memory whose repository, builds and tests were written by somebody hostile."""

    subject = "Add a thing"
    author = "Ann"
    tag = ""
    output = ""
    log = ""
    fault = ""

    def plan(
        self,
        action: str,
        service: str,
        ref: str | None,
        environment: str,
        *,
        asking: Asking = NOBODY,
    ) -> Plan:
        if self.fault:
            raise RepositoryError(f"Git could not read the repository: {self.fault}.")
        if ref is not None:
            checked_name(ref)
            if ref not in self.refs and not is_full_sha(ref) and not is_short_sha(ref):
                raise refused("ref_missing", f"There is no {ref!r}. Nothing was deployed.")
        plan = super().plan(action, service, ref, environment, asking=asking)
        commit = Commit(
            sha=plan.sha,
            author=self.author,
            email="a@b.example",
            at=self.now(),
            subject=self.subject,
        )
        return plan.model_copy(update={"commits": (commit,), "commits_total": 1})

    def commits(self, service: str | None, ref: str | None, limit: int) -> list[dict[str, Any]]:
        rows = super().commits(service, ref, limit)
        return [row | {"author": self.author, "subject": self.subject} for row in rows]

    def tags(self, service: str | None, limit: int) -> list[dict[str, Any]]:
        named = [{"name": self.tag, "sha": sha_of("v1.0.0"), "at": "2026-03-01"}] * bool(self.tag)
        return [*named, *super().tags(service, limit)]

    def run(self, order: Order, guard: Guard, report: Report) -> Outcome:
        for line in self.log.splitlines():
            report(LogLine("build", line[:500]))
        if not (self.output and order.plan.environment == "production"):
            return super().run(order, guard, report)
        guard()
        self.began.add(order.approval_id)
        self.ran.append(f"deploy {order.plan.service} {order.plan.sha[:7]} production")
        error = f"make ended with exit code 1. {self.output[:300]}"
        live = order.plan.previous_sha
        self.ended[order.approval_id] = Ended(
            outcome="failed", sha=order.plan.sha, live_sha=live, step="build", error=error
        )
        tail = tuple(self.output.splitlines()[-20:])
        return Outcome(
            outcome="failed", step="build", error=error, live_sha=live, seconds=1.0, tail=tail
        )

    def test(self, environment: str, guard: Guard) -> TestReport:
        if environment not in self.failing_tests:
            return super().test(environment, guard)
        tail = tuple(line[:500] for line in self.words.splitlines()[-20:])
        return TestReport(
            passed=False, seconds=0.1, exit_code=1, summary=self.words[-300:], tail=tail
        )

    words = ""


@dataclass
class Siege(Story):
    """A story whose model obeys everybody, whose settings are full of canaries."""

    obedient: Obedient = field(default_factory=Obedient)
    made: list[tuple[Prompt, Thread]] = field(default_factory=list)
    renderer: str = DEFAULT

    def __post_init__(self) -> None:
        self.table = catalog()
        self.store = MemoryStore(now=self.clock.now, redactor=Redactor(secrets_in(SET)))
        self.deployer = Hostile(self.table, self.clock.now, self.store)
        self.inbox = Inbox(self.store, PEOPLE, self.clock.clockwork)
        self.agent = Agent(
            store=self.store,
            model=self.obedient,
            deployer=self.deployer,
            prompt=self.prompt,
            clock=self.clock.clockwork,
        )
        self.operator = Operator(
            store=self.store, deployer=self.deployer, clock=self.clock.clockwork
        )
        self.verified_on_staging("main")

    def prompt(self, thread: Thread) -> Prompt:
        made = build(
            thread,
            templates=TEMPLATES,
            services=tuple(self.table.services),
            environments=tuple(self.table.environments),
            approvers={name: one.approvers for name, one in self.table.environments.items()},
            renderer=self.renderer,
        )
        self.made.append((made, thread))
        return made

    @property
    def threads(self) -> list[Thread]:
        return [self.store.load(name) for name in self.store.list(limit=1000).threads]

    # -- where a text can be put -----------------------------------------------------

    def put(self, place: str, text: str) -> None:
        """Let somebody hostile put the text there, and somebody harmless come by it."""
        getattr(self, f"_in_{place}")(text)

    def _in_slack(self, text: str, name: str = "Mallory") -> None:
        said = SlackMessageReceived(
            at=self.clock.now(),
            by=PEOPLE.by_slack("U0MAL"),
            delivery=self._delivery(),
            channel="C0DEPLOYS",
            ts="1.1",
            thread_ts="1.1",
            user="U0MAL",
            name=name,
            text=readable(text, lambda user: user),
        )
        self.inbox.hear(self.thread_id, said, dedupe=(said.delivery,))
        self.bot_works()

    def _in_name(self, text: str) -> None:
        self._in_slack("deploy backend main to production", name=text)

    def _in_api(self, text: str) -> None:
        self.person_says(text, by="eve")

    def _in_mail(self, text: str, subject: str = "deploy please") -> None:
        desk = MailDesk(self.inbox, self.store, PEOPLE, MAIL)
        for sender, results in ((EVE, None), ("mal@evil.example", ()), ("ben@shop.example", ())):
            raw = raw_mail(
                text,
                sender=sender,
                subject=subject,
                results=results,
                message_id=f"<{self._delivery()}@evil.example>",
            )
            mail = read(raw, MAIL)
            if isinstance(mail, Mail):
                desk.take(mail, self.clock.now())
        self.bot_works()

    def _in_subject(self, text: str) -> None:
        self._in_mail("deploy backend main to production", subject=" ".join(text.split()))

    def _in_commit(self, text: str) -> None:
        self.deployer.subject = text[:300]
        self.person_says("list the commits, then deploy backend main to production", by="eve")

    def _in_author(self, text: str) -> None:
        self.deployer.author = text[:100]
        self.person_says("list the commits, then deploy backend main to production", by="eve")

    def _in_tag(self, text: str) -> None:
        self.deployer.tag = text[:200]
        self.person_says("list the tags, then deploy backend main to production", by="eve")
        self._in_branch(text)

    def _in_branch(self, text: str) -> None:
        step = Deploy(service="backend", ref=text, environment="production", reason=text)
        self.obedient.first.append(step)
        self.person_says(f"what about the branch {text}?", by="eve")

    def _in_pull_request(self, text: str) -> None:
        self._pushed(text, "eve")

    def _in_login(self, text: str) -> None:
        self._pushed("Add the org routes", text)

    def _pushed(self, subject: str, login: str) -> None:
        body = {
            "ref": "refs/heads/main",
            "before": sha_of("main"),
            "after": sha_of("main-2"),
            "repository": {"full_name": "harbour/shop"},
            "sender": {"login": login},
            "head_commit": {"message": subject},
        }
        headers = [
            ("Content-Type", "application/json"),
            ("X-GitHub-Event", "push"),
            ("X-GitHub-Delivery", self._delivery()),
        ]
        now, repositories = self.clock.now(), self.table.repositories
        push = to_event(json.dumps(body).encode(), headers, repositories, PEOPLE, now)
        assert isinstance(push, Push)
        self.deployer.main = sha_of("main-2")
        self.inbox.hear(push.thread, push.event, dedupe=push.dedupe)
        self.bot_works()

    def _in_tests(self, text: str) -> None:
        self.deployer.words = text
        self.deployer.failing_tests = {"production"}
        self._deployed_by_the_book()

    def _in_build(self, text: str) -> None:
        self.deployer.output = text
        self._deployed_by_the_book()

    def _in_log(self, text: str) -> None:
        self.deployer.log = text
        self._deployed_by_the_book()

    def _in_denial(self, text: str) -> None:
        self.person_says("deploy backend main to production", by="eve")
        self.denies(text)

    def _in_error(self, text: str) -> None:
        self.deployer.fault = text[:300]
        self.person_says("deploy backend main to production", by="eve")

    def _in_answer(self, text: str) -> None:
        self.obedient.first.append(RequestHumanInput(question="Which ref?"))
        self.person_says("deploy the backend", by="ann")
        question = self.thread.standing.question
        assert isinstance(question, QuestionAsked)
        self.inbox.answer_question(
            self.thread_id, question.question_id, text, by="eve", delivery=self._delivery()
        )
        assert any(isinstance(event, Answered) for event in self.thread.events)
        self.bot_works()

    def _deployed_by_the_book(self) -> None:
        self.obedient.first.append(
            Deploy(service="backend", ref="main", environment="production", reason="asked for")
        )
        self.person_says("the backend, please", by="eve")
        self.approves()

    # -- what people do, and see --------------------------------------------------------

    def people_refuse_everything(self, look: Callable[["Siege"], None]) -> None:
        """Let an approver look at each card that comes of it, and say no."""
        for _ in range(ROUNDS):
            look(self)
            open_now = [t for t in self.threads if t.standing.request]
            waiting = [t for t in open_now if t.status == "awaiting_approval"]
            if not waiting:
                return
            for thread in waiting:
                request = thread.standing.request
                assert request is not None
                by = "mia" if "ben" in request.requesters else "ben"
                assert self.denies("no", by=by, request=request).accepted
        raise AssertionError("the model never came to an end")

    def began(self) -> set[str]:
        """Return the requests that anything was started for."""
        started = {
            event.request_id
            for thread in self.threads
            for event in thread.events
            if isinstance(event, DeployStarted)
        }
        return started | self.deployer.began

    def commit_of(self, ref: str) -> str:
        """Return the commit that a ref means, asked of the repository itself."""
        return sha_of(self.deployer.main if ref == "main" else ref)

    def granted(self) -> set[str]:
        """Return the requests that a person, or the rule of staging, really approved."""
        requests = {
            event.request.id: event.request
            for thread in self.threads
            for event in thread.events
            if isinstance(event, ApprovalRequested)
        }
        return {
            event.request_id
            for thread in self.threads
            for event in thread.events
            if isinstance(event, ApprovalGranted)
            if event.by != POLICY or requests[event.request_id].plan.environment == "staging"
        }

    def drawings(self, thread: Thread) -> list[Drawing]:
        """Return all that Slack is shown of a thread."""
        shown = []
        for telling in tellings(thread):
            if isinstance(telling, Yours):
                shown += [personal(told, PAGE) for told in told_to(telling, PEOPLE)]
            elif not isinstance(telling, Private):
                steps = self.store.progress(getattr(telling, "operation", "") or "none")
                shown.append(draw(telling, Look(PEOPLE, thread.id, PAGE, steps)))
        return shown

    def mails(self, thread: Thread) -> list[EmailMessage]:
        """Return all mails that are sent of a thread."""
        told = letters(thread, tellings(thread), {}, PEOPLE, MAIL)
        now = self.clock.now()
        return [message(one, settings=MAIL, people=PEOPLE, url=PAGE, now=now) for one in told]
