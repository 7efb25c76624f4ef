"""Tells an open page that what it shows has changed; the page then loads itself anew.

Server-Sent Events that carry no content: what changed is read with the reader's own rights.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from deploybot.web.pages.desk import Desk
from deploybot.web.stream import Happened, Progressed, Stream

HEARTBEAT = b": still here\n\n"
BEAT_SECONDS = 15.0
"""How often something is sent when nothing happens, so that a broken connection is noticed."""
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

        async def lines() -> AsyncIterator[bytes]:
            async with aclosing(changes):
                async for _ in changes:
                    yield b"data: changed\n\n"

        return _streamed(lines())

    @routes.get("/threads/{thread_id}/live")
    async def thread(request: Request, thread_id: str, after: After = 0) -> Response:
        """Say when a thread has grown behind event `after`, or its deploy has gone on."""
        await run_in_threadpool(desk.door.visitor, request)
        known = await run_in_threadpool(desk.known, thread_id)
        items = await stream.follow(thread_id, min(after, len(known.events)))

        async def lines() -> AsyncIterator[bytes]:
            async with aclosing(items):
                async for item in items:
                    match item:
                        case Happened(seq=seq):
                            yield b"data: %d\n\n" % seq
                        case Progressed():
                            yield b"data: progress\n\n"
                        case _:
                            pass

        return _streamed(lines())

    return routes


def _streamed(lines: AsyncIterator[bytes]) -> Response:
    return StreamingResponse(beating(lines), media_type="text/event-stream", headers=HEADERS)


async def beating(
    lines: AsyncIterator[bytes], every: float = BEAT_SECONDS
) -> AsyncGenerator[bytes, None]:
    """Yield the lines, and a heartbeat whenever none has come for a while."""
    yield b"retry: 1000\n\n"
    pending: asyncio.Task[bytes] | None = None
    try:
        while True:
            pending = pending or asyncio.ensure_future(_next(lines))
            done, _ = await asyncio.wait((pending,), timeout=every)
            if not done:
                yield HEARTBEAT
                continue
            line = pending.result()
            pending = None
            if not line:
                return
            yield line
    finally:
        if pending is not None:
            pending.cancel()


async def _next(lines: AsyncIterator[bytes]) -> bytes:
    """Return the next line; an empty one at the end."""
    try:
        return await anext(lines)
    except StopAsyncIteration:
        return b""
