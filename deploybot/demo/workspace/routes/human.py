"""What people do, as an HTTP API: the page and tests use the same one; `{user}` is an id or a name."""

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from deploybot.demo.workspace import actions, correspondence, interactions
from deploybot.demo.workspace.settings import Json
from deploybot.demo.workspace.workspace import Workspace


class _Asked(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Say(_Asked):
    """Words in a channel or thread; a leading slash runs a command."""

    channel: str
    text: str
    thread_ts: str | None = None
    broadcast: bool = False


class Click(_Asked):
    """A click in a message (channel, ts) or in a view (view_id)."""

    action_id: str
    channel: str | None = None
    ts: str | None = None
    view_id: str | None = None
    block_id: str | None = None
    value: Any = None
    values: dict[str, Any] = {}


class Submit(_Asked):
    """The entries of a modal, by action id or block id."""

    view_id: str
    values: dict[str, Any] = {}


class Close(_Asked):
    """The modal to close."""

    view_id: str


class Edit(_Asked):
    """New words for an old message."""

    channel: str
    ts: str
    text: str


class Delete(_Asked):
    """The message to take back."""

    channel: str
    ts: str


class React(_Asked):
    """A mark to put on a message, or to take off."""

    channel: str
    ts: str
    name: str


class ReplyMail(_Asked):
    """An answer to a mail."""

    id: str
    text: str


class SendMail(_Asked):
    """A new mail; without `to` it goes to the bot."""

    to: str = ""
    subject: str = ""
    text: str


def router(workspace: Workspace) -> APIRouter:  # noqa: C901 - a list of small routes
    """Return the routes under `/_human/{user}`; each answers what the bot answered."""
    routes = APIRouter(prefix="/_human/{user}")

    @routes.post("/say")
    def say(user: str, asked: Say) -> Json:
        commands = {known.name for known in workspace.settings.commands}
        if asked.text.partition(" ")[0] in commands and asked.thread_ts is None:
            return interactions.command(workspace, user, asked.channel, asked.text)
        return actions.say(
            workspace, user, asked.channel, asked.text, asked.thread_ts, broadcast=asked.broadcast
        )

    @routes.post("/click")
    def click(user: str, asked: Click) -> Json:
        return interactions.click(
            workspace,
            user,
            asked.action_id,
            at=asked.view_id or (asked.channel or "", asked.ts or ""),
            block_id=asked.block_id,
            value=asked.value,
            values=asked.values,
        )

    @routes.post("/submit")
    def submit(user: str, asked: Submit) -> Json:
        return interactions.submit(workspace, user, asked.view_id, asked.values)

    @routes.post("/close")
    def close(user: str, asked: Close) -> Json:
        return interactions.close(workspace, user, asked.view_id)

    @routes.post("/edit")
    def edit(user: str, asked: Edit) -> Json:
        return actions.edit(workspace, user, asked.channel, asked.ts, asked.text)

    @routes.post("/delete")
    def delete(user: str, asked: Delete) -> Json:
        return actions.delete(workspace, user, asked.channel, asked.ts)

    @routes.post("/react")
    def react(user: str, asked: React) -> Json:
        return actions.react(workspace, user, asked.channel, asked.ts, asked.name)

    @routes.post("/open_home")
    def open_home(user: str) -> Json:
        return actions.open_home(workspace, user)

    @routes.post("/reply_mail")
    def reply_mail(user: str, asked: ReplyMail) -> Json:
        return correspondence.reply(workspace, user, asked.id, asked.text)

    @routes.post("/send_mail")
    def send_mail(user: str, asked: SendMail) -> Json:
        return correspondence.write(workspace, user, asked.to, asked.subject, asked.text)

    return routes
