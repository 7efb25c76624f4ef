"""The HTTP API: threads, words, decisions and what is live; who may decide is the inbox's."""

import re
from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from deploybot.thread import Status
from deploybot.web.api_bodies import Decision, NewMessage, NewThread, Resolution
from deploybot.web.api_calls import MOVES, Calls
from deploybot.web.bearer import person_of
from deploybot.web.deps import Deps
from deploybot.web.json_body import documented, json_body
from deploybot.web.problem import ProblemError, ProblemRoute

KEY = re.compile(r"[\x21-\x7e]{1,200}")


def router(deps: Deps) -> APIRouter:
    """Return all routes of the API; each needs a bearer token."""
    routes = APIRouter(prefix="/api", route_class=ProblemRoute)
    calls = Calls(deps)

    @routes.post("/threads", status_code=201, openapi_extra=documented(NewThread))
    async def start(request: Request) -> JSONResponse:
        """Start a thread."""
        by, key = person_of(request, deps.tokens), _key(request)
        body = await json_body(request, NewThread)
        return await run_in_threadpool(calls.start, by, key, body)

    @routes.get("/threads")
    def threads(
        request: Request,
        status: Status | None = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
        cursor: str = "",
    ) -> JSONResponse:
        """List threads by last activity, newest first."""
        person_of(request, deps.tokens)
        return calls.list(status, limit, cursor)

    @routes.get("/threads/{thread_id}")
    def thread(request: Request, thread_id: str) -> JSONResponse:
        """Show one thread: its events, and the open approval or question."""
        person_of(request, deps.tokens)
        return calls.show(thread_id)

    @routes.post("/threads/{thread_id}/messages", openapi_extra=documented(NewMessage))
    async def say(request: Request, thread_id: str) -> JSONResponse:
        """Say something in a thread; what is open there is closed by it."""
        by, key = person_of(request, deps.tokens), _key(request)
        body = await json_body(request, NewMessage)
        return await run_in_threadpool(calls.say, by, key, thread_id, body)

    @routes.post("/threads/{thread_id}/decision", openapi_extra=documented(Decision))
    async def decide(request: Request, thread_id: str) -> JSONResponse:
        """Answer what is open."""
        by, key = person_of(request, deps.tokens), _key(request)
        body = await json_body(request, Decision)
        return await run_in_threadpool(calls.decide, by, key, thread_id, body)

    @routes.post("/threads/{thread_id}/resolve", openapi_extra=documented(Resolution))
    async def resolve(request: Request, thread_id: str) -> JSONResponse:
        """Settle a deploy whose outcome is not known; `request` is that of the thread."""
        by, key = person_of(request, deps.tokens), _key(request)
        body = await json_body(request, Resolution)
        return await run_in_threadpool(calls.resolve, by, key, thread_id, body)

    @routes.get("/environments")
    def environments(request: Request) -> JSONResponse:
        """Tell what is live where, held, and running."""
        person_of(request, deps.tokens)
        return calls.environments()

    for move in MOVES:
        routes.post(f"/threads/{{thread_id}}/{move}")(_mover(deps, calls, move))
    return routes


def _mover(deps: Deps, calls: Calls, move: str) -> Callable[[Request, str], JSONResponse]:
    def handle(request: Request, thread_id: str) -> JSONResponse:
        by, key = person_of(request, deps.tokens), _key(request)
        return calls.move(by, key, thread_id, move)

    handle.__name__ = move
    handle.__doc__ = f"{move.capitalize()} a thread."
    return handle


def _key(request: Request) -> str:
    """Return the Idempotency-Key, or nothing."""
    key = request.headers.get("idempotency-key", "")
    if key and not KEY.fullmatch(key):
        text = "Idempotency-Key must be 1 to 200 visible ASCII characters; nothing was stored."
        raise ProblemError(400, text, field="Idempotency-Key")
    return key
