"""The shop's backend over HTTP; what it sells is in `shop`."""

import json
import os
import signal
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from urllib.parse import parse_qs, urlsplit

import shop

ENVIRONMENT = os.environ.get("ENVIRONMENT", "staging")


def commit() -> str:
    """Return the commit that this release was made from."""
    release = Path(__file__).parent / "RELEASE"
    return release.read_text().strip() if release.exists() else os.environ.get("SHA", "")


SHA = commit()


def answer(path: str, query: dict[str, list[str]]) -> tuple[int, Any]:
    """Return the status and the JSON for one question."""
    if path == "/healthz":
        return 200, {"service": "backend", "sha": SHA, "environment": ENVIRONMENT}
    if path == "/products":
        return 200, shop.products()
    if path.startswith("/products/"):
        product = shop.products().get(path.removeprefix("/products/"))
        return (200, product) if product else (404, {"error": "no such product"})
    if path == "/quote":
        return 200, shop.quote(query.get("items", [""])[0], ENVIRONMENT)
    return 404, {"error": "no such page"}


class Handler(BaseHTTPRequestHandler):
    """Answers GET with JSON."""

    def do_GET(self) -> None:
        """Answer one question, and never let an error end the server."""
        parts = urlsplit(self.path)
        try:
            status, told = answer(parts.path, parse_qs(parts.query))
        except shop.ShopError as error:
            status, told = 400, {"error": str(error)}
        except Exception as error:
            status, told = 500, {"error": f"{type(error).__name__}: {error}"}
        body = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the log for what is worth reading."""


class Server(ThreadingMixIn, HTTPServer):
    """One thread per question; a new release may listen beside it before it ends."""

    allow_reuse_address = True
    allow_reuse_port = True
    request_queue_size = 128

    def run(self) -> None:
        """Serve until asked to end; then answer those who wait already."""
        signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=self.shutdown).start())
        self.serve_forever(poll_interval=0.05)
        self.socket.setblocking(False)
        try:
            while True:
                self.process_request(*self.get_request())
        except BlockingIOError:
            self.server_close()


if __name__ == "__main__":
    Server(("127.0.0.1", int(os.environ["PORT"])), Handler).run()
