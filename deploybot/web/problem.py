"""How every refusal of the web process looks: problem details (RFC 9457), one sentence, no traces."""

import logging
from collections.abc import Callable, Coroutine
from typing import Any

import redis
from fastapi.exceptions import HTTPException, RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from deploy.errors import DeployError
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

logger = logging.getLogger(__name__)

TITLES = {
    400: "Not readable",
    401: "Not allowed in",
    405: "No such method",
    403: "Not allowed",
    404: "Not found",
    408: "Too slow",
    409: "Conflict",
    413: "Too large",
    415: "Wrong type of content",
    422: "Not valid",
    429: "Too many requests",
    503: "Not available now",
}
STORE_DOWN = (
    "The store cannot be reached, so nothing was stored and nothing was deployed. "
    "Send the same request again in a few seconds."
)


class ProblemError(Exception):
    """Ends a request with problem details; `detail` is a sentence for a person."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        field: str = "",
        reason_code: str = "",
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.field = field
        self.reason_code = reason_code
        self.headers = headers or {}


def problem(
    status: int,
    detail: str,
    *,
    field: str = "",
    reason_code: str = "",
    headers: dict[str, str] | None = None,
) -> JSONResponse:
    """Return problem details.

    `field` names the part of the request that is at fault, `reason_code` is for programs.
    """
    body: dict[str, str | int] = {
        "type": "about:blank",
        "title": TITLES.get(status, "Refused"),
        "status": status,
        "detail": detail,
    }
    body |= {"field": field} if field else {}
    body |= {"reason_code": reason_code} if reason_code else {}
    return JSONResponse(body, status, headers, media_type="application/problem+json")


class ProblemRoute(APIRoute):
    """A route whose errors are problem details, whatever application it is part of."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler, with every expected error turned into an answer."""
        handle = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            try:
                return await handle(request)
            except ClientDisconnect:
                return problem(400, "The connection ended before the request did.")
            except Exception as error:
                answer = answer_to(error)
                if answer is None:
                    raise
                return answer

        return guarded


def answer_to(error: Exception) -> JSONResponse | None:  # noqa: C901, PLR0911, PLR0912 - a case an error
    """Return the answer to an expected error; None for one that nobody has thought of."""
    match error:
        case ProblemError():
            return problem(
                error.status,
                error.detail,
                field=error.field,
                reason_code=error.reason_code,
                headers=error.headers,
            )
        case HTTPException():
            return problem(error.status_code, str(error.detail), headers=dict(error.headers or {}))
        case RequestValidationError():
            return _invalid(error)
        case InboundError():
            return problem(error.status, str(error))
        case ThreadNotFoundError():
            return problem(404, str(error))
        case NotAllowedError():
            return problem(403, str(error), reason_code=error.reason_code)
        case IllegalEventError() | DuplicateError():
            return problem(409, str(error))
        case ConflictError():
            return _unavailable("The thread is busy, so nothing was stored. Send it again.")
        case TamperedError():
            logger.error("a stored thread does not verify", extra={"action": "load"})
            text = "The stored thread does not verify, so nothing was done. Call an operator."
            return problem(503, text)
        case StoreUnavailableError() | redis.RedisError():
            logger.error("the store cannot be reached", extra={"action": "store"})
            return _unavailable(STORE_DOWN)
        case OperatorError():
            logger.error("%s", error, extra={"action": "load"})
            return problem(503, str(error))
        case DeployError():
            return _unavailable(f"{error} Nothing was changed.")
        case _:
            return None


def _unavailable(detail: str) -> JSONResponse:
    return problem(503, detail, headers={"Retry-After": "5"})


def _invalid(error: RequestValidationError) -> JSONResponse:
    first = error.errors()[0]
    place = [str(part) for part in first["loc"] if part not in ("body", "query", "path", "header")]
    where = ".".join(place)
    if first["type"] == "json_invalid":
        return problem(400, "The body is not JSON; nothing was stored.")
    text = f"{where or 'The body'} is not valid: {first['msg']}. Nothing was stored."
    return problem(422, text, field=where)
