"""Whoever answers with a redirect is not followed: a key goes where it was meant to go, and nowhere else."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import redis
from planning import Play
from story import Story

from deploy.connections import Connections
from deploy.errors import DeployError
from deploy.github import GitHub
from deploybot.errors import ModelUnavailableError
from deploybot.models.openai import OpenAIModel
from deploybot.otlp import DOWN, OtlpTracer
from deploybot.outbound.slack_calls import UnsureCallError, call, slack_client

KEY = "CANARY-key-5b1e77a0c2d94f63"


@contextmanager
def listening(leads_to: str = "", status: int = 302) -> Iterator[tuple[str, list[str]]]:
    """Yield an address that sends everybody on, or welcomes them, and who came there."""
    came: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", "0")))
            came.append(str(self.headers))
            self.send_response(status if leads_to else 200)
            if leads_to:
                self.send_header("Location", leads_to)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", "11")
            self.end_headers()
            self.wfile.write(b'{"ok":true}')

        do_POST = do_GET  # noqa: N815 - its own name

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", came
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


redirects = pytest.mark.parametrize("status", [301, 302, 303, 307, 308])


@redirects
def test_slack_leads_nobody_elsewhere(status: int) -> None:
    with listening() as (elsewhere, came), listening(f"{elsewhere}/x", status) as (slack, asked):
        client = slack_client(KEY, f"{slack}/api/")

        with pytest.raises(UnsureCallError):
            call(client.chat_postMessage, channel="C0", text="x")

    assert len(asked) == 1
    assert came == []


@redirects
def test_a_models_endpoint_leads_nobody_elsewhere(status: int) -> None:
    with listening() as (elsewhere, came), listening(f"{elsewhere}/x", status) as (there, asked):
        model = OpenAIModel("m", f"{there}/v1", KEY, timeout=5, budget=10)

        with pytest.raises(ModelUnavailableError):
            model.next_step(Play().says("hello").prompt())

        model.close()
    assert len(asked) == 1
    assert came == []


@redirects
def test_a_trace_collector_leads_nobody_elsewhere(
    connection: redis.Redis, story: Story, status: int
) -> None:
    with listening() as (elsewhere, came), listening(f"{elsewhere}/x", status) as (there, asked):
        tracer = OtlpTracer(there, connection, headers={"x-key": KEY})
        with tracer.job("advance", story.person_says("hello").thread):
            pass

        tracer.flush()

    assert KEY in asked[0]
    assert came == []
    assert connection.exists(DOWN), "it took nothing, and is left alone for a while"


@redirects
def test_github_leads_nobody_elsewhere(status: int) -> None:
    with listening() as (elsewhere, came), listening(f"{elsewhere}/x", status) as (there, asked):
        github = GitHub(Connections(github_url=there, github_token=KEY))

        with pytest.raises((DeployError, RuntimeError)):
            github.checks("harbour/shop", "a" * 40)

    assert asked
    assert came == []
