"""Spans over the wire, to a real collector on the loopback, and to one that is down."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import redis
from otlp_receiver import OtlpReceiver
from redis_server import emptied
from story import Story

from deploybot.next_step import DoneForNow
from deploybot.otlp import OtlpTracer, headers_of
from deploybot.redis_safety import client
from deploybot.thread import Thread
from deploybot.tracing import told, turn_of

ROOT = Path(__file__).parents[2]


@pytest.fixture
def connection(redis_url: str) -> redis.Redis:
    return emptied(redis_url)


@pytest.fixture
def thread(story: Story) -> Thread:
    return story.model_will(DoneForNow(message="done")).person_says("hello").thread


def test_the_parts_of_a_job_hang_below_it_and_it_below_the_turn(
    connection: redis.Redis, thread: Thread
) -> None:
    with OtlpReceiver() as collector:
        tracer = OtlpTracer(collector.url, connection)
        tracer.tell(*told(Thread(thread.id), thread))
        with tracer.job("advance", thread), tracer.span("ask", {"a": 1}) as learnt:
            learnt["b"] = "two"
            tracer.past("step", 0.5, {}, failed=True)
        tracer.flush()

    turn = turn_of(thread)
    (job,), (ask,), (step,) = (collector.named(name) for name in ("advance", "ask", "step"))
    (root,) = collector.named("thread")
    assert (root.trace, root.span) == (f"{turn.trace:032x}", f"{turn.span:016x}")
    assert root.parent == ""
    assert (job.parent, ask.parent, step.parent) == (root.span, job.span, ask.span)
    assert (ask.about["a"], ask.about["b"]) == (1, "two")
    assert step.failed
    assert step.end - step.start == pytest.approx(0.5, abs=0.01)
    assert len({span.trace for span in collector.spans}) == 1


def test_outside_of_a_job_nothing_is_spanned(connection: redis.Redis) -> None:
    with OtlpReceiver() as collector:
        tracer = OtlpTracer(collector.url, connection)
        with tracer.span("alone"):
            tracer.past("step", 1.0, {}, failed=False)
        tracer.flush()

    assert collector.requests == 0


def test_a_forked_job_sends_its_own_spans_before_it_ends(
    redis_url: str, connection: redis.Redis, thread: Thread
) -> None:
    with OtlpReceiver() as collector:
        tracer = OtlpTracer(collector.url, client(redis_url))
        children = []
        for _ in range(2):
            child = os.fork()
            if not child:
                with tracer.job("advance", thread):
                    pass
                tracer.flush()
                os._exit(0)
            children.append(child)
        for child in children:
            assert os.waitpid(child, 0)[1] == 0
        tracer.flush()

    assert len({span.span for span in collector.named("advance")}) == 2


@pytest.mark.parametrize("status", [400, 503])
def test_a_collector_that_refuses_costs_seconds_once_and_no_job(
    redis_url: str, connection: redis.Redis, thread: Thread, status: int
) -> None:
    with OtlpReceiver(refuses=status) as collector:
        started = time.monotonic()
        for _ in range(20):
            tracer = OtlpTracer(collector.url, client(redis_url))  # as each forked job has its own
            with tracer.job("advance", thread):
                pass
            tracer.flush()
        took = time.monotonic() - started

    assert collector.requests <= 4
    assert took < 5


def test_a_store_that_is_away_loses_spans_and_nothing_else(thread: Thread) -> None:
    tracer = OtlpTracer("http://127.0.0.1:1", client("redis://127.0.0.1:1"))

    with tracer.job("advance", thread):
        pass

    tracer.flush()


def test_headers_are_read_as_the_standard_has_them() -> None:
    assert headers_of("Api-Key=abc=, x-team = harbour ,,junk") == {
        "api-key": "abc=",
        "x-team": "harbour",
    }


def test_nothing_of_it_is_loaded_where_no_collector_is_set(redis_url: str, tmp_path: Path) -> None:
    (tmp_path / "deploybot.toml").write_text("")
    environ = {
        "DEPLOYBOT_CONFIG": str(tmp_path / "deploybot.toml"),
        "DEPLOYBOT_REDIS_URL": redis_url,
        "DEPLOYBOT_SECRET_KEY": "k" * 40,
    }
    code = (
        "import sys, deploybot.bootstrap as b\n"
        f"environ = {environ!r}\n"
        "def loaded(): return any(name.startswith('opentelemetry.exporter') for name in sys.modules)\n"
        "b.bot_from_environment(environ)\n"
        "before = loaded()\n"
        "b.bot_from_environment({**environ, 'OTEL_EXPORTER_OTLP_ENDPOINT': 'http://127.0.0.1:1'})\n"
        "print(before, loaded())\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert done.stdout == "False True\n", done.stderr
