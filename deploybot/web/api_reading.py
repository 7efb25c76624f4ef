"""What the API shows: threads, their events as they come, and what is live; it changes nothing."""

import json
from collections.abc import AsyncIterator

from fastapi.responses import JSONResponse
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.responses import Response

from deploybot.errors import OperatorError, ThreadNotFoundError
from deploybot.events import EVENT
from deploybot.ports import EnvironmentRow
from deploybot.thread import Status, Thread
from deploybot.web.api_models import Place, Places, Row, Running, Shown, open_of, row_of
from deploybot.web.api_models import Rows as Page
from deploybot.web.api_rows import Rows
from deploybot.web.deps import Deps
from deploybot.web.followed import Happened, Item, Progressed, Stands
from deploybot.web.problem import ProblemError

BEAT_SECONDS = 10
"""How often a stream says that somebody is there when nothing happens."""
RETRY_MS = 1000
"""How soon a client of a stream that broke is asked to come again."""
SEND_SECONDS = 30.0
"""A follower that takes nothing for so long is let go; it may come again, and misses nothing."""


class Reading:
    """Each call reads; none writes."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._rows = Rows(deps.store, deps.url_of)

    def known(self, thread_id: str) -> Thread:
        """Return a thread that somebody has started; raises ThreadNotFoundError."""
        thread = self._deps.store.load(thread_id)
        if not thread.events:
            raise ThreadNotFoundError(f"There is no thread {thread_id[:60]!r}; nothing was done.")
        return thread

    def row(self, thread: Thread) -> Row:
        """Return a thread in short."""
        return row_of(thread, self._deps.url_of(thread.id))

    def list(self, status: Status | None, limit: int, cursor: str) -> JSONResponse:
        """Return one page of threads, without their events."""
        page = self._deps.store.list(status=status or "", limit=limit, cursor=cursor)
        rows = Page(threads=self._rows.of(page.threads), cursor=page.cursor)
        return JSONResponse(rows.model_dump(mode="json"))

    def show(self, thread_id: str) -> Response:
        """Return the whole thread; `request` is the open approval, question or outcome."""
        thread = self.known(thread_id)
        shown = Shown(**dict(self.row(thread)), events=thread.events, request=open_of(thread))
        return Response(shown.model_dump_json(), media_type="application/json")

    async def follow(self, thread_id: str, after: int) -> EventSourceResponse:
        """Return the events behind number `after`, and those that come, as they come."""
        try:
            items = await self._deps.stream.follow(thread_id, after)
        except IndexError as error:
            text = f"{error} Begin again without Last-Event-ID."
            raise ProblemError(422, text, field="Last-Event-ID") from None
        return EventSourceResponse(
            _messages(items), ping=BEAT_SECONDS, send_timeout=SEND_SECONDS, sep="\n"
        )

    def environments(self) -> JSONResponse:
        """Return what is live where."""
        seen = self._deps.overview()
        places = Places(at=seen.at, environments=tuple(_place(row) for row in seen.rows))
        return JSONResponse(places.model_dump(mode="json"))


async def _messages(items: AsyncIterator[Item]) -> AsyncIterator[ServerSentEvent]:
    yield ServerSentEvent(retry=RETRY_MS, comment="what happened, then what happens")
    try:
        async for item in items:
            yield _message(item)
    except OperatorError as error:  # the thread no longer verifies: nobody may go on from it
        yield ServerSentEvent(event="problem", data=json.dumps({"detail": str(error)}))


def _message(item: Item) -> ServerSentEvent:
    match item:
        case Happened(seq=seq, event=event):
            return ServerSentEvent(id=str(seq), data=EVENT.dump_json(event).decode())
        case Stands(status=status, length=length):
            where = json.dumps({"status": status, "length": length})
            return ServerSentEvent(event="status", data=where)
        case Progressed(operation=operation, entry=entry):
            line = json.dumps({"operation": operation, **entry}, default=str)
            return ServerSentEvent(event="progress", data=line)


def _place(row: EnvironmentRow) -> Place:
    operation = row.operation
    return Place(
        service=row.service,
        environment=row.environment,
        live=row.live,
        hold=row.hold,
        operation=Running(id=operation.id, thread=operation.thread) if operation else None,
        behind=row.behind,
        line=row.line,
    )
