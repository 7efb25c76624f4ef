"""What the bot may post to a response_url: another message, or a change of the one clicked."""

from dataclasses import replace

from deploybot.demo.workspace.blocks import checked
from deploybot.demo.workspace.errors import SlackError
from deploybot.demo.workspace.message import Message
from deploybot.demo.workspace.settings import Json
from deploybot.demo.workspace.workspace import ResponseUrl, Workspace


def respond(workspace: Workspace, secret: str, body: Json) -> None:
    """Do what the bot asks; raise `SlackError` for a used, late or unknown address."""
    with workspace.lock:
        address = workspace.response_urls.get(secret)
        if address is None:
            raise SlackError("expired_url")
        if workspace.now() - address.at > workspace.settings.response_url_seconds:
            raise SlackError("expired_url")
        if address.used >= workspace.settings.response_url_uses:
            raise SlackError("used_url")
        address.used += 1
        _do(workspace, address, body)


def _do(workspace: Workspace, address: ResponseUrl, body: Json) -> None:
    where, message = address.where, where_now(address)
    if body.get("delete_original"):
        if message is None:
            raise SlackError("message_not_found")
        workspace.delete(where, message)
        return
    text = str(body.get("text") or "")
    given = body.get("blocks") or []
    blocks = tuple(checked(given, lambda: workspace.ids.short(length=5)))
    if not text.strip() and not blocks:
        raise SlackError("no_text")
    if body.get("replace_original"):
        if message is None:
            raise SlackError("message_not_found")
        edited = (workspace.settings.bot_user_id, workspace.ids.ts())
        after = replace(message, text=text, blocks=blocks, edited=edited)
        workspace.change(where, message, after)
        return
    in_channel = body.get("response_type") == "in_channel"
    draft = Message(
        channel=where.id,
        ts="",
        user=workspace.settings.bot_user_id,
        text=text,
        by_bot=True,
        blocks=blocks,
        thread_ts=body.get("thread_ts") or None,
        only_for=None if in_channel else address.user,
    )
    workspace.post(where, draft)


def where_now(address: ResponseUrl) -> Message | None:
    """Return the message the address is about, as it stands now, or None when it is gone."""
    return address.where.messages.get(address.message.ts)
