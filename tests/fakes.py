"""One fake per port; each keeps the port's promise, in memory."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha1
from typing import Any

from deploy.catalog import Catalog
from deploy.errors import Refusal, RefusedError, SeenApprovalError
from deploy.plan import Commit, Plan, PlannedStep
from deploy.policy import Behalf, Facts, check, check_names
from deploy.target import (
    Began,
    Ended,
    Guard,
    Live,
    NeverBegan,
    Order,
    Outcome,
    Probe,
    Report,
    Running,
    StepDone,
    TestReport,
)
from deploybot import approvals
from deploybot.errors import LookupFailedError
from deploybot.next_step import DoneForNow, NextStep
from deploybot.ports import (
    NOBODY,
    Asking,
    Choice,
    Clockwork,
    EnvironmentRow,
    Head,
    People,
    Person,
    Prompt,
    Store,
)

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)

PEOPLE = People(
    (
        Person(id="ann", name="Ann", slack="U0ANN", email="ann@shop.example", github="ann-gh"),
        Person(id="ben", name="Ben", slack="U0BEN", email="ben@shop.example", github="ben-gh"),
        Person(id="eve", name="Eve", slack="U0EVE", email="eve@shop.example"),
        Person(id="mia", name="Mia", email="mia@shop.example", mail_me=True),
    )
)


def catalog(*, groups: dict[str, Any] | None = None, **production: Any) -> Catalog:
    """Return two services in two environments, production with Ann, Ben and Mia as approvers."""
    target = {"kind": "releases", "base": "/nowhere"}
    place = {"backend": {}, "frontend": {}}
    return Catalog.model_validate(
        {
            "groups": groups or {},
            "repositories": {"shop": {"path": "/nowhere/shop.git"}},
            "services": {
                "backend": {"repository": "shop", "target": target},
                "frontend": {"repository": "shop", "target": target},
            },
            "environments": {
                "staging": {
                    "order": 1,
                    "automatic": True,
                    "services": place,
                    "tests": ["run-tests"],
                },
                "production": {
                    "order": 2,
                    "approvers": ["ann", "ben", "mia"],
                    "verified_in": "staging",
                    "services": place,
                    "tests": ["run-tests"],
                }
                | production,
            },
        }
    )


def sha_of(ref: str) -> str:
    """Return a SHA for any name: the same each time."""
    return ref if len(ref) == 40 else sha1(ref.encode()).hexdigest()


class FakeClock:
    """A clock that moves when told to, and a moment at each look."""

    def __init__(self) -> None:
        self.time = NOON
        self.ids = 0

    def now(self) -> datetime:
        self.time += timedelta(milliseconds=1)
        return self.time

    def new_id(self) -> str:
        self.ids += 1
        return f"r{self.ids}"

    def passes(self, **delta: float) -> None:
        self.time += timedelta(**delta)

    @property
    def clockwork(self) -> Clockwork:
        return Clockwork(now=self.now, new_id=self.new_id)


@dataclass
class FakeDeployer:
    """Targets in memory: what runs is written down in `ran`, as a journal would."""

    catalog: Catalog
    now: Callable[[], datetime]
    store: Store | None = None
    refs: set[str] = field(default_factory=lambda: {"main", "v1.0.0", "v1.1.0"})
    live_now: dict[tuple[str, str], Live] = field(default_factory=dict)
    ran: list[str] = field(default_factory=list)
    began: set[str] = field(default_factory=set)
    ran_as: dict[str, str] = field(default_factory=dict)
    """Operation → the commit that ran under it."""
    ended: dict[str, Ended] = field(default_factory=dict)
    history: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    fails: dict[str, str] = field(default_factory=dict)
    """Service → error of its deploys."""
    stranded: set[str] = field(default_factory=set)
    """Services whose way back fails, too."""
    failing_tests: set[str] = field(default_factory=set)
    """Environments whose tests fail."""
    main: str = "main"
    confirms: tuple[str, ...] = ()
    """What every plan wants confirmed on its own."""
    on_switch: Callable[[], object] | None = None
    """Called once something is live, before it is said."""
    elsewhere: dict[str, Running] = field(default_factory=dict)
    """Service → how its deploys stand that run elsewhere; `finish` ends them."""
    cancelled: list[str] = field(default_factory=list)
    commits_of: dict[str, tuple[Commit, ...]] = field(default_factory=dict)
    """Service → the commits that its plans show."""
    addresses_of: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Service → mail addresses of those who wrote what its plans show."""
    drifted: dict[tuple[str, str], str] = field(default_factory=dict)
    """Place → the SHA that somebody put there by other means."""
    missing: dict[tuple[str, str], tuple[Commit, ...]] = field(default_factory=dict)

    def plan(
        self,
        action: str,
        service: str,
        ref: str | None,
        environment: str,
        *,
        asking: Asking = NOBODY,
    ) -> Plan:
        if refusal := check_names(service, environment, self.catalog):
            raise RefusedError(refusal)
        place = (service, environment)
        live = self.live_now.get(place)
        if action == "roll_back":
            earlier = [sha for sha in self.history.get(place, []) if not live or sha != live.sha]
            if not earlier:
                raise RefusedError(
                    Refusal("no_earlier_release", f"No earlier release for {service}.")
                )
            sha = earlier[-1]
        else:
            known = ref in self.refs or (ref and len(ref) >= 7)
            if not known:
                raise RefusedError(Refusal("ref_missing", f"No {ref!r}. Nothing was deployed."))
            sha = self._resolve(str(ref))
        plan = Plan(
            action="roll_back" if action == "roll_back" else "deploy",
            service=service,
            environment=environment,
            repository="shop",
            ref=ref or sha,
            sha=sha,
            previous_sha=live.sha if live else None,
            steps=(
                PlannedStep(name="build", argv=("make", service), says="build it"),
                PlannedStep(name="switch", says="make it live"),
            ),
            config_hash=self.catalog.config_hash(service, environment),
            commits=self.commits_of.get(service, ()),
            commits_total=len(self.commits_of.get(service, ())),
            author_addresses=self.addresses_of.get(service, ()),
        )
        earlier_name = self.catalog.environments[environment].verified_in
        before = self.live_now.get((service, earlier_name)) if earlier_name else None
        facts = Facts(
            now=self.now(),
            live=live,
            verified_in_sha=before.sha if before and before.verified else None,
            holds=self.store.holds() if self.store else (),
            running=self._running(service, environment),
            behalf=Behalf(
                requesters=asking.requesters,
                coming=dict(asking.coming),
                asked_at=asking.asked_at,
                start_at=asking.start_at,
                began_at=asking.began_at,
                breaks_glass=asking.breaks_glass,
            ),
        )
        if refusal := check(plan, facts, self.catalog):
            raise RefusedError(refusal)
        line = self.store.line(service, environment) if self.store else ()
        if action != "roll_back" and line and line[0] != asking.thread:
            raise RefusedError(Refusal("in_line", f"Thread {line[0]} waits for it, too."))
        return plan.model_copy(update={"confirm": self.confirms})

    def at_once(self) -> "FakeDeployer":
        return self

    def _resolve(self, ref: str) -> str:
        if ref == "main":
            return sha_of(self.main)
        known = [sha for shas in self.history.values() for sha in shas if sha.startswith(ref)]
        return known[0] if known else sha_of(ref)

    def _running(self, service: str, environment: str) -> str | None:
        operation = self.store.operation(service, environment) if self.store else None
        return operation.id if operation else None

    def commits(self, service: str | None, ref: str | None, limit: int) -> list[dict[str, Any]]:
        sha = sha_of(ref or self.main)
        commit = Commit(sha=sha, author="Ann", email="a@b.example", at=NOON, subject="Add a thing")
        row = commit.model_dump(mode="json", exclude={"email"})
        return [row | {"short": sha[:7]}][:limit]

    def tags(self, service: str | None, limit: int) -> list[dict[str, Any]]:
        names = sorted((ref for ref in self.refs if ref != "main"), reverse=True)
        return [{"name": name, "sha": sha_of(name), "at": NOON.isoformat()} for name in names][
            :limit
        ]

    def live(self, service: str, environment: str) -> Live | None:
        return self.live_now.get((service, environment))

    def environments(self, environment: str | None = None) -> tuple[EnvironmentRow, ...]:
        return tuple(
            self._row(service, name)
            for name, table in self.catalog.environments.items()
            for service in table.services
            if environment in (None, name)
        )

    def heads(self) -> tuple[Head, ...]:
        commit = Commit(
            sha=sha_of(self.main), author="Ann", email="ann@shop.example", at=NOON, subject="Add it"
        )
        return (Head("shop", "main", commit),)

    def _row(self, service: str, environment: str) -> EnvironmentRow:
        place, live = (service, environment), self.live(service, environment)
        missing = self.missing.get(place, ())
        there = self.drifted.get(place)
        shown = live.model_copy(update={"sha": there}) if live and there else live
        return EnvironmentRow(
            service,
            environment,
            shown,
            missing=missing,
            waiting_since=missing[-1].at if missing else None,
            ours=live.sha if live else None,
        )

    def run(self, order: Order, guard: Guard, report: Report) -> Outcome | Running:
        if order.approval_id in self.began:
            raise SeenApprovalError("This approval has begun once already.")
        guard()
        plan, place = order.plan, (order.plan.service, order.plan.environment)
        self.began.add(order.approval_id)
        self.ran_as[order.approval_id] = plan.sha
        self.ran.append(f"{plan.action} {plan.service} {plan.sha[:7]} {plan.environment}")
        live = self.live_now.get(place)
        if error := self.fails.get(plan.service):
            said: dict[str, Any] = {"outcome": "failed", "step": "build", "error": error}
            said |= {"live_sha": live.sha if live else None}
            said |= {"stranded": plan.service in self.stranded}
            self.ended[order.approval_id] = Ended(sha=plan.sha, **said)
            return Outcome(seconds=1.0, **said)
        if running := self.elsewhere.get(plan.service):
            return running
        guard()
        report(StepDone("switch", ok=True, seconds=0.1))
        self.put_live(*place, plan.sha, approval_id=order.approval_id)
        if self.on_switch:
            self.on_switch()
        self.ended[order.approval_id] = Ended(outcome="succeeded", sha=plan.sha, live_sha=plan.sha)
        return Outcome(outcome="succeeded", live_sha=plan.sha, seconds=1.0)

    def put_live(
        self, service: str, environment: str, sha: str, *, approval_id: str | None = None
    ) -> None:
        place = (service, environment)
        self.history.setdefault(place, []).append(sha)
        self.live_now[place] = Live(
            sha=sha,
            release=sha[:12],
            since=self.now(),
            approval_id=approval_id,
            verified=False,
        )

    def runs_elsewhere(self, service: str, environment: str) -> bool:
        return service in self.elsewhere

    def cancel(self, order: Order) -> None:
        self.cancelled.append(order.approval_id)

    def finish(self, order_id: str, sha: str, *, error: str = "") -> None:
        """End what runs elsewhere under this approval."""
        outcome: Any = "failed" if error else "succeeded"
        self.ended[order_id] = Ended(
            outcome=outcome, sha=sha, live_sha=None if error else sha, error=error or None
        )

    def settle(self, order: Order) -> Probe:
        if order.approval_id in self.ended:
            return self.ended[order.approval_id]
        if order.approval_id in self.began and order.plan.service in self.elsewhere:
            return self.elsewhere[order.plan.service]
        if order.approval_id in self.began:
            live = self.live(order.plan.service, order.plan.environment)
            return Began(last_step="build", live_sha=live.sha if live else None)
        self.began.add(order.approval_id)
        return NeverBegan()

    def test(self, environment: str, guard: Guard) -> TestReport:
        self.ran.append(f"test {environment}")
        if environment in self.failing_tests:
            tail = ("checkout: expected 200, got 500",)
            return TestReport(
                passed=False, seconds=0.1, exit_code=1, summary="1 of 2 failed", tail=tail
            )
        for place, live in self.live_now.items():
            if place[1] == environment:
                self.live_now[place] = live.model_copy(update={"verified": True})
        return TestReport(passed=True, seconds=0.1, exit_code=0, summary="2 passed", tail=())


