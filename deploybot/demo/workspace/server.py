"""Serves a workspace over HTTP on the loopback interface, from a thread or as the process itself."""

import asyncio
import socket
import threading
from types import TracebackType
from typing import Self

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from uvicorn.protocols.http.h11_impl import H11Protocol

from deploybot.demo.workspace.actions import NotPossibleError
from deploybot.demo.workspace.routes import control, human, page, slack
from deploybot.demo.workspace.settings import WorkspaceSettings
from deploybot.demo.workspace.workspace import Workspace

_STARTS_WITHIN = 10.0


class _CuttableProtocol(H11Protocol):
    """HTTP whose requests know their connection, so that a fault can cut it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Remember the connection in the state of its requests."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}


def application(workspace: Workspace) -> FastAPI:
    """Return the workspace as an ASGI application."""
    app = FastAPI(title="Workspace", openapi_url=None)
    for face in (slack, human, control, page):
        app.include_router(face.router(workspace))

    @app.exception_handler(NotPossibleError)
    async def not_possible(request: Request, error: NotPossibleError) -> JSONResponse:
        return JSONResponse({"error": str(error)}, 409)

    return app


class WorkspaceServer:
    """A workspace that is served while the context lasts: `with WorkspaceServer(settings) as server`.

    `port` 0 takes a free one. `url` has no slash at its end; Slack's API is under `url + "/api/"`.
    """

    def __init__(self, settings: WorkspaceSettings, port: int = 0) -> None:
        self.workspace = Workspace(settings)
        self._socket = socket.create_server(("127.0.0.1", port), reuse_port=False)
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.workspace.url = self.url
        config = uvicorn.Config(
            application(self.workspace),
            http=_CuttableProtocol,
            ws="wsproto",
            lifespan="off",
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=2,
        )
        self._server = _QuietServer(config)
        self._thread = threading.Thread(target=self.serve, name="workspace", daemon=True)

    def serve(self) -> None:
        """Serve until `stop`, in this thread."""
        self._server.run(sockets=[self._socket])

    def stop(self) -> None:
        """Ask the server to end; open pages are told."""
        self.workspace.feed.close()
        self.workspace.sockets.close()
        self._server.should_exit = True

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._server.is_up.wait(_STARTS_WITHIN):
            raise TimeoutError("The workspace did not start. Nothing is served; see its log.")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        self._thread.join()
        self.workspace.close()
        self._socket.close()


class _QuietServer(uvicorn.Server):
    """A server that says when it is up, by an event and not by a log line."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_up = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then tell who waits."""
        await super().startup(sockets)
        self.is_up.set()
