"""Calls to a web process that is slow, dies in the middle, redirects, or is none."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from deploy.free_ports import free_ports
from deploybot.cli.client import OPENED, Client, RefusedError, UnreachableError, thread_path

Answer = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """Does what the test says with each request, and keeps its headers and body."""

    protocol_version = "HTTP/1.1"
    server: "Server"

    def handle_one(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        self.server.got.append(
            (self.command, self.path, dict(self.headers), self.rfile.read(length))
        )
        answers = self.server.answers
        (answers.pop(0) if len(answers) > 1 else answers[0])(self)

    do_GET = do_POST = do_PUT = do_DELETE = handle_one  # noqa: N815 - what the library calls

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    """A web process of the test's own."""

    answers: list[Answer]
    got: list[tuple[str, str, dict[str, str], bytes]]


@contextmanager
def serving(*answers: Answer) -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as server:
        server.answers, server.got = list(answers), []
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def client(server: Server, **settings: object) -> Client:
    url = f"http://127.0.0.1:{server.server_port}"
    return Client(url, "a-secret-token", **{"patience": 5.0, **settings})


def says(status: int, body: object, **headers: str) -> Answer:
    def answer(handler: Handler) -> None:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(raw)))
        handler.end_headers()
        handler.wfile.write(raw)

    return answer


def dies(handler: Handler) -> None:
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


def test_what_got_no_answer_is_sent_again_under_the_same_key():
    with serving(dies, dies, says(201, {"id": "t1"})) as server:
        assert client(server).post("/api/threads", {"text": "hello"}) == {"id": "t1"}

        keys = [headers["Idempotency-Key"] for _, _, headers, _ in server.got]
        bodies = {body for _, _, _, body in server.got}

    assert len(keys) == 3
    assert len(set(keys)) == 1
    assert bodies == {b'{"text": "hello"}'}


def test_two_calls_have_two_keys():
    with serving(says(200, {})) as server:
        client(server).post("/a")
        client(server).post("/a")

        keys = {headers["Idempotency-Key"] for _, _, headers, _ in server.got}

    assert len(keys) == 2


@pytest.mark.parametrize("status", [429, 503])
def test_a_web_process_that_is_busy_is_asked_again(status):
    busy = says(status, {"detail": "Not now."})

    with serving(busy, says(200, {"ok": True})) as server:
        assert client(server).get("/api/threads") == {"ok": True}


def test_a_refusal_is_its_sentence_and_is_not_repeated():
    no = says(409, {"detail": "Too late; nothing changed.", "reason_code": "closed"})

    with serving(no) as server:
        with pytest.raises(RefusedError, match=r"^Too late; nothing changed\.$") as refused:
            client(server).post("/a")
        assert len(server.got) == 1

    assert (refused.value.status, refused.value.reason_code) == (409, "closed")


def test_a_token_is_not_carried_to_where_a_redirect_points():
    with serving(says(200, {"stolen": True})) as other:
        away = says(307, b"", Location=f"http://127.0.0.1:{other.server_port}/api/threads")
        with serving(away) as server, pytest.raises(RefusedError, match="DEPLOYBOT_URL"):
            client(server).get("/api/threads")
        assert other.got == []


@pytest.mark.parametrize("body", [b"<html>", b"[1]", b'"text"', b"\xff"])
def test_what_is_no_deploybot_is_said_to_be_none(body):
    with serving(says(200, body)) as server, pytest.raises(UnreachableError, match="not deploybot"):
        client(server).get("/api/threads")


def test_nobody_there_is_one_sentence_after_a_while_and_tells_once_that_it_waits():
    (port,) = free_ports(1)
    waited: list[str] = []
    caller = Client(f"http://127.0.0.1:{port}", "a-token", waited.append, patience=0.5)

    with pytest.raises(UnreachableError, match="deploybot serve"):
        caller.get("/api/threads")

    assert len(waited) == 1


def test_a_name_that_does_not_exist_is_not_tried_for_long():
    caller = Client("http://nowhere.invalid", "a-token", patience=60.0)

    with pytest.raises(UnreachableError, match=r"nowhere\.invalid"):
        caller.get("/api/threads")


def test_the_token_is_not_in_what_is_printed_of_a_client():
    assert "a-secret-token" not in repr(Client("http://127.0.0.1", "a-secret-token"))


def test_a_stream_that_breaks_is_taken_up_where_it_broke():
    def breaks(handler: Handler) -> None:
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(b"id: 4\ndata: {}\n\nid: 5\ndata: half of it")
        handler.close_connection = True

    def goes_on(handler: Handler) -> None:
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(b"id: 5\ndata: {}\n\n")
        handler.close_connection = True

    with serving(breaks, goes_on) as server:
        stream = client(server).follow("t1", 3)
        got = [next(stream) for _ in range(4)]
        last_seen = [headers["Last-Event-Id"] for _, _, headers, _ in server.got]
        stream.close()

    assert [message.id for message in got if message is not OPENED] == ["4", "5"]
    assert last_seen == ["3", "4"]


def test_a_stream_ends_when_the_thread_is_gone():
    gone = says(404, {"detail": "There is no such thread."})

    with serving(gone) as server, pytest.raises(RefusedError, match="no such thread"):
        next(client(server).follow("t1"))


def test_whatever_bytes_are_typed_as_a_name_are_one_part_of_a_path():
    for name in ("a/b", "../x", "a b?c#d", "\udcff", "ü", "%2f"):
        part = thread_path(name).removeprefix("/api/threads/")
        assert part.isascii()
        assert not set(part) & set("/?# ")
