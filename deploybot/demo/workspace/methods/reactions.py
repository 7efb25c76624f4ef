"""The reactions methods: the bot's own marks on messages."""

import re

from deploybot.demo.workspace.conversations import Conversation
from deploybot.demo.workspace.errors import SlackError
from deploybot.demo.workspace.message import Message
from deploybot.demo.workspace.methods.arguments import Arguments
from deploybot.demo.workspace.settings import Json
from deploybot.demo.workspace.workspace import Workspace

_NAME = re.compile(r"[a-z0-9_+'-]+(::skin-tone-[2-6])?")


def add(workspace: Workspace, args: Arguments) -> Json:
    """reactions.add: put a mark on a message."""
    where, message, name = _target(workspace, args)
    if workspace.settings.bot_user_id in dict(message.reactions).get(name, ()):
        raise SlackError("already_reacted")
    after = message.reacted(name, workspace.settings.bot_user_id)
    workspace.change(where, message, after, quietly=True)
    return {}


def remove(workspace: Workspace, args: Arguments) -> Json:
    """reactions.remove: take the mark away."""
    where, message, name = _target(workspace, args)
    if workspace.settings.bot_user_id not in dict(message.reactions).get(name, ()):
        raise SlackError("no_reaction")
    after = message.unreacted(name, workspace.settings.bot_user_id)
    workspace.change(where, message, after, quietly=True)
    return {}


def _target(workspace: Workspace, args: Arguments) -> tuple[Conversation, Message, str]:
    name = args.need("name").strip(":")
    if not _NAME.fullmatch(name):
        raise SlackError("invalid_name")
    where = workspace.conversations.for_bot(args.need("channel"))
    message = where.messages.get(args.need("timestamp"))
    if message is None or message.only_for:
        raise SlackError("message_not_found")
    if where.archived:
        raise SlackError("is_archived")
    return where, message, name
