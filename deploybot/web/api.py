"""The HTTP API's routes: who may call, what they send and what is answered; what is done is beside it."""

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Path, Query
from fastapi.responses import JSONResponse
from starlette.responses import Response

from deploybot.thread import Status
from deploybot.web import api_locks
from deploybot.web.api_bodies import (
    Decision,
    Editing,
    Ending,
    Forking,
    NewMessage,
    NewThread,
    Nothing,
    Resolution,
)
from deploybot.web.api_callers import call_of, caller_of
from deploybot.web.api_calls import Calls
from deploybot.web.api_description import said, streams
from deploybot.web.api_models import Places, Row, Rows, Shown, Told
from deploybot.web.api_reading import Reading
from deploybot.web.api_rows import CURSOR
from deploybot.web.deps import Deps
from deploybot.web.idempotency import Call
from deploybot.web.json_body import body_of
from deploybot.web.problem import ProblemRoute

ThreadId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_.:-]{1,100}$", examples=["t7cee3df7a268bd13"])]
LastSeen = Annotated[
    int | None,
    Header(alias="Last-Event-ID", ge=0, description="The number of the last event that was read."),
]


def router(deps: Deps) -> APIRouter:
    """Return all routes of the API; each needs a bearer token."""
    routes = APIRouter(prefix="/api", route_class=ProblemRoute)
    _reads(routes, deps, Reading(deps))
    _writes(routes, deps, Calls(deps, Reading(deps)))
    api_locks.add(routes, deps)
    return routes


def _reads(routes: APIRouter, deps: Deps, reading: Reading) -> None:
    reader = Depends(caller_of(deps, "read"))
    lister = Depends(caller_of(deps, "read", query=("status", "limit", "cursor")))
    follower = Depends(caller_of(deps, "read", query=("after",)))

    @routes.get(
        "/threads",
        dependencies=[lister],
        **said("list_threads", "List threads by last activity", Rows),
    )
    def threads(
        status: Annotated[Status | None, Query(description="Only those that stand here.")] = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
        cursor: Annotated[
            str, Query(pattern=CURSOR.pattern, description="Where the page before ended.")
        ] = "",
    ) -> JSONResponse:
        """Newest first, page by page."""
        return reading.list(status, limit, cursor)

    @routes.get(
        "/threads/{thread_id}",
        dependencies=[reader],
        **said("read_thread", "Show one thread", Shown, missing=True),
    )
    def thread(thread_id: ThreadId) -> Response:
        """All its events, and the open approval, question or unknown outcome."""
        return reading.show(thread_id)

    @routes.get(
        "/threads/{thread_id}/events",
        dependencies=[follower],
        **streams("follow_thread", "Follow one thread"),
    )
    async def events(
        thread_id: ThreadId,
        last_seen: LastSeen = None,
        after: Annotated[int, Query(ge=0, description="The same, for a first call.")] = 0,
    ) -> Response:
        """Send what happened and what happens, as Server-Sent Events, each once and in order."""
        return await reading.follow(thread_id, after if last_seen is None else last_seen)

    @routes.get(
        "/environments",
        dependencies=[reader],
        **said("list_environments", "What is live where", Places),
    )
    def environments() -> JSONResponse:
        """Tell what is live, held, running, and how far behind."""
        return reading.environments()


def _writes(routes: APIRouter, deps: Deps, calls: Calls) -> None:
    asks = Depends(call_of(deps, "ask"))
    decides = Depends(call_of(deps, "ask", "decide"))
    settles = Depends(call_of(deps, "decide"))
    controls = Depends(call_of(deps, "control"))
    forks = Depends(call_of(deps, "fork"))

    @routes.post(
        "/threads", **said("start_thread", "Start a thread", Row, status=201, body=NewThread)
    )
    def start(
        call: Annotated[Call, asks], body: Annotated[NewThread, Depends(body_of(NewThread))]
    ) -> Response:
        """Let the bot read the words, and do or propose what they ask for."""
        return calls.start(call, body)

    @routes.post(
        "/threads/{thread_id}/messages",
        **said("say", "Say something in a thread", Row, status=202, body=NewMessage, missing=True),
    )
    def say(
        call: Annotated[Call, asks],
        thread_id: ThreadId,
        body: Annotated[NewMessage, Depends(body_of(NewMessage))],
    ) -> Response:
        """Add words that the bot reads; they close an open request or question."""
        return calls.say(call, thread_id, body)

    @routes.post(
        "/threads/{thread_id}/decision",
        **said("decide", "Answer what is open", Told, body=Decision, missing=True),
    )
    def decide(
        call: Annotated[Call, decides],
        thread_id: ThreadId,
        body: Annotated[Decision, Depends(body_of(Decision))],
    ) -> Response:
        """Approve or deny exactly what was shown, or answer a question.

        An approval needs the scope `decide`; for a question `ask` is enough.
        """
        return calls.decide(call, thread_id, body)

    @routes.post(
        "/threads/{thread_id}/edit",
        **said("edit", "Edit what is to be approved", Told, body=Editing, missing=True),
    )
    def edit(
        call: Annotated[Call, decides],
        thread_id: ThreadId,
        body: Annotated[Editing, Depends(body_of(Editing))],
    ) -> Response:
        """Have the open request planned anew with other commits, another order or another start."""
        return calls.edit(call, thread_id, body)

    @routes.post(
        "/threads/{thread_id}/resolve",
        **said("resolve", "Settle an unknown outcome", Told, body=Resolution, missing=True),
    )
    def resolve(
        call: Annotated[Call, settles],
        thread_id: ThreadId,
        body: Annotated[Resolution, Depends(body_of(Resolution))],
    ) -> Response:
        """Say how a deploy ended that its worker died with; its place becomes free."""
        return calls.resolve(call, thread_id, body)

    @routes.post(
        "/threads/{thread_id}/pause",
        **said("pause", "Pause a thread", Row, body=Nothing, missing=True),
    )
    def pause(
        call: Annotated[Call, controls],
        thread_id: ThreadId,
        body: Annotated[Nothing, Depends(body_of(Nothing, optional=True))],
    ) -> Response:
        """Let it hear, and start nothing, also not what is approved; what runs comes to its end."""
        return calls.pause(call, thread_id, body)

    @routes.post(
        "/threads/{thread_id}/resume",
        **said("resume", "Resume a thread", Row, body=Nothing, missing=True),
    )
    def resume(
        call: Annotated[Call, controls],
        thread_id: ThreadId,
        body: Annotated[Nothing, Depends(body_of(Nothing, optional=True))],
    ) -> Response:
        """Let it go on from where it stood."""
        return calls.resume(call, thread_id, body)

    @routes.post(
        "/threads/{thread_id}/cancel",
        **said("cancel", "Cancel a thread", Row, body=Ending, missing=True),
    )
    def cancel(
        call: Annotated[Call, controls],
        thread_id: ThreadId,
        body: Annotated[Ending, Depends(body_of(Ending, optional=True))],
    ) -> Response:
        """End it; a deploy that runs is asked to stop at its next safe step instead."""
        return calls.cancel(call, thread_id, body)

    @routes.post(
        "/threads/{thread_id}/fork",
        **said("fork", "Fork a thread", Row, status=201, body=Forking, missing=True),
    )
    def fork(
        call: Annotated[Call, forks],
        thread_id: ThreadId,
        body: Annotated[Forking, Depends(body_of(Forking))],
    ) -> Response:
        """Begin a thread with the first events of this one, and with nothing open."""
        return calls.fork(call, thread_id, body)
