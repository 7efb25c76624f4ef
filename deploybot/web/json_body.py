"""A JSON body read strictly: no doubled keys, no NaN, no unknown fields; what it asks is `api`'s."""

import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from deploybot.web.body import limited
from deploybot.web.problem import ProblemError

LIMIT = 100_000
"""Bytes of a JSON body."""

Body = TypeVar("Body", bound=BaseModel)


def body_of(model: type[Body], *, optional: bool = False) -> Callable[[Request], Awaitable[Body]]:
    """Return what reads a request's body as `model`; without a body its defaults, if `optional`.

    Raises ProblemError 400, 413, 415 or 422, naming the field.
    """

    async def read(request: Request) -> Body:
        raw = await limited(request, LIMIT)
        if optional and not raw:
            return model()
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().casefold()
        if media_type != "application/json":
            raise ProblemError(415, "Send the body as application/json; nothing was stored.")
        return _read(raw, model)

    return read


def _read(raw: bytes, model: type[Body]) -> Body:
    try:
        value = json.loads(raw, object_pairs_hook=_once, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        why = str(error) if isinstance(error, _NotStrictError) else "it cannot be parsed"
        raise ProblemError(400, f"The body is not JSON: {why}. Nothing was stored.") from None
    try:
        return model.model_validate(value, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        text = f"{where or 'The body'} is not valid: {first['msg']}. Nothing was stored."
        raise ProblemError(422, text, field=where) from None


class _NotStrictError(ValueError):
    """JSON that two readers may read in two ways."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _NotStrictError("a key is there twice")
    return found


def _refuse_constant(constant: str) -> None:
    raise _NotStrictError(f"{constant} is no number")
