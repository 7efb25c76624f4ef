"""One worker of a line: takes wake-ups from Redis in a plain loop, and deploys into a journal on disk.

Run as `python line_worker.py URL FOLDER`; meant to be killed at any moment.
"""

import fcntl
import json
import secrets
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import redis
from fakes import PEOPLE, FakeDeployer, plain_prompt

from deploy.catalog import Catalog
from deploy.errors import LeaseLostError, OldFenceError, SeenApprovalError
from deploy.target import Began, Ended, Guard, Live, NeverBegan, Order, Outcome, Probe, Report
from deploybot.agent import Agent
from deploybot.errors import ConflictError, StoreUnavailableError, TamperedError
from deploybot.events import StepChosen
from deploybot.lines import leave_all
from deploybot.next_step import Deploy, DoneForNow
from deploybot.operate import Operator
from deploybot.pipeline import this_turn
from deploybot.ports import Choice, Clockwork, Prompt
from deploybot.redis_safety import client
from deploybot.store import RedisStore

KEY = b"k" * 32
LEASE_SECONDS, SWEEP_SECONDS = 2.0, 0.3
PLACE = ("backend", "staging")
STEP = 0.02
"""Seconds that each of a deploy's two steps takes."""


def now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 (tests have no bootstrap)


def catalog() -> Catalog:
    """Return one service in one environment that asks nobody and tests nothing."""
    service = {"repository": "shop", "target": {"kind": "releases", "base": "/nowhere"}}
    return Catalog.model_validate(
        {
            "repositories": {"shop": {"path": "/nowhere/shop.git"}},
            "services": {"backend": service},
            "environments": {"staging": {"automatic": True, "services": {"backend": {}}}},
        }
    )


def store_at(url: str) -> RedisStore:
    return RedisStore(
        client(url), key=KEY, now=now, lease_seconds=LEASE_SECONDS, sweep_seconds=SWEEP_SECONDS
    )


@dataclass
class JournalDeployer(FakeDeployer):
    """A target that keeps what is live, and what began and ended, in one file that outlives workers."""

    folder: Path = field(default_factory=Path)

    @contextmanager
    def _journal(self) -> Iterator[list[dict[str, Any]]]:
        """Hold the file alone; whatever is added to the list is written."""
        with (self.folder / "journal").open("a+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            lines = [json.loads(line) for line in file if line.endswith("\n")]
            known = len(lines)
            yield lines
            file.write("".join(f"{json.dumps(line)}\n" for line in lines[known:]))

    def live(self, service: str, environment: str) -> Live | None:
        with self._journal() as lines:
            ended = [line for line in lines if line["what"] == "end"]
        if not ended:
            return None
        sha, approval = ended[-1]["sha"], ended[-1]["id"]
        return Live(sha=sha, release=sha[:12], since=now(), approval_id=approval, verified=False)

    def run(self, order: Order, guard: Guard, report: Report) -> Outcome:
        about = {"id": order.approval_id, "fence": order.fence, "sha": order.plan.sha}
        with self._journal() as lines:
            if any(line["id"] == order.approval_id for line in lines):
                raise SeenApprovalError("This approval has begun once already.")
            if any(line["fence"] >= order.fence for line in lines):
                raise OldFenceError("Another change was begun later.")
            lines.append({"what": "begin", **about})
        for _ in range(2):
            threading.Event().wait(STEP)
            guard()
        with self._journal() as lines:
            if any(line["what"] == "shut" and line["id"] == order.approval_id for line in lines):
                raise LeaseLostError("It was shut out.")
            lines.append({"what": "end", **about})
        return Outcome(outcome="succeeded", live_sha=order.plan.sha, seconds=2 * STEP)

    def settle(self, order: Order) -> Probe:
        about = {"id": order.approval_id, "fence": order.fence, "sha": order.plan.sha}
        with self._journal() as lines:
            seen = [line["what"] for line in lines if line["id"] == order.approval_id]
            if "end" not in seen:
                lines.append({"what": "shut", **about})
        if "end" in seen:
            return Ended(outcome="succeeded", sha=order.plan.sha, live_sha=order.plan.sha)
        if "begin" not in seen:
            return NeverBegan()
        live = self.live(*PLACE)
        return Began(last_step="build", live_sha=live.sha if live else None)

    def plan(self, *args: Any, **more: Any) -> Any:
        live = self.live(*PLACE)
        self.live_now = {PLACE: live} if live else {}
        return super().plan(*args, **more)


class Obedient:
    """A model that deploys the commit that it was told to, once."""

    def next_step(self, prompt: Prompt) -> Choice:
        thread = prompt.thread
        chose = any(isinstance(event, StepChosen) for event in this_turn(thread))
        sha = thread.standing.asked.split()[-1]
        step = Deploy(service="backend", ref=sha, environment="staging", reason="asked to")
        return Choice(DoneForNow(message="Told.") if chose else step, model="obedient")


def work(url: str, folder: Path) -> None:
    store = store_at(url)
    clock = Clockwork(now=now, new_id=lambda: secrets.token_hex(6))
    deployer = JournalDeployer(catalog(), now, store, folder=folder)
    agent = Agent(
        store=store,
        model=Obedient(),
        deployer=deployer,
        prompt=plain_prompt,
        clock=clock,
        people=PEOPLE,
    )
    operator = Operator(store=store, deployer=deployer, clock=clock)
    connection = redis.Redis.from_url(url)
    while True:
        taken = connection.blpop(["rq:queue:operations", "rq:queue:threads"], timeout=1)
        if taken is None:
            continue
        key = f"rq:job:{taken[1].decode()}"
        call, _, (thread_id,), _ = json.loads(connection.hget(key, "data"))
        connection.delete(key)
        job = call.rpartition(".")[2]
        store.queues.started(job, thread_id)
        try:
            (operator.operate if job == "operate" else agent.advance)(thread_id)
        except (ConflictError, StoreUnavailableError):
            continue  # the clock wakes it again
        except TamperedError:
            leave_all(store, thread_id, deployer.catalog)  # as `workers.jobs` does


if __name__ == "__main__":
    work(sys.argv[1], Path(sys.argv[2]))
