"""The deploy package as the loop needs it: plans, facts, runs and tests over one catalog."""

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from copy import copy
from dataclasses import replace
from datetime import datetime
from typing import Any, Self

from deploy import run as running
from deploy.catalog import Catalog
from deploy.connections import Connections
from deploy.errors import DeployError, Refusal, RefusedError
from deploy.freezes import active, opening
from deploy.locks import Hold
from deploy.look import Look
from deploy.plan import SHORT, Action, Commit, Plan
from deploy.policy import Behalf, check_environment
from deploy.records import SwitchedRecord
from deploy.target import Guard, Live, Order, Outcome, Probe, Report, Running, TestReport
from deploybot.anchors import Anchors
from deploybot.errors import OperatorError
from deploybot.ports import NOBODY, Asking, EnvironmentRow, Head, Store

MISSING = 20
"""How many commits that are not live yet are told."""
MOST_COUNTED = 1000

_ORDERS = re.compile(
    r"</?[a-z]+_[a-z_]+>|<!(?:channel|here|everyone)>|\bapproved: *(?:true|yes)\b"
    r"|\b(?:ignore|forget|disregard)\b.{0,20}\b(?:rules|instructions|prompt)\b"
    r"|\b(?:no|without|skip|needs? no)\b.{0,12}\bapproval\b|\bapproval is not needed\b",
    re.IGNORECASE,
)
_HIDDEN = re.compile(
    "[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u200b\\u200e\\u200f\\u2028-\\u202e\\u2060-\\u2069\\ufeff"
    "\\U000e0000-\\U000e007f]"
)
"""Control, zero-width, text-direction and tag characters; joiners, which scripts and emoji need, are fine."""


