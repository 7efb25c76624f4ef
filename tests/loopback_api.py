"""A stateful HTTP API on the loopback interface that can fail on request; what it answers is others'."""

import json
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import parse_qs, unquote, urlsplit

Kind = Literal["lose", "drop", "500", "502 after", "429", "403 rate", "slow"]


@dataclass(frozen=True)
class Asked:
    """One request as it came."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


@dataclass(frozen=True)
class Answer:
    """What is answered; a body of bytes is sent as plain text."""

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Fault:
    """What goes wrong with the next requests whose path holds `part`.

    lose: done, and the answer never arrives. drop: not done, no answer. 502 after: done, yet told
    as an error. slow: answered after so many seconds. The others are not done.
    """

    method: str
    part: str
    kind: Kind
    times: int = 1
    seconds: float = 0.0


class LoopbackApi:
    """Answers by `answer`, one request at a time; every request is kept in `asked`."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.faults: list[Fault] = []
        self.violations: list[str] = []
        self.watch: Callable[[Literal["comes", "is done"], Asked], None] = lambda *_: None
        """Told when a request comes, and again when it is done and not yet answered."""
        self._lock = threading.RLock()
        self.url = ""

    def answer(self, asked: Asked) -> Answer:
        """Do what is asked."""
        raise NotImplementedError

    def rate_limited(self, kind: Kind) -> Answer:
        """Answer that it was asked too often."""
        return Answer(429, {"message": "slow down"}, {"Retry-After": "1"})

    def goes_wrong(
        self, method: str, part: str, kind: Kind, times: int = 1, seconds: float = 0.0
    ) -> None:
        """Let something go wrong with the next requests."""
        self.faults.append(Fault(method, part, kind, times, seconds))

    def count(self, method: str, part: str) -> int:
        """Return how many requests of a kind came."""
        return sum(one.method == method and part in one.path for one in self.asked)

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Listen on a free port of the loopback interface for as long as the block lasts."""
        server = _Quiet(("127.0.0.1", 0), _handler(self._handle))
        server.daemon_threads = True
        self.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()
            server.server_close()

    def _handle(self, asked: Asked) -> Answer | None:
        self.watch("comes", asked)
        try:
            return self._done(asked)
        finally:
            self.watch("is done", asked)

    def _done(self, asked: Asked) -> Answer | None:
        with self._lock:
            fault = self._fault(asked)
            if fault is None:
                self.asked.append(asked)
                return self.answer(asked)
        if fault.kind == "slow":
            threading.Event().wait(fault.seconds)
        with self._lock:
            self.asked.append(asked)
            match fault.kind:
                case "drop":
                    return None
                case "500":
                    return Answer(500, {"message": "Server Error"})
                case "429" | "403 rate":
                    return self.rate_limited(fault.kind)
            answer = self.answer(asked)
        if fault.kind == "lose":
            return None
        return Answer(502, {"message": "Bad Gateway"}) if fault.kind == "502 after" else answer

    def _fault(self, asked: Asked) -> Fault | None:
        for fault in self.faults:
            if fault.times > 0 and fault.method == asked.method and fault.part in asked.path:
                fault.times -= 1
                return fault
        return None


class _Quiet(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):  # whoever asked may be dead by now
            super().handle_error(request, client_address)


def _handler(handle: Callable[[Asked], Answer | None]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            raw = self.rfile.read(length)
            parts = urlsplit(self.path)
            query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = json.loads(raw) if raw else None
            asked = Asked(self.command, unquote(parts.path), query, headers, body)
            answer = handle(asked)
            if answer is None:
                self.close_connection = True
                self.connection.shutdown(2)
                return
            sent = answer.body if isinstance(answer.body, bytes) else _json(answer.body)
            kind = "text/plain" if isinstance(answer.body, bytes) else "application/json"
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(sent)))
            with suppress(ConnectionError):  # whoever asked may be dead by now
                self.end_headers()
                self.wfile.write(sent)

        def log_message(self, *args: Any) -> None:
            pass

        do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _serve  # noqa: N815 (http.server's)

    return Handler


def _json(body: Any) -> bytes:
    return b"" if body is None else json.dumps(body).encode()
