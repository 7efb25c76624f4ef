"""Many ask for one place at once, and the workers die: one at a time, in order, and nobody is forgotten."""

import json
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from fakes import PEOPLE, sha_of
from line_worker import PLACE, catalog, now, store_at
from redis_server import running_server, wait_until

from deploybot.events import (
    ApiMessageReceived,
    DeployOutcomeUnknown,
    DeploySucceeded,
    Finished,
    LinedUp,
)
from deploybot.holding import Holding
from deploybot.inbox import Inbox, Settling
from deploybot.outbox import tellings
from deploybot.ports import Clockwork
from deploybot.redis_safety import client
from deploybot.store import RedisStore
from deploybot.thread import Status
from workers.clock import Clock, ClockSettings

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent.parent
WORKERS = 4
CLOCK = Clockwork(now=now, new_id=lambda: "unused")


class Company:
    """A Redis, a clock, and workers that can be killed; people who ask, lock and settle."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.folder = url, folder
        self.store: RedisStore = store_at(url)
        self.inbox = Inbox(self.store, PEOPLE, CLOCK)
        self.holding = Holding(self.store, catalog(), PEOPLE, CLOCK)
        self.workers: list[subprocess.Popen[bytes]] = []

    def start_workers(self) -> None:
        path = f"{ROOT}:{ROOT}/tests"
        self.workers = [
            subprocess.Popen(
                [sys.executable, str(ROOT / "tests/line_worker.py"), self.url, str(self.folder)],
                env={"PYTHONPATH": path},
            )
            for _ in range(WORKERS)
        ]  # fmt: skip

    def kill_workers_in_the_middle(self) -> None:
        """Kill them all while one of them deploys."""
        while True:
            self._signal(signal.SIGSTOP)
            if self.journal()[-1]["what"] == "begin":
                break
            self._signal(signal.SIGCONT)
            threading.Event().wait(0.01)
        self.kill_workers()

    def _signal(self, number: signal.Signals) -> None:
        for worker in self.workers:
            worker.send_signal(number)

    def kill_workers(self) -> None:
        for worker in self.workers:
            worker.send_signal(signal.SIGKILL)
        for worker in self.workers:
            worker.wait(20)

    def asks(self, number: int) -> str:
        thread = f"t{number}"
        text = f"deploy backend {sha_of(thread)}"
        said = ApiMessageReceived(at=now(), by="eve", delivery=f"d{number}", text=text)
        self.inbox.hear(thread, said, dedupe=(said.delivery,))
        return thread

    def journal(self) -> list[dict[str, str]]:
        file = self.folder / "journal"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def count(self, what: str) -> int:
        return sum(line["what"] == what for line in self.journal())

    def settle_the_unknown(self) -> None:
        """Say how each deploy ended that a worker died with, as a person would who looked there."""
        for thread_id in self.store.list(status=Status.OUTCOME_UNKNOWN, limit=20).threads:
            thread = self.store.load(thread_id)
            if thread.standing.request:
                self.inbox.settle(
                    Settling(
                        thread=thread_id,
                        request_id=thread.standing.request.id,
                        outcome="failed",
                        by="ann",
                        delivery=f"settle:{thread_id}",
                    )
                )

    def has_ended(self, number: int) -> bool:
        self.settle_the_unknown()
        return self.count("end") >= number

    def all_at_rest(self, threads: list[str]) -> bool:
        self.settle_the_unknown()
        done = set(self.store.list(status=Status.DONE, limit=len(threads) + 10).threads)
        return done >= set(threads)


@pytest.fixture
def company(tmp_path: Path) -> Iterator[Company]:
    with running_server() as url, ticking(url):
        company = Company(url, tmp_path)
        company.start_workers()
        try:
            yield company
        finally:
            company.kill_workers()


@contextmanager
def ticking(url: str) -> Iterator[None]:
    stop = threading.Event()
    clock = Clock(client(url), ClockSettings(tick_seconds=0.1, sweep_seconds=0.3))
    thread = threading.Thread(target=clock.run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(10)


@pytest.mark.row(34)
@pytest.mark.parametrize("requests", [60, pytest.param(200, marks=pytest.mark.benchmark)])
def test_all_get_their_turn_in_order_though_every_worker_dies(
    company: Company, requests: int
) -> None:
    early = requests * 2 // 3
    company.holding.lock(*PLACE, by="mia", delivery="l1", reason="wait for all of them")
    with ThreadPoolExecutor(16) as pool:
        threads = list(pool.map(company.asks, range(early)))
        wait_until(lambda: len(company.store.line(*PLACE)) == early, 60)
        line = company.store.line(*PLACE)
        company.holding.unlock(*PLACE, by="mia", delivery="l2")
        threads += pool.map(company.asks, range(early, requests))
    for share in (4, 2):
        wait_until(partial(company.has_ended, requests // share), 120)
        company.kill_workers_in_the_middle()
        company.start_workers()
    wait_until(lambda: company.all_at_rest(threads), 240)

    began = [line["id"] for line in company.journal() if line["what"] == "begin"]
    assert company.count("shut") == company.count("begin") - company.count("end") >= 2
    assert max(Counter(began).values()) == 1
    assert_nothing_overlaps(company.journal())
    assert_everybody_is_told(company, threads)
    assert company.store.operation(*PLACE) is None
    assert company.store.line(*PLACE) == ()
    once = [name for name in line if times_in_line(company, name) == 1]
    assert len(once) >= early - 2 * WORKERS
    by_sha = {sha_of(name): name for name in once}
    shas = [line["sha"] for line in company.journal() if line["what"] == "begin"]
    assert [by_sha[sha] for sha in shas if sha in by_sha] == once


def times_in_line(company: Company, name: str) -> int:
    return sum(isinstance(event, LinedUp) for event in company.store.load(name).events)


def assert_nothing_overlaps(journal: list[dict[str, str]]) -> None:
    running = None
    for line in journal:
        if line["what"] == "begin":
            assert running is None, f"{line['id']} began while {running} ran"
            running = line["id"]
        elif line["id"] == running:
            running = None


def assert_everybody_is_told(company: Company, threads: list[str]) -> None:
    """Each thread went live, or a worker died with it and a person said so; each has a last word."""
    for name in threads:
        thread = company.store.load(name)
        kinds = {type(event) for event in thread.events}
        assert kinds & {DeploySucceeded, DeployOutcomeUnknown}, thread.events[-3:]
        assert isinstance(thread.events[-1], Finished)
        assert tellings(thread)


def test_who_waits_goes_on_when_the_lock_runs_out_and_nobody_says_so(company: Company) -> None:
    company.holding.lock(*PLACE, by="mia", delivery="l1", reason="a moment")
    company.asks(1)
    wait_until(lambda: company.store.load("t1").status is Status.IN_LINE, 20)
    waits = company.store.load("t1").events[-1]
    assert isinstance(waits, LinedUp)
    assert "locked by mia" in waits.why
    ends = now() + timedelta(seconds=1)
    company.holding.extend(*PLACE, by="mia", delivery="l2", until=ends)

    wait_until(lambda: company.all_at_rest(["t1"]), 30)

    assert company.count("end") == 1
