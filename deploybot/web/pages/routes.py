"""The pages that are looked at: threads, one thread, its events, environments, who is waited for.

Nothing here changes anything; what people do on the pages is `acting`'s.
"""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from deploybot.events import EVENT, StepChosen
from deploybot.thread import Status
from deploybot.web.api_rows import CURSOR
from deploybot.web.pages.desk import Desk
from deploybot.web.pages.door import PageError
from deploybot.web.pages.glances import count
from deploybot.web.pages.lists import ROWS, rows, waiting
from deploybot.web.pages.places import places
from deploybot.web.pages.prompts import shown_to
from deploybot.web.pages.standing import LABELS, label, title
from deploybot.web.pages.timeline import entry
from deploybot.web.pages.views import card_about, thread_page
from deploybot.web.sessions import new_id

Number = Annotated[int, Query(ge=0, le=10_000_000)]


def viewing(desk: Desk) -> APIRouter:
    """Return the routes that show."""
    routes = APIRouter(route_class=desk.route(), include_in_schema=False)
    bot, connection = desk.bot, desk.bot.queues.connection

    @routes.get("/")
    def threads(request: Request, status: Status | None = None, cursor: str = "") -> Response:
        """List threads, by last activity."""
        visitor = desk.door.visitor(request)
        if not CURSOR.fullmatch(cursor):
            raise PageError(422, "This address leads nowhere. Begin again with the first page.")
        page = bot.store.list(status=status or "", limit=ROWS, cursor=cursor)
        return desk.show(
            "threads.html",
            visitor,
            here="threads",
            rows=rows(connection, page.threads, bot.people, status or ""),
            labels=[label(status) for status in LABELS],
            counts=count(connection, [str(status) for status in LABELS]),
            chosen=label(status) if status else None,
            older=page.cursor,
            is_first=not cursor,
            once=new_id(),
        )

    @routes.get("/waiting")
    def waited_for(request: Request) -> Response:
        """List what waits for people, this reader's first."""
        visitor = desk.door.visitor(request)
        found = waiting(connection, bot.store, bot.people, visitor.person)
        return desk.show("waiting.html", visitor, here="waiting", waiting=found)

    @routes.get("/environments")
    def environments(request: Request) -> Response:
        """Show what is live where."""
        visitor = desk.door.visitor(request)
        seen = bot.overview.read()
        found = places(seen.rows, bot.configuration.catalog, bot.people, visitor.now)
        return desk.show(
            "environments.html", visitor, here="environments", places=found, at=seen.at
        )

    @routes.get("/threads/{thread_id}")
    def thread(request: Request, thread_id: str, before: Number = 0) -> Response:
        """Show one thread."""
        visitor = desk.door.visitor(request)
        return thread_page(desk, visitor, desk.known(thread_id), before=before)

    @routes.get("/threads/{thread_id}/events/{seq}")
    def event(request: Request, thread_id: str, seq: int) -> Response:
        """Show one event whole, and what it was decided upon."""
        visitor = desk.door.visitor(request)
        thread = desk.known(thread_id)
        if not 1 <= seq <= len(thread.events):
            raise PageError(404, f"This thread has {len(thread.events)} events, and no {seq}.")
        one = thread.events[seq - 1]
        return desk.show(
            "event.html",
            visitor,
            here="threads",
            thread=thread,
            title=title(thread.events[0]),
            seq=seq,
            event=one,
            entry=entry(seq, one, bot.people),
            json=EVENT.dump_json(one, indent=2).decode(),
            card=card_about(desk, visitor, thread, one),
            prompt=shown_to(bot.prompt, thread, seq) if isinstance(one, StepChosen) else None,
            once=new_id(),
        )

    return routes
