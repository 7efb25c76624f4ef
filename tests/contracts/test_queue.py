"""What we rely on in the job library, shown with its own workers on a real server."""

import json
import pickle
import subprocess
import sys
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redis
from rq import Callback, Queue, Repeat, Retry, Webhook
from rq.job import Job, JobStatus
from rq.registry import FailedJobRegistry
from rq.serializers import JSONSerializer
from rq.worker_registration import clean_worker_registry

from deploybot import vitals
from deploybot.errors import ConflictError
from deploybot.events import ApiMessageReceived, Finished
from deploybot.queue import FUNCTIONS, QUEUES, SHOWN_AGAIN, Queues, due_key, flag_key
from deploybot.store import RedisStore
from workers.worker import WorkerSettings, worker_for

TESTS = Path(__file__).parent.parent
Work = Callable[[str], str]


@pytest.fixture
def queues(connection: redis.Redis) -> Queues:
    return Queues(connection)


@pytest.fixture
def store(connection: redis.Redis) -> RedisStore:
    return RedisStore(connection, key=b"k" * 32, now=lambda: datetime.now(UTC))  # noqa: TID251


@pytest.fixture
def work(redis_url: str) -> Work:
    """Run the real worker of a queue until the queue is empty; return what it printed."""

    def run(queue: str) -> str:
        done = subprocess.run(
            (sys.executable, str(TESTS / "recording_jobs.py"), "work", queue, redis_url),
            env={"PYTHONPATH": f"{TESTS.parent}:{TESTS}"},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        return done.stdout + done.stderr

    return run


def rq_queue(connection: redis.Redis, name: str = "threads") -> Queue:
    return Queue(name, connection=connection, serializer=JSONSerializer)


def said(text: str = "hello") -> ApiMessageReceived:
    return ApiMessageReceived(
        at=datetime(2026, 5, 4, tzinfo=UTC), by="ann", delivery="api:1", text=text
    )


def ended(connection: redis.Redis, job: str) -> list[bytes]:
    return connection.lrange(f"ended:{job}", 0, -1)


def test_every_wake_up_names_a_function_in_workers_jobs() -> None:
    assert set(FUNCTIONS.values()) == {
        "workers.jobs.advance",
        "workers.jobs.operate",
        "workers.jobs.deliver",
        "workers.jobs.survey",
    }
    assert set(QUEUES.values()) == {"threads", "operations", "deliveries", "surveys"}


def test_a_stored_wake_up_has_the_fields_that_the_library_itself_stores(
    connection: redis.Redis, queues: Queues
) -> None:
    queues.wake("advance", "t1")
    (ours,) = rq_queue(connection).jobs
    theirs = rq_queue(connection).enqueue(
        "workers.jobs.advance", "t2", job_timeout=900, result_ttl=0, failure_ttl=86400
    )

    stored, expected = connection.hgetall(ours.key), connection.hgetall(theirs.key)

    changing = {b"created_at", b"enqueued_at", b"data", b"description"}
    assert stored.keys() == expected.keys()
    assert {k: v for k, v in stored.items() if k not in changing} == {
        k: v for k, v in expected.items() if k not in changing
    }
    assert (ours.func_name, tuple(ours.args), ours.kwargs) == ("workers.jobs.advance", ("t1",), {})


@pytest.mark.parametrize("job", list(QUEUES))
def test_a_wake_up_is_run_by_the_real_worker_and_leaves_nothing_behind(
    connection: redis.Redis, queues: Queues, work: Work, job: str
) -> None:
    queues.wake(job, "t1")

    work(QUEUES[job])

    assert ended(connection, job) == [b"t1"]
    assert connection.keys("rq:job:*") == []
    assert connection.keys("deploybot:wake:*") == []
    assert connection.zcard(f"rq:finished:{QUEUES[job]}") == 0


def test_a_worker_that_was_given_up_is_known_again_when_it_goes_on(
    connection: redis.Redis, redis_url: str
) -> None:
    worker = worker_for("threads", redis_url)
    worker.register_birth()
    connection.delete(worker.key)  # as when nothing was heard of it for long
    clean_worker_registry(worker.queues[0])
    given_up = vitals.look(connection).queues["threads"].workers

    worker.heartbeat()

    assert given_up == 0
    assert vitals.look(connection).queues["threads"].workers == 1


def test_a_worker_is_believed_to_live_for_as_long_as_is_set_and_no_longer(
    connection: redis.Redis, redis_url: str
) -> None:
    worker = worker_for("threads", redis_url, WorkerSettings(ttl=20))

    worker.register_birth()
    at_birth = connection.ttl(worker.key)
    worker.heartbeat()

    assert 0 < at_birth <= 20
    assert 0 < connection.ttl(worker.key) <= 20


def test_whoever_dies_while_it_clears_up_keeps_others_from_it_for_a_minute_at_most(
    connection: redis.Redis, redis_url: str
) -> None:
    died, other = (worker_for("threads", redis_url).queues[0] for _ in range(2))

    assert died.acquire_maintenance_lock()
    assert not other.acquire_maintenance_lock()
    assert 0 < connection.ttl(died.registry_cleaning_key) <= 60


def test_a_burst_of_wake_ups_costs_one_job(
    connection: redis.Redis, queues: Queues, work: Work
) -> None:
    enqueued = [queues.wake("advance", "t1") for _ in range(100)]

    work("threads")

    assert enqueued.count(True) == 1
    assert ended(connection, "advance") == [b"t1"]


def test_what_happens_after_a_job_has_started_wakes_again(
    connection: redis.Redis, queues: Queues
) -> None:
    queues.wake("advance", "t1")
    queues.started("advance", "t1")

    assert queues.wake("advance", "t1")
    assert queues.depths() == {"threads": 2, "operations": 0, "deliveries": 0, "surveys": 0}


def test_the_same_wake_up_run_many_times_is_harmless(
    connection: redis.Redis, queues: Queues, work: Work
) -> None:
    for _ in range(3):
        queues.wake("advance", "t1")
        queues.started("advance", "t1")

    work("threads")

    assert ended(connection, "advance") == [b"t1"] * 3


# -- event and job in one step -----------------------------------------------------


def test_an_append_stores_the_event_and_runnable_wake_ups_in_one_step(
    connection: redis.Redis, store: RedisStore, work: Work
) -> None:
    store.append(store.load("t1"), said())

    work("threads")
    work("deliveries")

    assert ended(connection, "advance") == [b"t1"]
    assert ended(connection, "deliver") == [b"t1"]


def test_a_refused_append_wakes_nobody(connection: redis.Redis, store: RedisStore) -> None:
    stale = store.load("t1")
    store.append(stale, said())
    before = store.queues.depths()
    store.queues.started("advance", "t1")

    with pytest.raises(ConflictError):
        store.append(stale, said())

    assert store.queues.depths() == before


def test_a_thread_that_waits_for_nobody_is_only_told(
    connection: redis.Redis, store: RedisStore
) -> None:
    thread = store.append(store.load("t1"), said())
    emptied_queues = connection.delete("rq:queue:threads", "rq:queue:deliveries")
    connection.delete(flag_key("advance", "t1"), flag_key("deliver", "t1"))
    assert emptied_queues == 2

    store.append(thread, Finished(at=said().at, by="agent:deploy", message="done"))

    assert store.queues.depths() == {"threads": 0, "operations": 0, "deliveries": 1, "surveys": 0}
    assert connection.zscore(due_key("advance"), "t1") is None
    assert connection.zscore(due_key("deliver"), "t1") is not None


def test_a_caller_that_goes_on_by_itself_is_not_woken_but_the_clock_looks_after_it(
    connection: redis.Redis, store: RedisStore
) -> None:
    store.append(store.load("t1"), said(), wake=False)

    assert store.queues.depths() == {"threads": 0, "operations": 0, "deliveries": 1, "surveys": 0}
    assert connection.zscore(due_key("advance"), "t1") is not None


def test_the_mark_for_delivery_goes_when_everything_was_told(
    connection: redis.Redis, store: RedisStore
) -> None:
    thread = store.append(store.load("t1"), said())
    store.append(thread, said("more"))

    store.delivered("t1", 1)
    assert connection.zscore(due_key("deliver"), "t1") is not None

    store.delivered("t1", 2)
    assert connection.zscore(due_key("deliver"), "t1") is None


def test_a_thread_that_was_told_is_shown_once_more_when_its_time_comes(
    connection: redis.Redis, store: RedisStore
) -> None:
    store.queues.show_again("t1", 60)
    early = store.queues.sweep("deliver", again_seconds=10)
    store.queues.show_again("t1", 0)
    in_time = store.queues.sweep("deliver", again_seconds=10)
    store.queues.show_again("t1", None)

    assert (early, in_time) == (0, 1)
    assert store.queues.depths()["deliveries"] == 1
    assert connection.zcard(SHOWN_AGAIN) == 0
    assert connection.zscore(due_key("deliver"), "t1") is None, "it is not untold"


# -- the sweep ---------------------------------------------------------------------


@pytest.fixture
def early_store(connection: redis.Redis) -> RedisStore:
    """A store whose clock is a minute late, so that everything it stores is already due."""
    return RedisStore(
        connection,
        key=b"k" * 32,
        now=lambda: datetime.now(UTC) - timedelta(minutes=1),  # noqa: TID251
    )


def test_a_thread_whose_wake_up_was_lost_is_woken_by_the_sweep(
    connection: redis.Redis, early_store: RedisStore, work: Work
) -> None:
    early_store.append(early_store.load("t1"), said())
    connection.delete("rq:queue:threads")  # lost, and the flag still says that it waits

    woken = early_store.queues.sweep("advance", again_seconds=10)
    work("threads")

    assert woken == 1
    assert ended(connection, "advance") == [b"t1"]


def test_what_is_not_due_is_left_alone(store: RedisStore) -> None:
    store.append(store.load("t1"), said())

    assert store.queues.sweep("advance", again_seconds=10) == 0
    assert store.queues.sweep("deliver", again_seconds=10) == 0


def test_a_swept_thread_is_not_swept_again_before_its_time(early_store: RedisStore) -> None:
    early_store.append(early_store.load("t1"), said())

    woken = [early_store.queues.sweep("deliver", again_seconds=10) for _ in range(3)]

    assert woken == [0, 0, 0]  # its wake-up still waits in the queue

    early_store.queues.connection.delete("rq:queue:deliveries")
    assert early_store.queues.sweep("deliver", again_seconds=10) == 0


def test_however_long_a_wake_up_waits_the_clock_makes_no_second_one(
    connection: redis.Redis, early_store: RedisStore
) -> None:
    """Else a queue that is long for half a minute only gets longer, and nobody has their turn."""
    for number in range(5):
        early_store.append(early_store.load(f"t{number}"), said())

    woken = [early_store.queues.sweep("advance", again_seconds=0) for _ in range(10)]

    assert sum(woken) == 0
    assert connection.llen("rq:queue:threads") == 5
    longest_queue = 15 * 60
    assert connection.ttl(flag_key("advance", "t0")) > longest_queue


def test_a_wake_up_that_was_lost_is_made_again_though_others_wait(
    connection: redis.Redis, early_store: RedisStore, work: Work
) -> None:
    for number in range(3):
        early_store.append(early_store.load(f"t{number}"), said())
    lost = connection.get(flag_key("advance", "t1"))
    connection.lrem("rq:queue:threads", 1, lost)

    woken = early_store.queues.sweep("advance", again_seconds=10)
    work("threads")

    assert woken == 1
    assert sorted(ended(connection, "advance")) == [b"t0", b"t1", b"t2"]


def test_one_sweep_wakes_everything_that_was_lost(
    connection: redis.Redis, early_store: RedisStore
) -> None:
    for number in range(30):
        early_store.append(early_store.load(f"t{number}"), said())
    connection.delete("rq:queue:threads")

    assert early_store.queues.sweep("advance", again_seconds=10) == 30


def test_many_sweeps_at_once_wake_no_thread_twice(
    connection: redis.Redis, early_store: RedisStore
) -> None:
    for number in range(30):
        early_store.append(early_store.load(f"t{number}"), said())
    connection.delete("rq:queue:threads")

    with ThreadPoolExecutor(6) as pool:
        sweeps = [
            pool.submit(Queues(connection).sweep, "advance", again_seconds=10) for _ in range(6)
        ]
        woken = sum(sweep.result() for sweep in sweeps)

    waiting = [job.args[0] for job in rq_queue(connection).jobs]
    assert woken >= 1
    assert woken == len(waiting) == len(set(waiting))


# -- what may not run --------------------------------------------------------------


def failed_with(connection: redis.Redis, name: str = "threads") -> str:
    registry = FailedJobRegistry(name, connection=connection, serializer=JSONSerializer)
    (job_id,) = registry.get_job_ids(cleanup=False)
    result = Job.fetch(job_id, connection=connection, serializer=JSONSerializer).latest_result()
    assert result is not None
    return result.exc_string or ""


@pytest.mark.parametrize("function", ["os.system", "subprocess.getoutput", "workers.jobs._run"])
def test_a_function_that_is_not_listed_is_refused(
    connection: redis.Redis, work: Work, tmp_path: Path, function: str
) -> None:
    rq_queue(connection).enqueue(function, f"touch {tmp_path}/pwned")

    printed = work("threads")

    assert not (tmp_path / "pwned").exists()
    assert "RefusedJobError" in failed_with(connection)
    assert "refused" in printed


def test_a_listed_function_with_other_arguments_is_refused(
    connection: redis.Redis, work: Work
) -> None:
    rq_queue(connection).enqueue("workers.jobs.advance", "t1", "more")

    work("threads")

    assert "exactly one thread" in failed_with(connection)
    assert connection.exists("started:advance") == 0


@pytest.mark.parametrize(
    ("extra", "named"),
    [
        ({"on_success": Callback("os.getcwd")}, "a callback"),
        ({"on_failure": Callback("os.getcwd")}, "a callback"),
        ({"on_stopped": Callback("os.getcwd")}, "a callback"),
        ({"retry": Retry(max=3)}, "a retry"),
        ({"repeat": Repeat(times=3)}, "a repeat"),
        ({"webhooks": [Webhook("http://127.0.0.1:1/", JobStatus.FAILED)]}, "a webhook"),
    ],
)
def test_a_job_that_carries_more_than_a_wake_up_is_refused_once(
    connection: redis.Redis, work: Work, extra: dict[str, object], named: str
) -> None:
    rq_queue(connection).enqueue("workers.jobs.advance", "t1", **extra)

    work("threads")

    assert named in failed_with(connection)
    assert connection.exists("started:advance") == 0


class Bomb:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (self.path,)


def test_a_planted_pickle_is_not_opened(
    connection: redis.Redis, queues: Queues, work: Work, tmp_path: Path
) -> None:
    queues.wake("advance", "t1")
    (job,) = rq_queue(connection).jobs
    connection.hset(job.key, "data", zlib.compress(pickle.dumps(Bomb(tmp_path / "pwned"))))

    work("threads")

    assert not (tmp_path / "pwned").exists()
    assert connection.exists("started:advance") == 0


def test_a_job_that_crashes_is_not_run_again_by_the_library(
    connection: redis.Redis, queues: Queues, work: Work
) -> None:
    connection.set("crash:t1", 1)
    queues.wake("advance", "t1")

    work("threads")
    work("threads")

    assert connection.llen("started:advance") == 1
    assert "told to crash" in failed_with(connection)


def test_a_wake_up_carries_the_thread_id_and_nothing_else(
    connection: redis.Redis, store: RedisStore
) -> None:
    store.append(store.load("t1"), said("the password is hunter2"))

    for name in QUEUES.values():
        for job in rq_queue(connection, name).jobs:
            raw = connection.hget(job.key, "data")
            assert json.loads(raw)[2:] == [["t1"], {}]
            assert b"hunter2" not in b"".join(connection.hvals(job.key))