class CatalogDeployer:
    """Implements ports.Deployer with git and the targets of one catalog.

    `connections` are what targets and checks need to speak to other systems; `anchors` notice what
    the store has lost.
    """

    def __init__(
        self,
        catalog: Catalog,
        store: Store,
        now: Callable[[], datetime],
        connections: Connections | None = None,
        anchors: Anchors | None = None,
    ) -> None:
        self._anchors = anchors
        self._catalog = catalog
        self._store = store
        self._now = now
        self._connections = connections or Connections()
        self._look = Look(
            catalog,
            clock=now,
            connections=self._connections,
            holds=self._holds,
            running=self._running,
        )

    @property
    def catalog(self) -> Catalog:
        """What may be deployed, where and by whose leave."""
        return self._catalog

    def plan(
        self,
        action: str,
        service: str,
        ref: str | None,
        environment: str,
        *,
        asking: Asking = NOBODY,
    ) -> Plan:
        """Resolve and check everything; raises RefusedError with a reason code."""
        self._check_anchor(service, environment)
        kind: Action = "roll_back" if action == "roll_back" else "deploy"
        behalf = Behalf(
            requesters=asking.requesters,
            coming=dict(asking.coming),
            ahead=self._ahead(service, environment, asking.thread),
            asked_at=asking.asked_at,
            start_at=asking.start_at,
            began_at=asking.began_at,
            breaks_glass=asking.breaks_glass,
        )
        plan = self._look.plan(kind, service, ref, environment, behalf=behalf)
        return plan.model_copy(update={"warnings": (*plan.warnings, *_hostile(plan))})

    def at_once(self) -> Self:
        """Return the same for one request of many parts: it fetches each repository only once."""
        same = copy(self)
        same._look = self._look.at_once()  # noqa: SLF001 - its own
        return same

    def commits(self, service: str | None, ref: str | None, limit: int) -> list[dict[str, Any]]:
        """Return commits as plain JSON, newest first."""
        return [_commit(commit) for commit in self._look.log(self._or_first(service), ref, limit)]

    def tags(self, service: str | None, limit: int) -> list[dict[str, Any]]:
        """Return tags as plain JSON, newest first."""
        return [
            {"name": tag.name, "sha": tag.sha, "at": f"{tag.at:%Y-%m-%d %H:%M}"}
            for tag in self._look.tags(self._or_first(service), limit)
        ]

    def live(self, service: str, environment: str) -> Live | None:
        """Return what is live there, by the target's own word."""
        return self._look.live(service, environment)

    def environments(self, environment: str | None = None) -> tuple[EnvironmentRow, ...]:
        """Return what is live where, held, and running."""
        if environment is not None and (refusal := check_environment(environment, self._catalog)):
            raise RefusedError(refusal)
        holds = self._store.holds()
        return tuple(
            self._row(service, name, holds)
            for name, table in sorted(
                self._catalog.environments.items(), key=lambda item: item[1].order
            )
            if environment in (None, name)
            for service in table.services
        )

    def _row(self, service: str, environment: str, holds: tuple[Hold, ...]) -> EnvironmentRow:
        now = self._now()
        row = EnvironmentRow(
            service=service,
            environment=environment,
            live=None,
            hold=next((hold for hold in holds if hold.covers(service, environment, now)), None),
            operation=self._store.operation(service, environment),
            line=self._store.line(service, environment),
            frozen=self._frozen(service, environment, now),
        )
        try:
            target = self._look.target(service, environment)
            live = target.current()
            self._check_anchor(service, environment)
            ours = next((r.sha for r in target.records() if isinstance(r, SwitchedRecord)), None)
        except DeployError as error:
            return replace(row, problem=str(error))
        behind = self._look.behind(service, environment)
        missing = self._look.missing(service, environment, MOST_COUNTED) if behind else ()
        return replace(
            row,
            live=live,
            ours=ours,
            behind=behind,
            missing=missing[:MISSING],
            waiting_since=missing[-1].at if missing else None,
        )

    def heads(self) -> tuple[Head, ...]:
        """Return where the default branches stand, fetched anew; those that cannot be read are left out."""
        found = []
        for name, table in self._catalog.repositories.items():
            service = next(
                (s for s, t in self._catalog.services.items() if t.repository == name), None
            )
            if service is None:
                continue
            try:
                (commit,) = self._look.log(service, None, 1)
            except (DeployError, ValueError):
                continue
            found.append(Head(name, table.default_branch, commit))
        return tuple(found)

    def run(self, order: Order, guard: Guard, report: Report) -> Outcome | Running:
        """Carry the order out, once."""
        target = self._look.target(order.plan.service, order.plan.environment)
        return running.run(target, order, guard=guard, progress=report)

    def runs_elsewhere(self, service: str, environment: str) -> bool:
        """Tell whether a deploy there holds no worker while it runs."""
        return self._look.target(service, environment).remote

    def cancel(self, order: Order) -> None:
        """Ask what runs elsewhere to stop."""
        self._look.target(order.plan.service, order.plan.environment).cancel(order)

    def settle(self, order: Order) -> Probe:
        """Shut out an order whose worker died, and tell what became of it."""
        return self._look.target(order.plan.service, order.plan.environment).settle(order)

    def test(self, environment: str, guard: Guard) -> TestReport:
        """Run the environment's end-to-end tests, and mark what is live verified if they pass."""
        return running.run_tests(
            self._catalog,
            environment,
            clock=self._now,
            guard=guard,
            progress=lambda _: None,
            connections=self._connections,
        )

    def _check_anchor(self, service: str, environment: str) -> None:
        """See to it that the store knows the last order of the place; what cannot be read refuses later."""
        table = self._catalog.environments.get(environment)
        if self._anchors is None or table is None or service not in table.services:
            return
        with suppress(DeployError):
            records = self._look.target(service, environment).records()
            self._anchors.check(service, environment, records)

    def _or_first(self, service: str | None) -> str:
        if service is not None:
            return service
        first = next(iter(self._catalog.services), None)
        if first is None:
            raise RefusedError(Refusal("unknown_service", "No service is configured."))
        return first

    def _frozen(self, service: str, environment: str, now: datetime) -> str:
        """Return in words until when the place takes no deploy, and why."""
        all_of_them = self._catalog.environments[environment].freezes
        freezes = tuple(one for one in all_of_them if service not in one.except_services)
        windows = active(freezes, now)
        if not windows:
            return ""
        opens = opening(freezes, now)
        until = f"until {windows[0].told(opens)}" if opens else "with no opening in sight"
        return f"{until}: {windows[0].freeze.reason}"

    def _holds(self, service: str, environment: str) -> tuple[Hold, ...]:
        return self._store.holds()

    def _ahead(self, service: str, environment: str, thread: str) -> str | None:
        """Return in words who waits for the place and came before this thread."""
        line = self._store.line(service, environment)
        before = line[: line.index(thread)] if thread in line else line
        if not before:
            return None
        whose = self._whose(before[-1]) or "Another"
        if len(before) == 1:
            return f"{whose} request"
        return f"{whose} request, behind {len(before) - 1} more,"

    def _running(self, service: str, environment: str) -> str | None:
        operation = self._store.operation(service, environment)
        if operation is None:
            return None
        return f"{self._whose(operation.thread) or 'The'} operation {operation.id}"

    def _whose(self, thread: str) -> str:
        """Return who asked in another thread, as `ann's`; "" when that cannot be told."""
        with suppress(OperatorError):
            standing = self._store.load(thread).standing
            asked = standing.request.requesters if standing.request else standing.requesters
            if asked:
                return f"{' and '.join(asked)}'s"
        return ""


def _hostile(plan: Plan) -> Iterator[str]:
    """Yield a warning when a commit's words are meant for the bot, or hide something from people."""
    for commit in plan.commits:
        words = f"{commit.author} {commit.subject}"
        if _ORDERS.search(words):
            yield f"{commit.sha[:SHORT]} contains text that looks like commands to the bot."
        elif _HIDDEN.search(words):
            yield f"{commit.sha[:SHORT]} contains characters that nobody can see."
    for merged in plan.pull_requests:
        if _ORDERS.search(merged.title):
            yield f"The title of #{merged.number} contains text that looks like commands to the bot."
        elif _HIDDEN.search(merged.title):
            yield f"The title of #{merged.number} contains characters that nobody can see."


def _commit(commit: Commit) -> dict[str, Any]:
    return {
        "sha": commit.sha,
        "short": commit.sha[:SHORT],
        "author": commit.author,
        "at": f"{commit.at:%Y-%m-%d %H:%M}",
        "subject": commit.subject,
    }
