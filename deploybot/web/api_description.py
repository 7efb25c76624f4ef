"""What the API says of itself at /openapi.json, well enough to make a client from it."""

import re
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exception_handlers import http_exception_handler
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.responses import Response

from deploybot.events import EVENT
from deploybot.tokens import SAYS
from deploybot.web import api_bodies
from deploybot.web.api_models import Problem
from deploybot.web.problem import TITLES, problem

VERSION = "1"
REF = "#/components/schemas/{model}"
PROBLEM = "application/problem+json"
SENT: tuple[type[BaseModel], ...] = (
    api_bodies.NewThread,
    api_bodies.NewMessage,
    api_bodies.Decision,
    api_bodies.Editing,
    api_bodies.Resolution,
    api_bodies.Nothing,
    api_bodies.Ending,
    api_bodies.Forking,
    api_bodies.Locking,
)
ABOUT = """\
Start threads, follow them, decide, and see what is live.

A token is a person's or a service's, and is for one or more **scopes**:

{scopes}

Send an `Idempotency-Key` with every POST, and the call again with the same key for as long as no
answer came: it is done once, and answered alike.
"""
_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Makes repeated calls one; 1 to 200 visible characters, kept for 30 days.",
    "schema": {"type": "string", "pattern": "^[!-~]{1,200}$"},
}


def said(
    name: str,
    summary: str,
    model: type[BaseModel],
    *,
    status: int = 200,
    body: type[BaseModel] | None = None,
    changes: bool = False,
    missing: bool = False,
) -> dict[str, Any]:
    """Return what a route says of itself: its name, its answers, and the body that it reads."""
    refusals = [401, 403, 422, 429, 503]
    refusals += [404] if missing else []
    refusals += [400, 409] if body or changes else []
    refusals += [413, 415] if body else []
    extra: dict[str, Any] = {}
    if body:
        schema = {"$ref": REF.format(model=body.__name__)}
        is_needed = any(field.is_required() for field in body.model_fields.values())
        content = {"application/json": {"schema": schema}}
        extra["requestBody"] = {"required": is_needed, "content": content}
    if body or changes:
        extra["parameters"] = [_KEY]
    answers: dict[int | str, dict[str, Any]] = {code: _refusal(code) for code in sorted(refusals)}
    if status == 201:
        location = {"description": "Where it is.", "schema": {"type": "string"}}
        answers[201] = {"headers": {"Location": location}}
    return {
        "operation_id": name,
        "summary": summary,
        "status_code": status,
        "response_model": model,
        "responses": answers,
        "openapi_extra": extra,
    }


def streams(name: str, summary: str) -> dict[str, Any]:
    """Return what a route says of itself that answers with Server-Sent Events."""
    text = (
        "Each message without a name is an `Event` of the thread as JSON, its `id` the event's "
        "number; `status` tells where the thread stands then, `progress` what a deploy does. "
        "Send the last `id` as Last-Event-ID to go on behind it."
    )
    content = {"text/event-stream": {"schema": {"type": "string"}}}
    answers: dict[int | str, dict[str, Any]] = {
        code: _refusal(code) for code in (401, 403, 404, 422, 429, 503)
    }
    answers[200] = {"description": text, "content": content}
    return {
        "operation_id": name,
        "summary": summary,
        "response_class": Response,
        "responses": answers,
    }


def describe(app: FastAPI) -> None:
    """Let the app describe its API, and refuse in its manner what no route of it answers."""
    app.openapi = lambda: _description(app)  # type: ignore[method-assign]
    app.add_exception_handler(StarletteHTTPException, _not_routed)  # type: ignore[arg-type]


async def _not_routed(request: Request, error: StarletteHTTPException) -> Response:
    if not request.url.path.startswith("/api/"):
        return await http_exception_handler(request, error)
    texts = {
        404: "There is nothing at this address; nothing was done. See /openapi.json.",
        405: "This address does not know that method; nothing was done. See /openapi.json.",
    }
    detail = texts.get(error.status_code, str(error.detail))
    headers = dict(error.headers or {})
    if error.status_code == 405:
        headers["Allow"] = ", ".join(_methods(request))
    return problem(error.status_code, detail, headers=headers)


def _methods(request: Request) -> list[str]:
    """Return what this address knows: each method is a route of its own."""
    path = request.url.path
    found: set[str] = set()
    for template, described in request.app.openapi()["paths"].items():
        pattern = "[^/]+".join(map(re.escape, re.split(r"\{\w+\}", template)))
        if re.fullmatch(pattern, path):
            found |= {method.upper() for method in described}
    return sorted(found)


def _description(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        app.openapi_schema = _drawn(app)
    return app.openapi_schema


def _drawn(app: FastAPI) -> dict[str, Any]:
    scopes = "\n".join(f"- `{scope}`: {says}" for scope, says in SAYS.items())
    drawn = get_openapi(
        title="deploybot",
        version=VERSION,
        description=ABOUT.format(scopes=scopes),
        routes=app.routes,
    )
    drawn["paths"] = {
        path: found for path, found in drawn["paths"].items() if path.startswith("/api/")
    }
    models: tuple[type[BaseModel], ...] = (*SENT, Problem)
    _, sent = models_json_schema([(m, "validation") for m in models], ref_template=REF)
    schemas = drawn.setdefault("components", {}).setdefault("schemas", {})
    schemas |= sent.get("$defs", {})
    event = EVENT.json_schema(mode="serialization", ref_template=REF)
    schemas |= event.pop("$defs")
    schemas["Event"] = {**event, "description": "Everything that can happen, told by `kind`."}
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    drawn["components"]["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer"}}
    drawn["security"] = [{"bearer": []}]
    return drawn


def _refusal(status: int) -> dict[str, Any]:
    found: dict[str, Any] = {
        "description": TITLES[status],
        "content": {PROBLEM: {"schema": {"$ref": REF.format(model="Problem")}}},
    }
    if status in (429, 503):
        seconds = {"description": "Seconds to wait.", "schema": {"type": "string"}}
        found["headers"] = {"Retry-After": seconds}
    return found
