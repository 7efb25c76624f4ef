"""Watching what went live, against a real HTTP server that can fall ill."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from fakes import catalog
from shop import Shop, free, now, quick, unheard

from deploy.bake import IN_A_ROW, Watched, watch, watched
from deploy.catalog import Catalog
from deploy.errors import LeaseLostError
from deploy.look import Look
from deploy.run import run_tests

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


@pytest.fixture(name="shop")
def _shop(tmp_path):
    return Shop(tmp_path)


def watched_only(shop: Shop, **place: str) -> Catalog:
    """Return the shop's configuration with no tests on staging, and its backend live there."""
    tables = quick(shop).model_dump()
    tables["environments"]["staging"] |= {"tests": None, "bake_seconds": 0.2}
    tables["environments"]["staging"]["services"]["backend"] |= place
    catalog = Catalog.model_validate(tables)
    shop.deploy(Look(catalog, clock=now), "backend", "v1.0.0", "staging")
    return catalog


def test_watching_nothing_verifies_nothing(shop) -> None:
    catalog = watched_only(shop, url=None)

    report = run_tests(catalog, "staging", clock=now, guard=free, progress=unheard)
    live = Look(catalog, clock=now).live("backend", "staging")

    assert not report.passed
    assert "nothing that is live there has a health page to watch" in report.summary
    assert live is not None
    assert not live.verified


def test_what_stays_well_is_verified_without_tests_and_what_falls_ill_is_not(shop) -> None:
    with service(b"fine") as (url, _):
        catalog = watched_only(shop, health=url)
        while_up = run_tests(catalog, "staging", clock=now, guard=free, progress=unheard)
    once_down = run_tests(catalog, "staging", clock=now, guard=free, progress=unheard)

    assert while_up.summary == "well for 0.2 s: backend"
    assert set(while_up.verified) == {"backend"}
    assert not once_down.passed
    assert once_down.summary.startswith("backend was not well")
