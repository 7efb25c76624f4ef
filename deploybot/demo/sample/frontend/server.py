"""The shop's page over HTTP; what is sold it asks the backend."""

import html
import json
import os
import signal
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from socketserver import ThreadingMixIn
from string import Template
from typing import Any
from urllib.request import urlopen

HERE = Path(__file__).parent
ENVIRONMENT = os.environ.get("ENVIRONMENT", "staging")
BACKEND_URL = os.environ.get("BACKEND_URL", "")
TITLE = "The small shop"


def commit() -> str:
    """Return the commit that this release was made from."""
    release = HERE / "RELEASE"
    return release.read_text().strip() if release.exists() else os.environ.get("SHA", "")


SHA = commit()


def price(product: dict[str, Any]) -> str:
    """Return a product's price as people write it."""
    return f"{int(product['cents']) / 100:.2f} EUR"


def page() -> str:
    """Return the page with everything the backend sells."""
    with urlopen(f"{BACKEND_URL}/products", timeout=5) as response:
        shelf = json.load(response)
    rows = "".join(
        f"<li><span>{html.escape(one['name'])}</span> <b>{price(one)}</b></li>"
        for one in shelf.values()
    )
    text = Template((HERE / "page.html").read_text())
    return text.substitute(title=TITLE, products=rows, environment=ENVIRONMENT, sha=SHA[:7])


def answer(path: str) -> tuple[int, str, str]:
    """Return the status, the kind and the text for one question."""
    if path == "/healthz":
        told = {"service": "frontend", "sha": SHA, "environment": ENVIRONMENT}
        return 200, "application/json", json.dumps(told)
    if path == "/":
        return 200, "text/html; charset=utf-8", page()
    return 404, "text/plain; charset=utf-8", "no such page"


class Handler(BaseHTTPRequestHandler):
    """Answers GET with a page."""

    def do_GET(self) -> None:
        """Answer one question, and never let an error end the server."""
        try:
            status, kind, text = answer(self.path.partition("?")[0])
        except Exception as error:
            status, kind = 502, "text/plain; charset=utf-8"
            text = f"the backend did not help: {type(error).__name__}: {error}"
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
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
