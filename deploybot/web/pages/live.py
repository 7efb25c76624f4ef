"""Tells an open page that what it shows has changed; the page then loads itself anew.

Server-Sent Events that carry no content: what changed is read with the reader's own rights.
"""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, suppress
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from sse_starlette import EventSourceResponse
from starlette.responses import Response

from deploybot.errors import OperatorError
from deploybot.web.api_reading import BEAT_SECONDS, SEND_SECONDS
from deploybot.web.followed import Happened, Item, Progressed
from deploybot.web.pages.desk import Desk
from deploybot.web.stream import Stream

HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}
After = Annotated[int, Query(ge=0, le=10_000_000)]


def living(desk: Desk, stream: Stream) -> APIRouter:
    """Return the routes that pages listen to."""
    routes = APIRouter(route_class=desk.route(), include_in_schema=False)

    @routes.get("/live")
    async def threads(request: Request) -> Response:
        """Say when any thread has changed."""
        await run_in_threadpool(desk.door.visitor, request)
        changes = stream.changes()

        async def messages() -> AsyncIterator[dict[str, str]]:
            async with aclosing(changes):
                async for _ in changes:
                    yield {"data": "changed"}

        return _streamed(messages())

    @routes.get("/threads/{thread_id}/live")
    async def thread(request: Request, thread_id: str, after: After = 0) -> Response:
        """Say when a thread has grown behind event `after`, or its deploy has gone on."""
        await run_in_threadpool(desk.door.visitor, request)
        known = await run_in_threadpool(desk.known, thread_id)
        items = await stream.follow(thread_id, min(after, len(known.events)))

        return _streamed(_told(items))

    return routes


async def _told(items: AsyncGenerator[Item, None]) -> AsyncIterator[dict[str, str]]:
    """Yield a message for what changes the page; a thread that no longer verifies ends them."""
    async with aclosing(items):
        with suppress(OperatorError):
            async for item in items:
                match item:
                    case Happened(seq=seq):
                        yield {"data": str(seq)}
                    case Progressed():
                        yield {"data": "progress"}
                    case _:
                        pass


def _streamed(messages: AsyncIterator[dict[str, str]]) -> Response:
    return EventSourceResponse(
        messages, headers=HEADERS, ping=BEAT_SECONDS, send_timeout=SEND_SECONDS, sep="\n"
    )
