"""Watching what went live, against a real HTTP server that can fall ill."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from fakes import catalog

from deploy.bake import IN_A_ROW, Watched, watch, watched
from deploy.errors import LeaseLostError

SHA = "a" * 40


@contextmanager
def service(*answers: bytes | None) -> Iterator[tuple[str, list[str]]]:
    """Serve these answers one after the other, the last one for ever; None is a 500."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = answers[min(len(asked), len(answers) - 1)]
            asked.append(self.path)
            self.send_response(200 if body is not None else 500)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/healthz", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def well(sha: str = SHA) -> bytes:
    return b'{"sha": "%s"}' % sha.encode()


def free() -> None:
    """Guard nothing."""


def test_what_stays_well_passes_after_the_time() -> None:
    with service(well()) as (url, asked):
        assert watch((Watched("backend", url, SHA),), 0.3, free) is None
        assert len(asked) > 1


def test_what_falls_ill_is_named_with_what_it_said() -> None:
    with service(well(), None) as (url, asked):
        problem = watch((Watched("backend", url, SHA),), 30, free)

    assert problem is not None
    assert problem.startswith("backend was not well")
    assert "500" in problem
    assert len(asked) == 1 + IN_A_ROW


def test_one_bad_answer_alone_is_no_failure() -> None:
    with service(well(), None, well()) as (url, _):
        assert watch((Watched("backend", url, SHA),), 0.3, free) is None


def test_an_illness_that_is_there_as_the_time_ends_is_still_looked_into() -> None:
    with service(None) as (url, _):
        assert watch((Watched("backend", url, SHA),), 0.01, free) is not None


def test_another_commit_behind_the_address_is_no_health() -> None:
    with service(well("b" * 40)) as (url, _):
        problem = watch((Watched("backend", url, SHA),), 30, free)

    assert problem is not None
    assert "it runs bbbbbbb" in problem


def test_a_page_that_names_no_commit_is_enough_where_it_is_configured_as_such() -> None:
    with service(b"fine") as (url, _):
        assert watch((Watched("backend", url, None),), 0.2, free) is None


def test_the_guard_ends_the_watch() -> None:
    def lost() -> None:
        raise LeaseLostError("gone")

    with service(well()) as (url, _):
        try:
            watch((Watched("backend", url, SHA),), 30, lost)
        except LeaseLostError:
            return
    raise AssertionError("the watch went on without its lease")


def test_only_what_is_live_and_has_a_page_is_watched() -> None:
    assert watched(catalog(), "production", {}) == ()
