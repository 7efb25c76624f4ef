"""The page: its files, its first look at everything a person sees, and the stream of changes."""

import json
from collections.abc import AsyncIterator
from importlib.resources import files

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse, Response, StreamingResponse

from deploybot.demo.workspace.actions import someone
from deploybot.demo.workspace.correspondence import readable
from deploybot.demo.workspace.feed import Feed, Listener
from deploybot.demo.workspace.people import everybody
from deploybot.demo.workspace.settings import Json, Person
from deploybot.demo.workspace.workspace import Workspace

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; frame-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_MAIL_CSP = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; "
    "sandbox allow-same-origin allow-popups allow-popups-to-escape-sandbox"
)
_TYPES = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
_HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


def router(workspace: Workspace) -> APIRouter:
    """Return the page, its files, `/_human/{user}/state` and `/_human/{user}/feed`."""
    routes = APIRouter()
    static = files("deploybot.demo.workspace") / "static"
    known = {entry.name: entry.read_bytes() for entry in static.iterdir() if entry.is_file()}

    @routes.get("/")
    @routes.get("/archives/{channel}/{permalink}")
    def page(channel: str = "", permalink: str = "") -> Response:
        return Response(known["index.html"], headers=_HEADERS, media_type=_TYPES["html"])

    @routes.get("/static/{name}")
    def file(name: str) -> Response:
        if name not in known:
            raise HTTPException(404, f"The page has no file {name}.")
        kind = _TYPES[name.rpartition(".")[2]]
        return Response(known[name], headers=_HEADERS, media_type=kind)

    @routes.get("/_people")
    def people() -> Json:
        return {
            "team": workspace.settings.team_name,
            "people": [_face(person) for person in workspace.settings.people if not person.deleted],
            "links": [link.model_dump() for link in workspace.settings.links],
        }

    @routes.get("/_human/{user}/state")
    def state(user: str) -> Json:
        with workspace.lock:
            return snapshot(workspace, someone(workspace, user))

    @routes.get("/_human/{user}/feed")
    async def feed(user: str, request: Request, after: int = 0) -> StreamingResponse:
        seen = request.headers.get("last-event-id", "")
        start = int(seen) if seen.isdecimal() else after
        listener = workspace.feed.listen(someone(workspace, user).id, start)
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        stream = _stream(workspace.feed, listener)
        return StreamingResponse(stream, media_type="text/event-stream", headers=headers)

    @routes.get("/_mail/{mail_id}/html")
    def mail(mail_id: str) -> HTMLResponse:
        try:
            found = workspace.mailbox.get(mail_id)
        except KeyError:
            raise HTTPException(404, f"There is no mail {mail_id}.") from None
        headers = {**_HEADERS, "Content-Security-Policy": _MAIL_CSP}
        return HTMLResponse(f'<base target="_blank">{found.html}', headers=headers)

    return routes


def snapshot(workspace: Workspace, person: Person) -> Json:
    """Return all that this person sees now; `seq` is the last change it holds."""
    settings = workspace.settings
    workspace.conversations.direct(person.id)
    rooms = [
        where for where in workspace.conversations.by_id.values() if person.id in where.members
    ]
    return {
        "seq": workspace.feed.seq,
        "me": person.id,
        "bot": settings.bot_user_id,
        "app": settings.app_id,
        "team": settings.team_name,
        "people": [_face(other) for other in everybody(settings)],
        "groups": [group.model_dump(include={"id", "handle"}) for group in settings.groups],
        "commands": [command.model_dump() for command in settings.commands],
        "links": [link.model_dump() for link in settings.links],
        "suggestions": list(settings.suggestions),
        "channels": [
            {
                "id": where.id,
                "kind": where.kind,
                "name": where.name,
                "topic": where.given.topic if where.given else "",
                "archived": where.archived,
                "members": where.members,
            }
            for where in rooms
        ],
        "messages": [
            workspace.page_message(where, message)
            for where in rooms
            for message in where.messages.values()
            if message.only_for in {None, person.id}
        ],
        "views": {
            "stack": workspace.views.stacks.get(person.id, []),
            "home": workspace.views.homes.get(person.id),
        },
        "mail": [
            mail.model_dump(by_alias=True)
            for mail in workspace.mailbox.all()
            if readable(workspace, person, mail)
        ],
        "mail_works": settings.mail_reply_url is not None,
        "mail_address": settings.mail_address,
    }


def _face(person: Person) -> Json:
    face = person.model_dump(include={"id", "name", "title", "email", "colour", "is_bot"})
    return {**face, "real_name": person.real_name or person.name}


async def _stream(feed: Feed, listener: Listener) -> AsyncIterator[str]:
    try:
        yield "retry: 1000\n\n"
        while (change := await listener.queue.get()) is not None:
            data = json.dumps({"kind": change.kind, "body": change.body})
            yield f"id: {change.seq}\ndata: {data}\n\n"
    finally:
        feed.leave(listener)
