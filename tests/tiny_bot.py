"""A tiny bot for tests of the workspace, people as callers of its HTTP, and a card and a modal to show."""

import json
import threading
from collections.abc import Callable
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

from slack_sdk.signature import SignatureVerifier

TOKEN = "xoxb-workspace-test"
SECRET = "a-signing-secret"


class Receiver:
    """A bot that keeps what it is sent; `answers` maps a payload's type to (status, body)."""

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []
        self.answers: dict[str, tuple[int, str]] = {}
        self.handlers: dict[str, Callable[[dict[str, Any]], None]] = {}
        self.stall: dict[str, threading.Event] = {}
        self.forged = 0
        self._came = threading.Condition()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, answer = receiver.take(self.path, dict(self.headers), body)
                self.send_response(status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.01,), daemon=True
        )
        self._thread.start()

    def take(self, path: str, headers: dict[str, str], raw: bytes) -> tuple[int, bytes]:
        verifier = SignatureVerifier(SECRET)
        if path != "/slack/events" or not verifier.is_valid_request(raw, headers):
            self.forged += 1
            return 401, b""
        if headers["Content-Type"] == "application/json":
            payload = json.loads(raw)
        else:
            form = {key: values[0] for key, values in parse_qs(raw.decode()).items()}
            payload = json.loads(form["payload"]) if "payload" in form else form
        kind = payload.get("event", payload).get("type") or payload.get("command")
        if kind in self.handlers:
            self.handlers[kind](payload)
        with self._came:
            self.got.append({"kind": kind, "headers": headers, "payload": payload})
            self._came.notify_all()
        if kind in self.stall:
            self.stall[kind].wait(20)
        if kind == "url_verification":
            return 200, payload["challenge"].encode()
        status, answer = self.answers.get(kind, (200, ""))
        return status, answer.encode()

    def wait(self, kind: str, count: int = 1, seconds: float = 10) -> list[dict[str, Any]]:
        """Return the first `count` requests of this kind, waiting for them."""
        with self._came:
            assert self._came.wait_for(lambda: len(self.of(kind)) >= count, seconds), self.got
            return self.of(kind)

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [entry for entry in self.got if entry["kind"] == kind]

    def close(self) -> None:
        for event in self.stall.values():
            event.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class People:
    """What people do, and control, over the workspace's HTTP."""

    def __init__(self, port: int) -> None:
        self._port = port

    def __call__(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=30)
        headers = {"Content-Type": "application/json"}
        sent = None if body is None else json.dumps(body)
        connection.request(method, path, sent, headers)
        response = connection.getresponse()
        raw = response.read()
        connection.close()
        return response.status, json.loads(raw) if raw else None

    def does(self, user: str, action: str, **what: object) -> Any:
        status, answer = self("POST", f"/_human/{user}/{action}", what)
        assert status == 200, answer
        return answer

    def control(self, what: str, **how: object) -> Any:
        status, answer = self("POST", f"/_control/{what}", how)
        assert status in {200, 201}, answer
        return answer


CARD = [
    {"type": "header", "text": {"type": "plain_text", "text": "Deploy backend to production?"}},
    {"type": "section", "text": {"type": "mrkdwn", "text": "*backend* at `4af9ec0`"}},
    {
        "type": "actions",
        "block_id": "decision",
        "elements": [
            {
                "type": "button",
                "action_id": "approve",
                "style": "primary",
                "text": {"type": "plain_text", "text": "Approve"},
                "value": "req-1",
            },
            {
                "type": "button",
                "action_id": "deny",
                "style": "danger",
                "text": {"type": "plain_text", "text": "Deny"},
                "value": "req-1",
            },
        ],
    },
]

MODAL = {
    "type": "modal",
    "callback_id": "deny_reason",
    "title": {"type": "plain_text", "text": "Deny"},
    "submit": {"type": "plain_text", "text": "Deny it"},
    "close": {"type": "plain_text", "text": "Cancel"},
    "private_metadata": "req-1",
    "notify_on_close": True,
    "blocks": [
        {
            "type": "input",
            "block_id": "reason",
            "label": {"type": "plain_text", "text": "What should happen instead?"},
            "element": {"type": "plain_text_input", "action_id": "text", "multiline": True},
        },
        {
            "type": "input",
            "block_id": "next",
            "optional": True,
            "label": {"type": "plain_text", "text": "Next"},
            "element": {
                "type": "static_select",
                "action_id": "next",
                "options": [
                    {"text": {"type": "plain_text", "text": "Backend"}, "value": "backend"},
                    {"text": {"type": "plain_text", "text": "Nothing"}, "value": "nothing"},
                ],
            },
        },
    ],
}
