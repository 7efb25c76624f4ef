"""Waiting for what happens elsewhere: looks again and again, never longer than told."""

import http.client
import threading
import time
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import urlsplit

T = TypeVar("T")
LOOK_SECONDS = 0.05


def until(look: Callable[[], T | None], seconds: float, what: str) -> T:
    """Return the first thing that `look` returns and is true; TimeoutError after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        if found := look():
            return found
        if time.monotonic() > deadline:
            raise TimeoutError(f"Waited {seconds:g} s, and it did not happen: {what}.")
        threading.Event().wait(LOOK_SECONDS)


def answers(url: str) -> bool:
    """Tell whether a GET is answered with 200 now."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=2)
    try:
        connection.request("GET", parts.path or "/")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
