"""What the API keeps in Redis: how often a token calls, what was answered, and what has changed."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
import redis
from fastapi.responses import JSONResponse

from deploybot.events import ApiMessageReceived
from deploybot.memory import MemoryStore
from deploybot.store import RedisStore
from deploybot.web.api_bodies import NewMessage
from deploybot.web.bearer import Caller
from deploybot.web.idempotency import Answers, Call, MemoryAnswers, RedisAnswers, once
from deploybot.web.limits import RedisLimits
from deploybot.web.problem import ProblemError

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
BODY = NewMessage(text="wait")


@pytest.fixture(params=["redis", "memory"])
def answers(request: pytest.FixtureRequest, connection: redis.Redis) -> Answers:
    return RedisAnswers(connection) if request.param == "redis" else MemoryAnswers()


def call(key: str = "k", *, token: str = "ann", path: str = "/api/threads") -> Call:
    return Call(Caller(token, token), "POST", path, key, fresh="r1")


class Done:
    """Counts how often something is done, and answers with the number."""

    def __init__(self, status: int = 200) -> None:
        self.status = status
        self.times = 0

    def __call__(self) -> JSONResponse:
        self.times += 1
        return JSONResponse({"times": self.times}, self.status, {"Location": "/here"})


# -- the same call again -----------------------------------------------------------


def test_the_same_call_is_answered_from_what_was_kept(answers: Answers) -> None:
    do = Done(201)

    first, again = (once(answers, call(), BODY, do) for _ in range(2))

    assert (do.times, first.body) == (1, again.body)
    assert (again.status_code, again.headers["location"]) == (201, "/here")
    assert again.headers["idempotency-replayed"] == "true"
    assert again.headers["content-type"] == first.headers["content-type"]


@pytest.mark.parametrize(
    ("other", "body"),
    [(call(), NewMessage(text="go")), (call(path="/api/threads/t1/messages"), BODY)],
)
def test_the_same_key_for_something_else_is_refused(
    answers: Answers, other: Call, body: NewMessage
) -> None:
    do = Done()
    once(answers, call(), BODY, do)

    assert once(answers, other, body, do).status_code == 409
    assert do.times == 1


@pytest.mark.parametrize("other", [call("k2"), call(token="ben"), call("")])
def test_another_key_or_token_is_another_call(answers: Answers, other: Call) -> None:
    do = Done()
    once(answers, call(), BODY, do)

    once(answers, other, NewMessage(text="go"), do)

    assert do.times == 2


def test_what_was_begun_and_never_answered_is_done_again(answers: Answers) -> None:
    do = Done()
    answers.begin(call().delivery, call().print_of(BODY))

    assert once(answers, call(), BODY, do).status_code == 200
    assert once(answers, call(), NewMessage(text="go"), do).status_code == 409
    assert do.times == 1


def test_a_failure_that_another_try_may_mend_is_not_kept(answers: Answers) -> None:
    once(answers, call(), BODY, Done(503))

    assert once(answers, call(), BODY, Done(200)).status_code == 200


# -- how often ---------------------------------------------------------------------


def test_a_call_too_many_is_refused_and_told_when_to_come_again(connection: redis.Redis) -> None:
    limits = RedisLimits(connection, reads="1000/minute", writes="3/minute")
    for _ in range(3):
        limits.count("ann", writes=True)

    with pytest.raises(ProblemError) as refused:
        limits.count("ann", writes=True)

    assert (refused.value.status, refused.value.reason_code) == (429, "too_many_requests")
    assert 1 <= int(refused.value.headers["Retry-After"]) <= 121
    limits.count("ann", writes=False)
    limits.count("ben", writes=True)


def test_web_processes_count_together(connection: redis.Redis, redis_url: str) -> None:
    both = [RedisLimits(connection, reads="50/hour", writes="1/hour") for _ in range(2)]

    def passes(number: int) -> bool:
        try:
            both[number % 2].count("ann", writes=False)
        except ProblemError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        passed = sum(pool.map(passes, range(80)))

    assert passed == 50


# -- what has changed --------------------------------------------------------------


@pytest.fixture(params=["redis", "memory"])
def store(request: pytest.FixtureRequest, connection: redis.Redis) -> RedisStore | MemoryStore:
    if request.param == "memory":
        return MemoryStore(now=lambda: NOON)
    return RedisStore(connection, key=b"k" * 32, now=lambda: NOON)


def test_a_store_tells_what_was_written_since(store: RedisStore | MemoryStore) -> None:
    def write(thread_id: str) -> None:
        thread = store.load(thread_id)
        key = f"{thread_id}:{len(thread.events)}"
        store.append(thread, ApiMessageReceived(at=NOON, by="ann", delivery=key, text="a"))

    assert (store.changed(None), store.written([]), store.written(["t1"])) == ({}, (), (None,))
    write("t1")
    write("t2")
    last = store.changed(None)
    write("t3")
    write("t1")
    since = store.changed(max(last.values()))

    assert set(last) == {"t2"}
    assert set(since) == {"t1", "t2", "t3"}
    assert store.written(["t1", "t9", "t3"]) == (since["t1"], None, since["t3"])
    assert since["t2"] < since["t3"] < since["t1"]
