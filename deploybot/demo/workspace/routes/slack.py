"""What Slack itself offers an app: the Web API, response addresses and connections, faults included."""

import asyncio
import json
import time
from collections.abc import Callable

from fastapi import APIRouter, Request, Response, WebSocket
from fastapi.responses import JSONResponse, PlainTextResponse

from deploybot.demo.workspace.errors import SlackError
from deploybot.demo.workspace.faults import Fault
from deploybot.demo.workspace.methods import METHODS, call
from deploybot.demo.workspace.methods.arguments import Arguments
from deploybot.demo.workspace.respond import respond
from deploybot.demo.workspace.settings import Json
from deploybot.demo.workspace.sockets import CUT, line_over
from deploybot.demo.workspace.workspace import Workspace


class _Cut(Response):
    """No answer: the connection is closed under the caller."""

    def __init__(self, request: Request) -> None:
        super().__init__()
        self._transport = request.scope["state"]["transport"]

    async def __call__(self, scope: object, receive: object, send: object) -> None:
        """Close instead of answering."""
        self._transport.abort()


def router(workspace: Workspace) -> APIRouter:
    """Return the routes `/api/{method}`, `/response/…` and `/link/`."""
    routes = APIRouter()

    @routes.api_route("/api/{method}", methods=["GET", "POST"])
    async def api(method: str, request: Request) -> Response:
        try:
            values = await _values(request)
        except SlackError as refusal:
            return JSONResponse(refusal.answer())
        token = _token(request, values)
        shown = {key: value for key, value in values.items() if key != "token"}

        def work() -> Response:
            args = Arguments(shown)
            tier = METHODS[method].tier if method in METHODS else 3
            seconds = workspace.pacing.wait(method, tier, str(shown.get("channel", "")))
            if seconds is not None:
                return _too_many(seconds)
            answer = call(workspace, method, args, token)
            return JSONResponse(answer, headers=_headers(workspace))

        return await _faulty(workspace, method, request, shown, work)

    @routes.post("/response/{team}/{secret}")
    async def response_url(team: str, secret: str, request: Request) -> Response:
        raw = await request.body()

        def work() -> Response:
            try:
                respond(workspace, secret, _object(raw))
            except SlackError as refusal:
                late = refusal.code in {"expired_url", "used_url"}
                return JSONResponse(refusal.answer(), 404 if late else 400)
            return PlainTextResponse("ok")

        body = raw.decode(errors="replace")
        return await _faulty(workspace, "response_url", request, {"body": body}, work)

    @routes.websocket("/link/")
    async def link(websocket: WebSocket, ticket: str = "") -> None:
        if workspace.sockets.admits(ticket):
            await websocket.accept()
            await _connected(workspace, websocket)
        else:
            await websocket.close()

    return routes


async def _connected(workspace: Workspace, websocket: WebSocket) -> None:
    """Send and hear over one connection until it ends."""
    queue: asyncio.Queue[str | None] = asyncio.Queue()
    transport = websocket.scope["state"]["transport"]
    line = line_over(asyncio.get_running_loop(), queue)

    async def speak() -> None:
        while (text := await queue.get()) is not None:
            if text == CUT:
                transport.abort()
                return
            await websocket.send_text(text)
        await websocket.close()

    speaking = asyncio.create_task(speak())
    workspace.sockets.join(line)
    try:
        async for text in websocket.iter_text():
            workspace.sockets.heard(line, text)
    finally:
        workspace.sockets.leave(line)
        speaking.cancel()


async def _faulty(
    workspace: Workspace,
    method: str,
    request: Request,
    args: Json,
    work: Callable[[], Response],
) -> Response:
    started = time.perf_counter()
    fault = workspace.faults.take(method)
    response = await _answer(fault, request, work)
    cut = isinstance(response, _Cut)
    body = bytes(response.body).decode(errors="replace")
    kind = response.headers.get("content-type", "")
    workspace.ledger.note(
        "from_bot",
        method=method,
        args=args,
        status=None if cut else response.status_code,
        answer=json.loads(body) if kind == "application/json" else body,
        fault=fault.kind if fault else None,
        ms=round((time.perf_counter() - started) * 1000, 1),
    )
    return response


async def _answer(fault: Fault | None, request: Request, work: Callable[[], Response]) -> Response:
    if fault is None:
        return work()
    match fault.kind:
        case "ratelimit":
            return _too_many(max(1, round(fault.seconds)))
        case "status":
            return PlainTextResponse("upstream connect error", fault.status)
        case "error":
            return JSONResponse(SlackError(fault.error).answer())
        case "drop_before" | "drop_after":
            if fault.kind == "drop_after":
                work()
            return _Cut(request)
        case "delay":
            await asyncio.sleep(fault.seconds)
            return work()


def _too_many(seconds: int) -> Response:
    body = {"ok": False, "error": "ratelimited"}
    return JSONResponse(body, 429, headers={"Retry-After": str(seconds)})


def _headers(workspace: Workspace) -> dict[str, str]:
    scopes = ",".join(workspace.settings.scopes)
    return {"X-OAuth-Scopes": scopes, "X-Slack-Req-Id": workspace.ids.secret()}


async def _values(request: Request) -> Json:
    values: Json = dict(request.query_params)
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    if kind == "application/json":
        return values | await _json_arguments(request)
    if kind in {"application/x-www-form-urlencoded", "multipart/form-data"}:
        form = await request.form()
        return values | {key: value for key, value in form.items() if isinstance(value, str)}
    return values


async def _json_arguments(request: Request) -> Json:
    raw = await request.body()
    return _object(raw) if raw else {}


def _object(raw: bytes) -> Json:
    try:
        body = json.loads(raw)
    except ValueError:
        raise SlackError("invalid_json") from None
    if not isinstance(body, dict):
        raise SlackError("json_not_object")
    return body


def _token(request: Request, values: Json) -> str | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token:
        return token.strip()
    given = values.get("token")
    return given if isinstance(given, str) else None