@dataclass
class FakeDirectory:
    """Groups and accounts in memory; `down` says why nothing can be looked up."""

    groups: dict[str, set[str]] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    """Person → why that account may not answer."""
    down: str = ""

    def members(self, group: str) -> frozenset[str]:
        if self.down:
            raise LookupFailedError(self.down)
        return frozenset(self.groups[group])

    def refusal(self, person: str, channel: str) -> approvals.Refusal | None:
        if self.down:
            raise LookupFailedError(self.down)
        if person not in self.refused:
            return None
        return approvals.Refusal(reason_code="account_refused", text=self.refused[person])


@dataclass
class ScriptedModel:
    """A model that says what it was told to, then that it is done."""

    steps: deque[NextStep] = field(default_factory=deque)
    prompts: list[Prompt] = field(default_factory=list)

    def next_step(self, prompt: Prompt) -> Choice:
        self.prompts.append(prompt)
        step = self.steps.popleft() if self.steps else DoneForNow(message="Done for now.")
        return Choice(step, model="scripted")


def plain_prompt(thread: Any) -> Prompt:
    """Return a prompt for models that read the thread itself."""
    return Prompt(
        agent=thread.standing.agent, system="", text="", schema={}, digest="0" * 12, thread=thread
    )


@dataclass
class FakeMailNotes:
    """What is remembered of mail, for good."""

    bad: set[str] = field(default_factory=set)
    helped: set[str] = field(default_factory=set)
    taken: set[str] = field(default_factory=set)

    def mark_bad(self, address: str, seconds: float) -> None:
        self.bad.add(address.casefold())

    def is_bad(self, address: str) -> bool:
        return address.casefold() in self.bad

    def note_helped(self, address: str, seconds: float) -> None:
        self.helped.add(address.casefold())

    def was_helped(self, address: str) -> bool:
        return address.casefold() in self.helped

    def note_taken(self, mail: str) -> None:
        self.taken.add(mail)

    def was_taken(self, mail: str) -> bool:
        return mail in self.taken
