"""What goes wrong: processes are killed, Redis restarted, Slack and the mail server moody; by a seed."""

import random
import threading
import time
from collections import Counter

from soak.company import SoakCompany, children, kill

from deploybot.demo.workspace.faults import Fault

REDIS_SECONDS = (5.0, 40.0)
"""Between two restarts."""
DOWN_SECONDS = 2.0
WEB_SECONDS = (4.0, 16.0)
FAULTS = (
    Fault(method="chat.postMessage", kind="ratelimit", seconds=1, count=2),
    Fault(method="*", kind="ratelimit", seconds=1),
    Fault(method="*", kind="status", status=500, count=2),
    Fault(method="chat.postMessage", kind="drop_after"),
    Fault(method="chat.postMessage", kind="drop_before"),
    Fault(method="chat.update", kind="drop_after"),
    Fault(method="*", kind="delay", seconds=12),
)
"""429, 500 and nothing: cut before and after the work, and an answer later than anybody waits."""


class Monkey:
    """Breaks things from threads of its own until it is stopped; counts what it broke."""

    def __init__(self, company: SoakCompany, seed: int, kills_per_second: float) -> None:
        self._company = company
        self._seed = seed
        self._pause = 1 / kills_per_second
        self._stop = threading.Event()
        self.broken: Counter[str] = Counter()
        self.failures: list[str] = []
        self._threads = [
            threading.Thread(target=self._guarded, args=(act,), name=act.__name__)
            for act in (self._kills, self._kills_web, self._restarts_redis, self._disturbs)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Break nothing more, and leave everything running and in a good mood."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self._company.workspace.faults.clear()
        self._company.sink.answers.clear()
        self._company.model.calm = True
        self._company.supervise()
        if self._company.web.has_died:
            self._company.start_web()

    @property
    def kills(self) -> int:
        """How often a process was killed, Redis among them."""
        return sum(times for what, times in self.broken.items() if what.startswith("killed"))

    @property
    def restarts(self) -> int:
        return sum(times for what, times in self.broken.items() if what.startswith("restarted"))

    def _guarded(self, act: object) -> None:
        try:
            act()  # type: ignore[operator]
        except Exception as error:  # noqa: BLE001 - told at the end
            self.failures.append(f"the monkey fell: {error!r}"[:500])

    def _kills(self) -> None:
        chance = random.Random(f"{self._seed}/kills")
        while not self._stop.wait(self._pause * chance.uniform(0.5, 1.5)):
            self.broken["restarted: pool"] += self._company.supervise()
            kind = chance.choices(("job", "worker", "pool"), (65, 33, 2))[0]
            getattr(self, f"_kill_{kind}")(chance)

    def _kill_job(self, chance: random.Random) -> None:
        """A worker's child, in the middle of whatever it does: waits for one, it comes soon."""
        for _ in range(50):
            jobs = [job for worker in self._company.workers for job in children(worker)]
            if jobs:
                self.broken["killed: job"] += kill(chance.choice(jobs))
                return
            if self._stop.wait(0.02):
                return
        self._kill_worker(chance)

    def _kill_worker(self, chance: random.Random) -> None:
        """A worker with its job; the clock is one of them."""
        if workers := self._company.workers:
            worker = chance.choice(workers)
            jobs = children(worker)
            died = kill(worker)
            self.broken["killed: worker"] += died
            self.broken["killed: its job"] += sum(kill(job) for job in jobs)

    def _kills_web(self) -> None:
        """The web process, as soon as it is up again and has been of use for a while."""
        chance = random.Random(f"{self._seed}/web")
        while not self._stop.wait(chance.uniform(*WEB_SECONDS)):
            self._company.web.kill()
            self.broken["killed: web"] += 1
            self._company.start_web()
            self.broken["restarted: web"] += 1

    def _kill_pool(self, chance: random.Random) -> None:
        self._company.kill_pool()
        self.broken["killed: pool"] += 1
        self.broken["restarted: pool"] += 1

    def _restarts_redis(self) -> None:
        chance = random.Random(f"{self._seed}/redis")
        low, high = REDIS_SECONDS
        while not self._stop.wait(chance.uniform(low, high)):
            self._company.restart_redis(chance.uniform(0, DOWN_SECONDS), self._stop)
            self.broken["killed: redis"] += 1
            self.broken["restarted: redis"] += 1

    def _disturbs(self) -> None:
        chance = random.Random(f"{self._seed}/slack")
        until = 0.0
        while not self._stop.wait(chance.uniform(0.5, 2.5)):
            fault = chance.choice(FAULTS)
            self._company.workspace.faults.add(fault)
            self.broken[f"slack: {fault.kind}"] += fault.count
            if time.monotonic() > until:
                self._company.sink.answers.pop("data", None)
            if chance.random() < 0.1:
                self._company.sink.answers["data"] = "451 try again later"
                self.broken["mail: refused for a while"] += 1
                until = time.monotonic() + 3
