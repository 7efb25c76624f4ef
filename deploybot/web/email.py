"""POST /email/inbound: a signed message/rfc822 from our mail server; what it says is `inbound`'s."""

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from deploybot.inbound.email_delivery import verify
from deploybot.inbound.email_room import MailRoom
from deploybot.web.body import headers_of, limited
from deploybot.web.deps import Deps
from deploybot.web.problem import ProblemRoute, problem

LIMIT = 30_000_000
"""Bytes of a message that are taken in at all; larger ones are the mail server's to refuse."""


def router(deps: Deps) -> APIRouter:
    """Return the route; it answers once the mail is stored, or never will be."""
    routes = APIRouter(route_class=ProblemRoute)

    @routes.post("/email/inbound")
    async def inbound(request: Request) -> JSONResponse:
        """Take one message."""
        if deps.mail_room is None or not deps.email_secrets:
            return problem(404, "There is no mail here: DEPLOYBOT_EMAIL_SECRET is not set.")
        raw = await limited(request, LIMIT)
        return await run_in_threadpool(_take, deps, deps.mail_room, raw, headers_of(request))

    return routes


def _take(deps: Deps, room: MailRoom, raw: bytes, headers: list[tuple[str, str]]) -> JSONResponse:
    now = deps.clock.now()
    verify([s.get_secret_value() for s in deps.email_secrets], raw, headers, now)
    taken = room.take(raw, now)
    if taken.outcome.startswith("ignored: ") and not taken.thread:
        return JSONResponse({"ignored": taken.outcome.removeprefix("ignored: ")}, 202)
    return JSONResponse({"thread": taken.thread, "outcome": taken.outcome}, 202)
