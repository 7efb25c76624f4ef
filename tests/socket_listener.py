"""A bot that listens to Slack over a real connection, from a thread, as the workers' own process does."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from redis_server import wait_until
from slack_bot import TOKEN
from slack_office import Office

from deploybot.web.slack_bolt import bolt_app
from deploybot.web.slack_socket import SlackSocket

APP_TOKEN = "xapp-1-canary-app-token"


@contextmanager
def connected(office: Office, *, token: str = APP_TOKEN) -> Iterator[threading.Event]:
    """Listen to Slack from a thread, as the workers' own process does."""
    before, stop = len(office.server.sockets), threading.Event()
    app = bolt_app(office.desk, TOKEN)
    socket = SlackSocket(app, token, f"{office.server.url}/api/")
    thread = threading.Thread(target=socket.run, args=(stop,), daemon=True)
    thread.start()
    try:
        if token == APP_TOKEN:
            wait_until(lambda: len(office.server.sockets) > before, 30)
        yield stop
    finally:
        stop.set()
        thread.join(30)
        assert not thread.is_alive()
