"""The conversations methods: what channels there are, who is in them and what was said."""

from deploybot.demo.workspace.conversations import Conversation
from deploybot.demo.workspace.errors import SlackError
from deploybot.demo.workspace.message import Message
from deploybot.demo.workspace.methods.arguments import Arguments, cut
from deploybot.demo.workspace.settings import Json
from deploybot.demo.workspace.workspace import Workspace

_TYPES = {"public_channel": "channel", "private_channel": "group", "im": "im", "mpim": "mpim"}


def info(workspace: Workspace, args: Arguments) -> Json:
    """conversations.info: one channel."""
    where = workspace.conversations.for_bot(args.need("channel"))
    return {"channel": workspace.conversations.info(where)}


def listed(workspace: Workspace, args: Arguments) -> Json:
    """conversations.list: the channels of these types, the bot's private ones only."""
    types = (args.text("types") or "public_channel").replace(" ", "").split(",")
    if not set(types) <= set(_TYPES):
        raise SlackError("invalid_types")
    kinds = {_TYPES[name] for name in types}
    bot = workspace.settings.bot_user_id
    found = [
        workspace.conversations.info(where)
        for where in workspace.conversations.by_id.values()
        if where.kind in kinds
        and (where.kind == "channel" or bot in where.members)
        and not (where.archived and args.flag("exclude_archived"))
    ]
    page, cursor = cut(found, *args.page(100, 1000))
    return {"channels": page, "response_metadata": {"next_cursor": cursor}}


def members(workspace: Workspace, args: Arguments) -> Json:
    """conversations.members: the ids of who is in a channel."""
    where = workspace.conversations.for_bot(args.need("channel"))
    page, cursor = cut([{"id": user} for user in where.members], *args.page(100, 1000))
    ids = [member["id"] for member in page]
    return {"members": ids, "response_metadata": {"next_cursor": cursor}}


def join(workspace: Workspace, args: Arguments) -> Json:
    """conversations.join: the bot enters a public channel."""
    where = workspace.conversations.for_bot(args.need("channel"))
    if where.kind != "channel":
        raise SlackError("method_not_supported_for_channel_type")
    if where.archived:
        raise SlackError("is_archived")
    body: Json = {"channel": workspace.conversations.info(where)}
    if workspace.settings.bot_user_id in where.members:
        return {**body, "warning": "already_in_channel"}
    where.members.append(workspace.settings.bot_user_id)
    return {"channel": workspace.conversations.info(where)}


def opened(workspace: Workspace, args: Arguments) -> Json:
    """conversations.open: the direct message with one person."""
    if channel := args.text("channel"):
        where = workspace.conversations.for_bot(channel)
        return {"channel": {"id": where.id}}
    users = args.need("users").replace(" ", "").split(",")
    if len(users) != 1:
        raise SlackError("method_not_supported_for_channel_type", "only one person at a time here")
    person = workspace.settings.person(users[0])
    if person is None:
        raise SlackError("user_not_found")
    if person.deleted:
        raise SlackError("user_disabled")
    return {"channel": {"id": workspace.conversations.direct(person.id).id}}


def history(workspace: Workspace, args: Arguments) -> Json:
    """conversations.history: what stands in the channel, newest first."""
    where = _readable(workspace, args)
    messages = [message for message in reversed(list(where.main())) if _within(message, args)]
    return _said(workspace, where, messages, args)


def replies(workspace: Workspace, args: Arguments) -> Json:
    """conversations.replies: a thread, its parent first."""
    where = _readable(workspace, args)
    ts = args.need("ts")
    message = where.messages.get(ts)
    if message is None or message.only_for:
        raise SlackError("thread_not_found")
    parent = where.messages[message.thread_ts or ts] if message.is_reply else message
    under = [where.messages[reply] for reply in where.replies.get(parent.ts, ())]
    return _said(
        workspace, where, [parent, *(reply for reply in under if _within(reply, args))], args
    )


def _readable(workspace: Workspace, args: Arguments) -> Conversation:
    where = workspace.conversations.for_bot(args.need("channel"))
    if workspace.settings.bot_user_id not in where.members:
        raise SlackError("not_in_channel")
    return where


def _within(message: Message, args: Arguments) -> bool:
    oldest, latest = args.text("oldest"), args.text("latest")
    inclusive = args.flag("inclusive")
    ts = float(message.ts)
    try:
        after = oldest is None or ts > float(oldest) or (inclusive and ts == float(oldest))
        before = latest is None or ts < float(latest) or (inclusive and ts == float(latest))
    except ValueError:
        raise SlackError("invalid_ts_latest" if oldest is None else "invalid_ts_oldest") from None
    return after and before


def _said(
    workspace: Workspace, where: Conversation, messages: list[Message], args: Arguments
) -> Json:
    start, limit = args.page(100, 999)
    shown = [
        where.shape(workspace.settings, message, with_metadata=args.flag("include_all_metadata"))
        for message in messages[start : start + limit]
    ]
    more = start + limit < len(messages)
    body: Json = {"messages": shown, "has_more": more}
    if more:
        body["response_metadata"] = {"next_cursor": f"next:{start + limit}"}
    return body
