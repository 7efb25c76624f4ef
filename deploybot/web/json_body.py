"""A JSON body read strictly: no doubled keys, no NaN, no unknown fields; what it asks is `api`'s."""

import json
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from deploybot.web.body import limited
from deploybot.web.problem import ProblemError

LIMIT = 100_000
"""Bytes of a JSON body."""

Body = TypeVar("Body", bound=BaseModel)


def documented(model: type[BaseModel]) -> dict[str, Any]:
    """Return what OpenAPI says of a body that the route reads by itself."""
    content = {"application/json": {"schema": model.model_json_schema()}}
    return {"requestBody": {"required": True, "content": content}}


async def json_body(request: Request, model: type[Body]) -> Body:
    """Return the body as `model`; raises ProblemError 400, 413, 415 or 422, naming the field."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().casefold()
    if media_type != "application/json":
        raise ProblemError(415, "Send the body as application/json; nothing was stored.")
    raw = await limited(request, LIMIT)
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
