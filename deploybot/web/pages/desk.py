"""What every route of the pages is given, and how their errors become pages that say what happened."""

import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import redis
from fastapi.exceptions import HTTPException, RequestValidationError
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response

from deploy.errors import DeployError
from deploybot.bootstrap import Bot
from deploybot.errors import (
    ConflictError,
    DuplicateError,
    IllegalEventError,
    InboundError,
    NotAllowedError,
    OperatorError,
    StoreUnavailableError,
    TamperedError,
    ThreadNotFoundError,
)
from deploybot.thread import Thread
from deploybot.web.pages.door import Door, PageError, SignInFirst, Visitor
from deploybot.web.pages.rendering import Pages
from deploybot.web.pages.shelf import Shelf

logger = logging.getLogger(__name__)

AWAY = (
    "The store cannot be reached, so nothing was stored and nothing was deployed. "
    "Load the page again in a few seconds."
)


@dataclass(frozen=True)
class Desk:
    """The bot, its door, and its pages."""

    bot: Bot
    door: Door
    pages: Pages
    shelf: Shelf

    def known(self, thread_id: str) -> Thread:
        """Return a thread that somebody has started, verified; raises ThreadNotFoundError."""
        thread = self.shelf.load(thread_id)
        if not thread.events:
            raise ThreadNotFoundError("There is no such thread; nothing was done.")
        return thread

    def show(
        self, template: str, visitor: Visitor, *, status: int = 200, **values: Any
    ) -> Response:
        """Return a page for somebody who is signed in."""
        return self.pages.show(template, status=status, visitor=visitor, **values)

    def route(self) -> type[APIRoute]:
        """Return the kind of route whose errors become pages, and whose answers bring cookies."""
        desk = self

        class PageRoute(APIRoute):
            def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
                handle = super().get_route_handler()

                async def guarded(request: Request) -> Response:
                    try:
                        answer = await handle(request)
                    except SignInFirst as way:
                        answer = RedirectResponse(way.url, 303)
                    except Exception as error:
                        page = desk.refusal(request, error)
                        if page is None:
                            raise
                        answer = page
                    return desk.door.leave_with(request, answer)

                return guarded

        return PageRoute

    def refusal(self, request: Request, error: Exception) -> Response | None:
        """Return the page that says why a request came to nothing; None for a mistake of ours."""
        refused = _refused(error)
        if refused is None:
            return None
        return self.pages.show(
            "refusal.html",
            status=refused.status,
            visitor=None,
            title=refused.title or TITLES.get(refused.status, "That did not work"),
            text=str(refused),
            link=refused.link or "/",
        )


TITLES = {
    400: "That cannot be read",
    403: "Not allowed",
    404: "Not found",
    409: "Too late",
    413: "Too large",
    415: "Not a form",
    422: "That is not valid",
    429: "Too often",
    503: "Not available now",
}


def _refused(error: Exception) -> PageError | None:  # noqa: C901, PLR0911, PLR0912 - a case an error
    match error:
        case PageError():
            return error
        case HTTPException():
            return PageError(error.status_code, str(error.detail))
        case RequestValidationError():
            return PageError(422, "This address cannot be read. Go back, and try again.")
        case ClientDisconnect():
            return PageError(400, "The connection ended before the form did; nothing was stored.")
        case InboundError():
            return PageError(error.status, str(error))
        case NotAllowedError():
            return PageError(403, str(error))
        case ThreadNotFoundError():
            return PageError(404, str(error))
        case IllegalEventError() | DuplicateError():
            return PageError(409, str(error))
        case ConflictError():
            return PageError(503, "The thread is busy, so nothing was stored. Do it again.")
        case TamperedError():
            logger.error("a stored thread does not verify", extra={"action": "load"})
            text = "The stored thread does not verify, so nothing was done. Call an operator."
            return PageError(503, text)
        case StoreUnavailableError() | redis.RedisError():
            logger.error("the store cannot be reached", extra={"action": "store"})
            return PageError(503, AWAY)
        case OperatorError() | DeployError():
            return PageError(503, str(error))
        case _:
            return None
