"""Finds out who makes a call, what for, and how often; what tells one call from every other."""

import re
from collections.abc import Callable

from fastapi import Request

from deploybot.tokens import Scope
from deploybot.web.bearer import Caller
from deploybot.web.deps import Deps
from deploybot.web.idempotency import Call
from deploybot.web.problem import ProblemError

KEY = re.compile(r"[\x21-\x7e]{1,200}")


def caller_of(
    deps: Deps, *scopes: Scope, writes: bool = False, query: tuple[str, ...] = ()
) -> Callable[[Request], Caller]:
    """Return what finds out who calls, and refuses who may not, or calls too often.

    A part of the query that is not in `query` is refused by name: it would be ignored otherwise.
    """

    def caller(request: Request) -> Caller:
        found = deps.callers.of(request)
        deps.limits.count(found.token, writes=writes)
        found.require(*scopes)
        for name in request.query_params:
            if name not in query:
                text = f"The query knows no {name[:60]!r}; nothing was done."
                raise ProblemError(422, text, field=name[:60])
        return found

    return caller


def call_of(deps: Deps, *scopes: Scope) -> Callable[[Request], Call]:
    """Return what tells one call that changes something from every other."""
    caller = caller_of(deps, *scopes, writes=True)

    def call(request: Request) -> Call:
        found = caller(request)
        return Call(
            caller=found,
            method=request.method,
            path=request.url.path,
            key=_key(request),
            fresh=deps.clock.new_id(),
        )

    return call


def _key(request: Request) -> str:
    """Return the Idempotency-Key, or nothing."""
    key = request.headers.get("idempotency-key")
    if key is None:
        return ""
    if not KEY.fullmatch(key):
        text = "Idempotency-Key must be 1 to 200 visible ASCII characters; nothing was stored."
        raise ProblemError(400, text, field="Idempotency-Key")
    return key
