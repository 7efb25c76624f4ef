"""The app's open connections (Socket Mode): what it is sent over them, and what it acknowledges."""

import asyncio
import json
import secrets
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Literal

from deploybot.demo.workspace.settings import Json

CUT = ""
_TICKET_SECONDS = 30.0
_TYPES = {"event": "events_api", "interaction": "interactive", "command": "slash_commands"}

When = Literal["sent", "acknowledged"]
"""When a connection is cut: right behind the envelope, or as its acknowledgement comes in."""


@dataclass(eq=False)
class Line:
    """One connection: `say` sends a text over it, None ends it; `cut` ends it without a word."""

    say: Callable[[str | None], None]
    cut: Callable[[], None]
    waiting: "dict[str, Future[str]]" = field(default_factory=dict)


class Sockets:
    """Who is connected. Safe to use from several threads.

    `cut_next` connections are cut at the moment `cut_when` says, once each; what was under way on
    them is not acknowledged, as far as Slack knows.
    """

    def __init__(self, app_id: str, now: Callable[[], float]) -> None:
        self._app_id = app_id
        self._now = now
        self._lock = threading.Lock()
        self._tickets: dict[str, float] = {}
        self._lines: list[Line] = []
        self._turn = 0
        self.cut_next = 0
        self.cut_when: When = "sent"

    def ticket(self) -> str:
        """Return a ticket that opens one connection, soon."""
        ticket = secrets.token_hex(16)
        with self._lock:
            self._tickets[ticket] = self._now()
        return ticket

    def admits(self, ticket: str) -> bool:
        """Tell whether the ticket opens a connection; it does so once."""
        with self._lock:
            given = self._tickets.pop(ticket, None)
        return given is not None and self._now() - given < _TICKET_SECONDS

    def __len__(self) -> int:
        """How many connections there are."""
        with self._lock:
            return len(self._lines)

    def lines(self) -> tuple[Line, ...]:
        """Return the connections that there are."""
        with self._lock:
            return tuple(self._lines)

    def join(self, line: Line) -> None:
        """Greet a connection, and send over it from now on."""
        with self._lock:
            self._lines.append(line)
            hello = {
                "type": "hello",
                "num_connections": len(self._lines),
                "connection_info": {"app_id": self._app_id},
            }
            line.say(json.dumps(hello))

    def leave(self, line: Line) -> None:
        """Forget a connection; nobody will acknowledge what was under way on it."""
        with self._lock:
            if line in self._lines:
                self._lines.remove(line)
            waiting = list(line.waiting.values())
            line.waiting.clear()
        for future in waiting:
            future.set_exception(ConnectionError("The connection was closed."))

    def exchange(self, kind: str, payload: Json, attempt: int, reason: str, wait: float) -> str:
        """Send one envelope over one connection; return what its acknowledgement carried, "" for nothing.

        Raises ConnectionError when there is none or it ends, TimeoutError after `wait` seconds.
        """
        envelope_id = secrets.token_hex(12)
        envelope: Json = {
            "envelope_id": envelope_id,
            "type": _TYPES[kind],
            "payload": payload,
            "accepts_response_payload": kind != "event",
        }
        if kind == "event":
            envelope |= {"retry_attempt": attempt, "retry_reason": reason}
        future: Future[str] = Future()
        with self._lock:
            if not self._lines:
                raise ConnectionError("The app is not connected, nothing was sent.")
            self._turn += 1
            line = self._lines[self._turn % len(self._lines)]
            line.waiting[envelope_id] = future
            line.say(json.dumps(envelope))
            if self._cuts("sent"):
                line.cut()
        try:
            return future.result(wait)
        finally:
            with self._lock:
                line.waiting.pop(envelope_id, None)

    def heard(self, line: Line, text: str) -> None:
        """Take what the app said over a connection: the acknowledgement of one envelope."""
        try:
            said = json.loads(text)
        except ValueError:
            return
        with self._lock:
            if self._cuts("acknowledged"):
                line.cut()
                return
            future = line.waiting.pop(str(said.get("envelope_id")), None)
        if future is not None:
            payload = said.get("payload")
            future.set_result(json.dumps(payload) if payload is not None else "")

    def refresh(self) -> None:
        """Ask every connection to be made anew, as Slack does every few hours."""
        with self._lock:
            for line in self._lines:
                line.say(json.dumps({"type": "disconnect", "reason": "refresh_requested"}))

    def close(self) -> None:
        """End all connections in order."""
        with self._lock:
            for line in self._lines:
                line.say(None)

    def cut(self) -> None:
        """End all connections without a word."""
        with self._lock:
            for line in self._lines:
                line.cut()

    def _cuts(self, when: When) -> bool:
        cuts = self.cut_next > 0 and self.cut_when == when
        self.cut_next -= cuts
        return cuts


def line_over(loop: asyncio.AbstractEventLoop, queue: "asyncio.Queue[str | None]") -> Line:
    """Return a connection that may be used from any thread; the loop's own task empties the queue.

    In the queue stand texts to send, CUT to end without a word, and None to end in order.
    """

    def say(text: str | None) -> None:
        loop.call_soon_threadsafe(queue.put_nowait, text)

    return Line(say, lambda: say(CUT))
