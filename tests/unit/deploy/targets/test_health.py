import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from shop import free

from deploy.errors import LeaseLostError
from deploy.free_ports import free_ports
from deploy.targets.health import ask, wait_until_it_runs

SHA, OTHER = "a" * 40, "b" * 40


class Service:
    """A real server that gives prepared answers, one after the other, and the last one for good."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, bytes]] = []
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                answers = service.answers
                status, body = answers.pop(0) if len(answers) > 1 else answers[0]
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/healthz"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))

    def runs(self, *shas: str) -> None:
        self.answers = [(200, json.dumps({"sha": sha}).encode()) for sha in shas]


@pytest.fixture(name="service")
def _service():
    service = Service()
    service.thread.start()
    yield service
    service.server.shutdown()
    service.thread.join()
    service.server.server_close()


def test_a_good_answer_names_the_commit(service):
    service.runs(SHA)

    assert ask(service.url).sha == SHA


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (500, b"out of\ncheese", "it answers 500: out of cheese"),
        (302, b"", "it answers 302"),
        (200, b"<html>", "its answer is not JSON: <html>"),
        (200, b'{"ok": true}', "it does not name its sha"),
        (200, b'["x"]', "it does not name its sha"),
        (200, b'{"sha": 7}', "it does not name its sha"),
    ],
)
def test_an_answer_that_is_not_good_is_described(service, status, body, says):
    service.answers = [(status, body)]

    answer = ask(service.url)

    assert answer.sha is None
    assert answer.problem is not None
    assert answer.problem.startswith(says)


def test_nobody_there_is_described():
    answer = ask(f"http://127.0.0.1:{free_ports(1)[0]}/healthz")

    assert answer.problem is not None
    assert "it does not answer" in answer.problem


def test_waiting_ends_when_the_commit_runs(service):
    service.runs(OTHER, OTHER, SHA)

    assert wait_until_it_runs(service.url, SHA, 10, free) is None


def test_it_must_run_so_many_times_in_a_row(service):
    service.runs(SHA, OTHER, SHA, SHA, OTHER, SHA, SHA, SHA, OTHER)

    assert wait_until_it_runs(service.url, SHA, 10, free, times=3) is None
    assert service.answers == [(200, json.dumps({"sha": OTHER}).encode())]


def test_waiting_in_vain_tells_what_runs_instead(service):
    service.runs(OTHER)

    assert wait_until_it_runs(service.url, SHA, 0.3, free) == "after 0.3 s, it runs 'bbbbbbb'"


def test_a_guard_ends_the_waiting(service):
    service.runs(OTHER)

    def guard() -> None:
        raise LeaseLostError("gone")

    with pytest.raises(LeaseLostError):
        wait_until_it_runs(service.url, SHA, 10, guard)
