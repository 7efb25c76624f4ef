"""POST /github/webhook: a signed push becomes an event; what it sets off is the workers' task."""

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from deploybot.inbound.github import Ignored, to_event, verify
from deploybot.web.body import headers_of, limited
from deploybot.web.deps import Deps
from deploybot.web.problem import ProblemRoute, problem

LIMIT = 5_000_000
"""Bytes of a webhook's body; a push of many commits is large."""


def router(deps: Deps) -> APIRouter:
    """Return the route; it answers once the event is stored, and not before."""
    routes = APIRouter(route_class=ProblemRoute)

    @routes.post("/github/webhook")
    async def webhook(request: Request) -> JSONResponse:
        """Take one delivery."""
        if not deps.github_secrets:
            return problem(404, "There is no webhook here: GITHUB_WEBHOOK_SECRET is not set.")
        body = await limited(request, LIMIT)
        return await run_in_threadpool(_take, deps, body, headers_of(request))

    return routes


def _take(deps: Deps, body: bytes, headers: list[tuple[str, str]]) -> JSONResponse:
    verify([s.get_secret_value() for s in deps.github_secrets], body, headers)
    repositories = deps.deployer.catalog.repositories
    push = to_event(body, headers, repositories, deps.people, deps.clock.now())
    if isinstance(push, Ignored):
        return JSONResponse({"ignored": push.reason}, 202)
    thread = deps.inbox.hear(push.thread, push.event, dedupe=push.dedupe)
    if push.event in thread.events:
        return JSONResponse({"thread": thread.id}, 202)
    return JSONResponse({"duplicate": f"heard before, in thread {thread.id}"}, 200)
