"""The Web API: which method is which function, what scope it needs and how often it may be called."""

from collections.abc import Callable
from dataclasses import dataclass

from deploybot.demo.workspace.errors import SlackError
from deploybot.demo.workspace.methods import (
    chat,
    conversations,
    identity,
    reactions,
    users,
    views,
)
from deploybot.demo.workspace.methods.arguments import Arguments
from deploybot.demo.workspace.settings import Json
from deploybot.demo.workspace.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Method:
    """One method: its function, the scopes of which one is enough, and its tier (calls a minute).

    Those of the app itself take its own token, and no bot's.
    """

    run: Callable[[Workspace, Arguments], Json]
    scopes: tuple[str, ...] = ()
    tier: int = 3
    of_the_app: bool = False


_READ = ("channels:read", "groups:read", "im:read")
_HISTORY = ("channels:history", "groups:history", "im:history")

METHODS: dict[str, Method] = {
    "api.test": Method(identity.api_test, tier=4),
    "apps.connections.open": Method(identity.connections_open, tier=1, of_the_app=True),
    "auth.test": Method(identity.auth_test, tier=4),
    "bots.info": Method(identity.bots_info, ("users:read",)),
    "chat.delete": Method(chat.delete, ("chat:write",)),
    "chat.getPermalink": Method(chat.get_permalink, tier=4),
    "chat.postEphemeral": Method(chat.post_ephemeral, ("chat:write",), 4),
    "chat.postMessage": Method(chat.post_message, ("chat:write",), 4),
    "chat.update": Method(chat.update, ("chat:write",)),
    "conversations.history": Method(conversations.history, _HISTORY),
    "conversations.info": Method(conversations.info, _READ),
    "conversations.join": Method(conversations.join, ("channels:join",)),
    "conversations.list": Method(conversations.listed, _READ, 2),
    "conversations.members": Method(conversations.members, _READ, 4),
    "conversations.open": Method(conversations.opened, ("im:write",)),
    "conversations.replies": Method(conversations.replies, _HISTORY),
    "reactions.add": Method(reactions.add, ("reactions:write",)),
    "reactions.remove": Method(reactions.remove, ("reactions:write",), 2),
    "team.info": Method(identity.team_info, ("team:read",)),
    "usergroups.list": Method(users.groups, ("usergroups:read",), 2),
    "usergroups.users.list": Method(users.group_users, ("usergroups:read",), 2),
    "users.info": Method(users.info, ("users:read",), 4),
    "users.list": Method(users.listed, ("users:read",), 2),
    "users.lookupByEmail": Method(users.lookup_by_email, ("users:read.email",)),
    "views.open": Method(views.opened, tier=4),
    "views.publish": Method(views.published, tier=4),
    "views.push": Method(views.pushed, tier=4),
    "views.update": Method(views.updated, tier=4),
}


def call(workspace: Workspace, name: str, args: Arguments, token: str | None) -> Json:
    """Run one method as the app; return its whole answer, refusals included."""
    try:
        return {"ok": True, **_run(workspace, name, args, token)}
    except SlackError as refusal:
        return refusal.answer()


def _run(workspace: Workspace, name: str, args: Arguments, token: str | None) -> Json:
    method = METHODS.get(name)
    if method is None:
        raise SlackError("unknown_method", req_method=name)
    if name != "api.test":
        if not token:
            raise SlackError("not_authed")
        settings = workspace.settings
        if method.of_the_app != token.startswith("xapp-"):
            raise SlackError("not_allowed_token_type")
        if token != (settings.app_token if method.of_the_app else settings.bot_token):
            raise SlackError("invalid_auth")
    granted = workspace.settings.scopes
    if method.scopes and not set(method.scopes) & set(granted):
        needed = ",".join(method.scopes)
        raise SlackError("missing_scope", needed=needed, provided=",".join(granted))
    with workspace.lock:
        return method.run(workspace, args)
