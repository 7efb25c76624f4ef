"""GET /healthz and /readyz: whether the process is up, and whether it can keep what it is told."""

import redis
from fastapi import APIRouter
from fastapi.responses import JSONResponse

from deploybot.errors import StoreUnavailableError
from deploybot.web.deps import Deps


def router(deps: Deps) -> APIRouter:
    """Return the two routes; neither asks anything that costs money."""
    routes = APIRouter()

    @routes.get("/healthz")
    def healthz() -> JSONResponse:
        """Answer as long as the process does."""
        return JSONResponse({"status": "ok"})

    @routes.get("/readyz")
    def readyz() -> JSONResponse:
        """Answer 200 when what comes in can be stored safely, 503 with the reasons otherwise."""
        try:
            reasons = deps.ready()
        except (StoreUnavailableError, redis.RedisError, OSError):
            reasons = ("the store cannot be reached",)
        if reasons:
            return JSONResponse({"status": "not ready", "reasons": list(reasons)}, 503)
        return JSONResponse({"status": "ready"})

    return routes
