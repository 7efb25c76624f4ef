"""The chat methods: post, change, delete and point at messages."""

from dataclasses import replace

from deploybot.demo.workspace.blocks import checked
from deploybot.demo.workspace.conversations import Conversation
from deploybot.demo.workspace.errors import SlackError
from deploybot.demo.workspace.message import Message
from deploybot.demo.workspace.methods.arguments import Arguments
from deploybot.demo.workspace.settings import Json
from deploybot.demo.workspace.workspace import Workspace

LONGEST = 40_000
LONGEST_CHANGED = 4_000
"""Bytes, counted on the escaped text."""


def post_message(workspace: Workspace, args: Arguments) -> Json:
    """chat.postMessage: say something in a channel, a thread or a direct message."""
    where = writable(workspace, args.need("channel"))
    text, blocks = content(workspace, args, LONGEST)
    draft = Message(
        channel=where.id,
        ts="",
        user=workspace.settings.bot_user_id,
        text=text,
        by_bot=True,
        blocks=blocks,
        thread_ts=_thread(where, args),
        broadcast=args.flag("reply_broadcast"),
        metadata=_metadata(args),
    )
    message, _ = workspace.post(where, draft)
    shown = where.shape(workspace.settings, message)
    return {"channel": where.id, "ts": message.ts, "message": shown}


def post_ephemeral(workspace: Workspace, args: Arguments) -> Json:
    """chat.postEphemeral: say something that one person of the channel sees."""
    where = writable(workspace, args.need("channel"))
    user = args.need("user")
    if user not in where.members:
        raise SlackError("user_not_in_channel")
    text, blocks = content(workspace, args, LONGEST)
    draft = Message(
        channel=where.id,
        ts="",
        user=workspace.settings.bot_user_id,
        text=text,
        by_bot=True,
        blocks=blocks,
        thread_ts=_thread(where, args),
        only_for=user,
    )
    message, _ = workspace.post(where, draft)
    return {"message_ts": message.ts}


def update(workspace: Workspace, args: Arguments) -> Json:
    """chat.update: change one of the app's own messages."""
    where = writable(workspace, args.need("channel"))
    before = _own(where, args, "cant_update_message")
    text, blocks = content(workspace, args, LONGEST_CHANGED)
    if "blocks" not in args.values and "text" in args.values and before.blocks:
        blocks = ()
    metadata = _metadata(args) if "metadata" in args.values else before.metadata
    edited = (workspace.settings.bot_user_id, workspace.ids.ts())
    after = replace(before, text=text, blocks=blocks, metadata=metadata, edited=edited)
    if args.flag("reply_broadcast"):
        after = replace(after, broadcast=True)
    workspace.change(where, before, after)
    shown = where.shape(workspace.settings, after)
    return {"channel": where.id, "ts": after.ts, "text": after.text, "message": shown}


def delete(workspace: Workspace, args: Arguments) -> Json:
    """chat.delete: take one of the app's own messages away."""
    where = writable(workspace, args.need("channel"))
    message = _own(where, args, "cant_delete_message")
    workspace.delete(where, message)
    return {"channel": where.id, "ts": message.ts}


def get_permalink(workspace: Workspace, args: Arguments) -> Json:
    """chat.getPermalink: the address of a message on the page."""
    where = workspace.conversations.for_bot(args.need("channel"))
    message = where.messages.get(args.need("message_ts"))
    if message is None or message.only_for:
        raise SlackError("message_not_found")
    link = f"{workspace.url}/archives/{where.id}/p{message.ts.replace('.', '')}"
    if message.is_reply:
        link += f"?thread_ts={message.thread_ts}&cid={where.id}"
    return {"channel": where.id, "permalink": link}


def writable(workspace: Workspace, channel: str) -> Conversation:
    """Return the conversation if the bot may write there now."""
    if channel.startswith("U") and workspace.settings.person(channel):
        return workspace.conversations.direct(channel)
    where = workspace.conversations.for_bot(channel)
    if where.archived:
        raise SlackError("is_archived")
    if workspace.settings.bot_user_id not in where.members:
        raise SlackError("not_in_channel")
    return where


def content(workspace: Workspace, args: Arguments, longest: int) -> tuple[str, tuple[Json, ...]]:
    """Return the text and the checked blocks of a message."""
    text = args.text("text") or ""
    blocks = args.structure("blocks", "invalid_blocks_format")
    if args.text("markdown_text"):
        if text or blocks:
            raise SlackError("markdown_text_conflict")
        blocks = [{"type": "markdown", "text": args.need("markdown_text")}]
    if args.structure("attachments", "invalid_attachments"):
        raise SlackError("invalid_attachments", "this workspace shows blocks, not attachments")
    if len(text.encode()) > longest:
        raise SlackError("msg_too_long")
    if not blocks:
        if not text.strip():
            raise SlackError("no_text")
        return text, ()
    return text, tuple(checked(blocks, lambda: workspace.ids.short(length=5)))


def _thread(where: Conversation, args: Arguments) -> str | None:
    thread = args.text("thread_ts")
    if not thread:
        return None
    parent = where.messages.get(thread)
    if parent is None or parent.only_for:
        raise SlackError("thread_not_found")
    # A reply to a reply stands in the same thread.
    return parent.thread_ts if parent.is_reply else thread


def _metadata(args: Arguments) -> Json | None:
    metadata = args.structure("metadata", "invalid_metadata_format")
    if not metadata:
        return None
    if not isinstance(metadata, dict):
        raise SlackError("invalid_metadata_format")
    if set(metadata) - {"entities"} != {"event_type", "event_payload"}:
        raise SlackError("invalid_metadata_schema")
    if not isinstance(metadata["event_payload"], dict) or not metadata["event_type"]:
        raise SlackError("invalid_metadata_schema")
    return metadata


def _own(where: Conversation, args: Arguments, refused: str) -> Message:
    message = where.messages.get(args.need("ts"))
    if message is None or message.only_for or message.tombstone:
        raise SlackError("message_not_found")
    if not message.by_bot:
        raise SlackError(refused)
    return message
