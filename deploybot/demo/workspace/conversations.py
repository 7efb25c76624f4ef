"""Channels, direct messages and the messages in them: kept in memory, found by channel and timestamp."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from deploybot.demo.workspace.errors import SlackError
from deploybot.demo.workspace.message import Message, Thread
from deploybot.demo.workspace.message import shape as message_shape
from deploybot.demo.workspace.settings import Channel, Json, WorkspaceSettings

_CREATED = 1_700_000_000


@dataclass(slots=True)
class Conversation:
    """A channel or a direct message, with everything said in it."""

    id: str
    kind: Literal["channel", "group", "im"]
    name: str
    members: list[str]
    given: Channel | None = None
    archived: bool = False
    messages: dict[str, Message] = field(default_factory=dict)
    replies: dict[str, list[str]] = field(default_factory=dict)

    def keep(self, message: Message) -> None:
        """Put a new or changed message in its place."""
        if message.is_reply and message.ts not in self.messages and not message.only_for:
            self.replies.setdefault(message.thread_ts or "", []).append(message.ts)
        self.messages[message.ts] = message

    def drop(self, ts: str) -> Message:
        """Take a message away."""
        message = self.messages.pop(ts)
        if message.is_reply and message.thread_ts in self.replies:
            self.replies[message.thread_ts] = [
                other for other in self.replies[message.thread_ts] if other != ts
            ]
        return message

    def thread(self, ts: str) -> Thread | None:
        """Return what the parent says about its replies, or None without any."""
        replies = [self.messages[reply] for reply in self.replies.get(ts, ())]
        if not replies:
            return None
        return Thread(len(replies), tuple({reply.user: 0 for reply in replies}), replies[-1].ts)

    def shape(self, settings: WorkspaceSettings, message: Message, **more: bool) -> Json:
        """Return the message as Slack shows it, with its thread."""
        root = self.messages.get(message.thread_ts or "")
        return message_shape(message, settings, self.thread(message.ts), root, **more)

    def main(self) -> Iterator[Message]:
        """Yield what stands in the channel itself, oldest first: no replies but broadcast ones."""
        for message in list(self.messages.values()):
            if not message.only_for and (not message.is_reply or message.broadcast):
                yield message


class Conversations:
    """All conversations of the workspace."""

    def __init__(self, settings: WorkspaceSettings) -> None:
        self._settings = settings
        everybody = tuple(person.id for person in settings.people if not person.deleted)
        self.by_id: dict[str, Conversation] = {}
        for channel in settings.channels:
            members = list(channel.members if channel.members is not None else everybody)
            if channel.bot_is_member and settings.bot_user_id not in members:
                members.append(settings.bot_user_id)
            self.by_id[channel.id] = Conversation(
                id=channel.id,
                kind="group" if channel.is_private else "channel",
                name=channel.name,
                members=members,
                given=channel,
                archived=channel.is_archived,
            )

    def direct(self, user: str) -> Conversation:
        """Return the direct conversation of this person and the bot, opened if need be."""
        channel = "D" + user[1:]
        if channel not in self.by_id:
            members = [user, self._settings.bot_user_id]
            self.by_id[channel] = Conversation(id=channel, kind="im", name=user, members=members)
        return self.by_id[channel]

    def for_bot(self, channel: str) -> Conversation:
        """Return the conversation the bot names, by id or by name; raise channel_not_found."""
        name = channel.removeprefix("#")
        found = self.by_id.get(channel) or next(
            (other for other in self.by_id.values() if other.name == name), None
        )
        bot = self._settings.bot_user_id
        if found is None or (found.kind != "channel" and bot not in found.members):
            raise SlackError("channel_not_found")
        return found

    def for_person(self, channel: str, user: str) -> Conversation:
        """Return the conversation this person is in; raise channel_not_found."""
        if channel == "D" + user[1:]:
            return self.direct(user)
        found = self.by_id.get(channel)
        if found is None or user not in found.members:
            raise SlackError("channel_not_found")
        return found

    def info(self, conversation: Conversation) -> Json:
        """Return the conversation object of Slack."""
        settings = self._settings
        body: Json = {
            "id": conversation.id,
            "created": _CREATED,
            "context_team_id": settings.team_id,
            "is_archived": conversation.archived,
            "is_channel": conversation.kind == "channel",
            "is_group": conversation.kind == "group",
            "is_im": conversation.kind == "im",
            "is_mpim": False,
            "is_private": conversation.kind != "channel",
            "is_org_shared": False,
        }
        if conversation.kind == "im":
            return {**body, "user": conversation.name, "is_user_deleted": False, "priority": 0}
        given = conversation.given
        return {
            **body,
            "name": conversation.name,
            "name_normalized": conversation.name,
            "is_general": False,
            "is_shared": False,
            "is_ext_shared": False,
            "is_member": settings.bot_user_id in conversation.members,
            "creator": settings.people[0].id if settings.people else settings.bot_user_id,
            "topic": {"value": given.topic if given else "", "creator": "", "last_set": 0},
            "purpose": {"value": given.purpose if given else "", "creator": "", "last_set": 0},
            "num_members": len(conversation.members),
            "previous_names": [],
        }
