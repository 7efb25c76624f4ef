"""What happens around every request: its id, a line in the log, and how long its answer took."""

import logging
import re
import secrets
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deploy import failpoints
from deploybot import logs
from deploybot.meter import Meter
from deploybot.metrics import HTTP, SLACK_ACK

HEADER = "x-request-id"
ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
SLACK = "/slack/events"
QUIET = frozenset({"/healthz", "/readyz", "/metrics"})
"""Asked every few seconds: no line each."""

logger = logging.getLogger(__name__)


class Watching:
    """Wraps the application; what a sender calls the request is kept if it looks like an id."""

    def __init__(self, app: ASGIApp, meter: Meter) -> None:
        self._app = app
        self._meter = meter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get(HEADER, "")
        request_id = given if ID.fullmatch(given) else secrets.token_hex(8)
        started = time.perf_counter()
        answered: list[int] = []
        changes = scope["method"] == "POST"

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[HEADER] = request_id
                answered.append(message["status"])
                self._note(scope, message["status"], time.perf_counter() - started)
                if changes:
                    failpoints.at("web.answer.before")
            await send(message)

        with logs.about(request_id=request_id):
            try:
                if changes:
                    failpoints.at("web.request.before")
                await self._app(scope, receive, sending)
                if changes:
                    failpoints.at("web.answer.after")
            finally:
                if not answered:
                    self._note(scope, 500, time.perf_counter() - started)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        route = str(getattr(scope.get("route"), "path", "")) or "other"
        method = scope["method"] if scope["method"] in METHODS else "other"
        self._meter.observe(HTTP, route, method, str(status), value=seconds)
        if route == SLACK:
            self._meter.observe(SLACK_ACK, value=seconds)
        about = {"action": "answer", "route": route, "method": method, "status": status}
        level = logging.DEBUG if route in QUIET else logging.INFO
        logger.log(level, "answered", extra={**about, "ms": round(seconds * 1000, 1)})
