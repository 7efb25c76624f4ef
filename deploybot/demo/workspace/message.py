"""One message, frozen: what it holds and how Slack shows it; where messages are kept is `conversations`."""

from dataclasses import dataclass, replace

from deploybot.demo.workspace.settings import Json, WorkspaceSettings


@dataclass(frozen=True, slots=True)
class Message:
    """A message as it stands now; a change makes a new one.

    `by_bot` marks the app's own posts; `only_for` makes it ephemeral; `edited` is (user, ts).
    """

    channel: str
    ts: str
    user: str
    text: str
    by_bot: bool = False
    blocks: tuple[Json, ...] = ()
    thread_ts: str | None = None
    broadcast: bool = False
    metadata: Json | None = None
    client_msg_id: str | None = None
    only_for: str | None = None
    edited: tuple[str, str] | None = None
    reactions: tuple[tuple[str, tuple[str, ...]], ...] = ()
    tombstone: bool = False

    @property
    def is_reply(self) -> bool:
        """Whether it stands in a thread under another message."""
        return self.thread_ts is not None and self.thread_ts != self.ts

    def reacted(self, name: str, user: str) -> "Message":
        """Return the message with one more reaction."""
        reactions = dict(self.reactions)
        reactions[name] = (*reactions.get(name, ()), user)
        return replace(self, reactions=tuple(reactions.items()))

    def unreacted(self, name: str, user: str) -> "Message":
        """Return the message without this person's reaction."""
        reactions = dict(self.reactions)
        reactions[name] = tuple(other for other in reactions[name] if other != user)
        return replace(self, reactions=tuple((key, by) for key, by in reactions.items() if by))


@dataclass(frozen=True, slots=True)
class Thread:
    """What a parent message says about its replies."""

    count: int
    users: tuple[str, ...]
    latest: str


def bot_profile(settings: WorkspaceSettings) -> Json:
    """Return the profile that Slack puts on messages of an app."""
    return {
        "id": settings.bot_id,
        "app_id": settings.app_id,
        "user_id": settings.bot_user_id,
        "name": settings.bot_name,
        "icons": {},
        "deleted": False,
        "updated": 0,
        "team_id": settings.team_id,
    }


def shape(
    message: Message,
    settings: WorkspaceSettings,
    thread: Thread | None = None,
    root: Message | None = None,
    *,
    with_metadata: bool = False,
) -> Json:
    """Return the message as Slack's API and events show it, without its channel."""
    body: Json = {"type": "message", "user": message.user, "ts": message.ts, "text": message.text}
    if message.tombstone:
        body |= {"subtype": "tombstone", "hidden": True}
    if message.by_bot:
        body |= {
            "bot_id": settings.bot_id,
            "app_id": settings.app_id,
            "bot_profile": bot_profile(settings),
        }
    if message.client_msg_id:
        body["client_msg_id"] = message.client_msg_id
    body["team"] = settings.team_id
    if message.blocks:
        body["blocks"] = list(message.blocks)
    if message.edited:
        body["edited"] = {"user": message.edited[0], "ts": message.edited[1]}
    if message.reactions:
        body["reactions"] = [
            {"name": name, "users": list(users), "count": len(users)}
            for name, users in message.reactions
        ]
    if message.metadata and with_metadata:
        body["metadata"] = message.metadata
    return body | _threading(message, settings, thread, root)


def _threading(
    message: Message, settings: WorkspaceSettings, thread: Thread | None, root: Message | None
) -> Json:
    body: Json = {}
    if message.thread_ts:
        body["thread_ts"] = message.thread_ts
    if root is not None and message.is_reply:
        body["parent_user_id"] = root.user
        if message.broadcast:
            body |= {"subtype": "thread_broadcast", "root": shape(root, settings)}
    if thread is not None:
        body |= {
            "thread_ts": message.ts,
            "reply_count": thread.count,
            "reply_users_count": len(thread.users),
            "latest_reply": thread.latest,
            "reply_users": list(thread.users),
            "is_locked": False,
            "subscribed": False,
        }
    return body
