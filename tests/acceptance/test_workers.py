"""The real pool: its workers and its clock as processes, killed and stopped as hosts do it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redis
from redis_server import wait_until

from deploybot import vitals
from deploybot.embedded import EmbeddedServer, url_of
from deploybot.events import ApiMessageReceived
from deploybot.queue import QUEUES, Queues
from deploybot.redis_safety import client
from deploybot.store import RedisStore
from workers.clock import LEASE_KEY, Clock, ClockSettings

TESTS = Path(__file__).parent.parent
SWEEP = 0.5
StartPool = Callable[[], subprocess.Popen[str]]


@pytest.fixture
def queues(connection: redis.Redis) -> Queues:
    return Queues(connection)


@pytest.fixture
def store(connection: redis.Redis) -> RedisStore:
    """A store whose clock is late, so that the sweep need not be waited for."""
    return RedisStore(
        connection,
        key=b"k" * 32,
        now=lambda: datetime.now(UTC) - timedelta(seconds=20),  # noqa: TID251
    )


@pytest.fixture
def start_pool(redis_url: str, connection: redis.Redis, tmp_path: Path) -> Iterator[StartPool]:
    pools: list[subprocess.Popen[str]] = []

    def start() -> subprocess.Popen[str]:
        log = (tmp_path / "pool.log").open("a")
        pool = subprocess.Popen(
            (sys.executable, str(TESTS / "recording_jobs.py"), "pool", redis_url, str(SWEEP)),
            env={"PYTHONPATH": f"{TESTS.parent}:{TESTS}"},
            stdout=log,
            stderr=log,
            text=True,
        )
        log.close()
        pools.append(pool)
        wait_until(lambda: len(connection.smembers("rq:workers")) >= len(QUEUES))
        return pool

    yield start
    connection.delete("hold:t1")
    for pool in pools:
        pool.terminate()
        pool.wait(30)


def said(number: int = 1) -> ApiMessageReceived:
    return ApiMessageReceived(
        at=datetime(2026, 5, 4, tzinfo=UTC), by="ann", delivery=f"api:{number}", text="hello"
    )


def started(connection: redis.Redis, job: str) -> list[tuple[str, int, int]]:
    """Return thread, job process and worker process of each job that has started."""
    rows = [row.decode().split() for row in connection.lrange(f"started:{job}", 0, -1)]
    return [(thread, int(pid), int(worker)) for thread, pid, worker in rows]


def children_of(pid: int) -> set[int]:
    return set(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


def counted(connection: redis.Redis) -> set[int]:
    """Return how many workers are taken for living ones, whatever queue they serve."""
    return {line.workers for line in vitals.look(connection).queues.values()}


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_every_queue_is_worked_while_another_is_busy(
    connection: redis.Redis, queues: Queues, start_pool: StartPool
) -> None:
    start_pool()
    connection.set("hold:t1", 1)

    queues.wake("operate", "t1")
    wait_until(lambda: started(connection, "operate"))
    queues.wake("advance", "t2")
    queues.wake("deliver", "t3")

    wait_until(lambda: connection.exists("ended:advance", "ended:deliver") == 2)
    assert connection.llen("ended:operate") == 0


def test_a_thread_goes_on_after_its_worker_and_its_job_were_killed(
    connection: redis.Redis, store: RedisStore, start_pool: StartPool
) -> None:
    start_pool()
    connection.set("hold:t1", 1)
    store.append(store.load("t1"), said())
    wait_until(lambda: started(connection, "advance"))
    _, job, worker = started(connection, "advance")[0]

    os.kill(worker, signal.SIGKILL)
    os.kill(job, signal.SIGKILL)
    connection.delete("hold:t1")

    wait_until(lambda: connection.llen("ended:advance"), seconds=SWEEP + 10)


def test_a_job_dies_with_its_worker(
    connection: redis.Redis, queues: Queues, start_pool: StartPool
) -> None:
    start_pool()
    connection.set("hold:t1", 1)
    queues.wake("operate", "t1")
    wait_until(lambda: started(connection, "operate"))
    _, job, worker = started(connection, "operate")[0]

    os.kill(worker, signal.SIGKILL)

    wait_until(lambda: not is_alive(job))
    connection.delete("hold:t1")
    assert connection.llen("ended:operate") == 0


def test_a_dead_worker_is_replaced_at_once(
    connection: redis.Redis, queues: Queues, start_pool: StartPool
) -> None:
    pool = start_pool()
    before = children_of(pool.pid)

    for pid in before:
        os.kill(pid, signal.SIGKILL)

    wait_until(lambda: len(children_of(pool.pid) - before) == len(before))
    queues.wake("advance", "t1")
    wait_until(lambda: connection.llen("ended:advance"))


def test_whoever_replaces_a_dead_worker_bears_its_name_and_is_counted_once(
    connection: redis.Redis, start_pool: StartPool
) -> None:
    pool = start_pool()
    names = connection.smembers("rq:workers")

    for _ in range(3):
        before = children_of(pool.pid)
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda before=before: len(children_of(pool.pid) - before) == len(before))

    wait_until(lambda: counted(connection) == {1})
    assert connection.smembers("rq:workers") == names


def test_dead_workers_that_nobody_replaces_are_soon_not_counted(
    connection: redis.Redis, start_pool: StartPool
) -> None:
    pool = start_pool()
    wait_until(lambda: counted(connection) == {1})

    pool.send_signal(signal.SIGSTOP)
    try:
        for pid in children_of(pool.pid):
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: counted(connection) == {0}, seconds=60)
    finally:
        pool.send_signal(signal.SIGCONT)

    wait_until(lambda: counted(connection) == {1})


def test_what_costs_time_is_done_once_a_worker_and_not_once_a_job(
    connection: redis.Redis, queues: Queues, start_pool: StartPool
) -> None:
    start_pool()

    for number in range(3):
        queues.wake("advance", f"t{number}")
    wait_until(lambda: connection.llen("ended:advance") == 3)

    workers = {worker for _, _, worker in started(connection, "advance")}
    assert workers < set(map(int, connection.lrange("warmed", 0, -1)))
    assert connection.llen("warmed") == len(QUEUES)


def test_on_request_every_process_is_renewed_after_its_job(
    connection: redis.Redis, queues: Queues, start_pool: StartPool
) -> None:
    pool = start_pool()
    before = children_of(pool.pid)
    connection.set("hold:t1", 1)
    queues.wake("operate", "t1")
    wait_until(lambda: started(connection, "operate"))

    pool.send_signal(signal.SIGHUP)
    wait_until(lambda: len(children_of(pool.pid) & before) == 1)
    connection.delete("hold:t1")

    wait_until(lambda: not children_of(pool.pid) & before)
    assert connection.lrange("ended:operate", 0, -1) == [b"t1"]
    queues.wake("operate", "t2")
    wait_until(lambda: connection.llen("ended:operate") == 2)


def test_a_stop_waits_for_the_running_job_and_starts_no_other(
    connection: redis.Redis, queues: Queues, start_pool: StartPool
) -> None:
    pool = start_pool()
    connection.set("hold:t1", 1)
    queues.wake("operate", "t1")
    wait_until(lambda: started(connection, "operate"))
    queues.wake("operate", "t2")

    pool.send_signal(signal.SIGTERM)
    wait_until(lambda: len(children_of(pool.pid)) == 1)
    connection.delete("hold:t1")

    assert pool.wait(20) == 0
    assert connection.lrange("ended:operate", 0, -1) == [b"t1"]
    assert [thread for thread, _, _ in started(connection, "operate")] == ["t1"]


def test_when_the_pool_is_killed_its_processes_end_after_their_job(
    connection: redis.Redis, queues: Queues, start_pool: StartPool
) -> None:
    pool = start_pool()
    children = children_of(pool.pid)
    connection.set("hold:t1", 1)
    queues.wake("operate", "t1")
    wait_until(lambda: started(connection, "operate"))
    _, _, worker = started(connection, "operate")[0]

    pool.kill()
    pool.wait()

    wait_until(lambda: not any(is_alive(pid) for pid in children - {worker}))
    connection.delete("hold:t1")
    wait_until(lambda: not is_alive(worker))
    assert connection.lrange("ended:operate", 0, -1) == [b"t1"]


def test_a_wake_up_that_got_lost_is_made_again_by_the_clock(
    connection: redis.Redis, store: RedisStore, start_pool: StartPool
) -> None:
    store.append(store.load("t1"), said())
    connection.delete("rq:queue:threads", "rq:queue:deliveries")

    start_pool()

    wait_until(lambda: connection.exists("ended:advance", "ended:deliver") == 2)


def test_the_workers_go_on_when_redis_comes_back(tmp_path: Path) -> None:
    server = EmbeddedServer.start(tmp_path / "redis")
    pool = subprocess.Popen(
        (sys.executable, str(TESTS / "recording_jobs.py"), "pool", server.url, str(SWEEP)),
        env={"PYTHONPATH": f"{TESTS.parent}:{TESTS}"},
        stderr=subprocess.DEVNULL,
    )
    connection = client(server.url)
    wait_until(lambda: len(connection.smembers("rq:workers")) == len(QUEUES))

    server.stop()
    server = EmbeddedServer.start(tmp_path / "redis")
    connection = client(server.url)
    Queues(connection).wake("advance", "t1")

    wait_until(lambda: connection.llen("ended:advance"), seconds=40)
    pool.terminate()
    assert pool.wait(30) == 0
    server.stop()


def test_a_pool_that_cannot_reach_redis_tries_ever_more_slowly_until_it_can(
    tmp_path: Path,
) -> None:
    log = tmp_path / "pool.log"
    with log.open("w") as file:
        pool = subprocess.Popen(
            (
                sys.executable,
                str(TESTS / "recording_jobs.py"),
                "pool",
                url_of(tmp_path / "redis"),
                "1",
            ),
            env={"PYTHONPATH": f"{TESTS.parent}:{TESTS}"},
            stderr=file,
        )
    wait_until(lambda: log.read_text().count("a process ended unasked") >= 12)
    started_at = time.monotonic()
    wait_until(lambda: log.read_text().count("a process ended unasked") >= 20)
    assert time.monotonic() - started_at > 0.5

    with EmbeddedServer.start(tmp_path / "redis") as server:
        connection = client(server.url)
        Queues(connection).wake("advance", "t1")
        wait_until(lambda: connection.llen("ended:advance"))
        pool.terminate()
        assert pool.wait(30) == 0


def test_of_two_clocks_one_sweeps_and_the_other_takes_over(
    connection: redis.Redis,
) -> None:
    settings = ClockSettings(tick_seconds=0.05, sweep_seconds=0.01, lease_seconds=0.3)
    ticks: list[str] = []
    first = Clock(connection, settings, also=[lambda: ticks.append("first")])
    second = Clock(connection, settings, also=[lambda: ticks.append("second")])

    for _ in range(3):
        first.tick()
        second.tick()
    assert set(ticks) == {"first"}

    wait_until(lambda: not connection.exists(LEASE_KEY))
    second.tick()

    assert ticks[-1] == "second"


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"DEPLOYBOT_REDIS_URL": "http://127.0.0.1/"}, "DEPLOYBOT_REDIS_URL"),
        ({"DEPLOYBOT_SWEEP_SECONDS": "often"}, "DEPLOYBOT_SWEEP_SECONDS"),
    ],
)
def test_a_wrong_setting_stops_the_start_with_one_line_that_names_it(
    settings: dict[str, str], named: str
) -> None:
    refused = subprocess.run(
        (sys.executable, "-m", "workers"),
        env={"PYTHONPATH": str(TESTS.parent), **settings},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1
    assert named in refused.stderr


@pytest.mark.row(23)
def test_workers_refuse_a_redis_that_can_lose_threads(
    connection: redis.Redis, redis_url: str
) -> None:
    connection.config_set("maxmemory-policy", "allkeys-lru")
    try:
        refused = subprocess.run(
            (sys.executable, "-m", "workers"),
            env={"PYTHONPATH": str(TESTS.parent), "DEPLOYBOT_REDIS_URL": redis_url},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    finally:
        connection.config_set("maxmemory-policy", "noeviction")

    assert refused.returncode == 2
    assert "maxmemory-policy" in refused.stderr
