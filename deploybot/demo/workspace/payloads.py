"""The payloads that Slack posts to an app, built from what happened; sending them is `courier`'s."""

from deploybot.demo.workspace.conversations import Conversation
from deploybot.demo.workspace.message import Message, shape
from deploybot.demo.workspace.settings import Json, Person, WorkspaceSettings

_CHANNEL_TYPE = {"channel": "channel", "group": "group", "im": "im"}
_SUBSCRIPTION = {"channel": "message.channels", "group": "message.groups", "im": "message.im"}


def event_callback(settings: WorkspaceSettings, event: Json, event_id: str, now: float) -> Json:
    """Wrap one event in the envelope of the Events API."""
    channel = event.get("channel")
    return {
        "token": settings.verification_token,
        "team_id": settings.team_id,
        "context_team_id": settings.team_id,
        "context_enterprise_id": None,
        "api_app_id": settings.app_id,
        "event": event,
        "type": "event_callback",
        "event_id": event_id,
        "event_time": int(now),
        "authorizations": [
            {
                "enterprise_id": None,
                "team_id": settings.team_id,
                "user_id": settings.bot_user_id,
                "is_bot": True,
                "is_enterprise_install": False,
            }
        ],
        "is_ext_shared_channel": False,
        "event_context": f"4-{settings.team_id}-{settings.app_id}-{channel or 'none'}",
    }


def posted(settings: WorkspaceSettings, where: Conversation, message: Message) -> list[Json]:
    """Return the events that a new message makes, as far as the app hears of them."""
    if settings.bot_user_id not in where.members or message.only_for:
        return []
    body = where.shape(settings, message) | {
        "channel": where.id,
        "event_ts": message.ts,
        "channel_type": _CHANNEL_TYPE[where.kind],
    }
    events: list[Json] = []
    mentioned = f"<@{settings.bot_user_id}>" in message.text and not message.by_bot
    if mentioned and where.kind != "im" and "app_mention" in settings.events:
        event = {key: value for key, value in body.items() if key not in {"channel_type", "root"}}
        events.append({**event, "type": "app_mention"})
    if _SUBSCRIPTION[where.kind] in settings.events:
        events.append(body)
    return events


def changed(
    settings: WorkspaceSettings, where: Conversation, message: Message, before: Message, ts: str
) -> list[Json]:
    """Return the event of an edit, when the app hears of it."""
    body = {"message": where.shape(settings, message), "previous_message": shape(before, settings)}
    return _hidden(settings, where, "message_changed", body, ts)


def deleted(
    settings: WorkspaceSettings, where: Conversation, before: Message, ts: str
) -> list[Json]:
    """Return the event of a deletion, when the app hears of it."""
    body = {"previous_message": shape(before, settings), "deleted_ts": before.ts}
    return _hidden(settings, where, "message_deleted", body, ts)


def _hidden(
    settings: WorkspaceSettings, where: Conversation, subtype: str, body: Json, ts: str
) -> list[Json]:
    heard = _SUBSCRIPTION[where.kind] in settings.events
    if not heard or settings.bot_user_id not in where.members:
        return []
    return [
        {
            "type": "message",
            "subtype": subtype,
            **body,
            "channel": where.id,
            "hidden": True,
            "ts": ts,
            "event_ts": ts,
            "channel_type": _CHANNEL_TYPE[where.kind],
        }
    ]


def home_opened(settings: WorkspaceSettings, where: Conversation, user: str, ts: str) -> list[Json]:
    """Return the event of a person looking at the app's Home."""
    if "app_home_opened" not in settings.events:
        return []
    event = {"type": "app_home_opened", "user": user, "channel": where.id, "tab": "home"}
    return [{**event, "event_ts": ts}]


def interaction(settings: WorkspaceSettings, kind: str, person: Person, trigger: str) -> Json:
    """Return what every interactive payload starts with."""
    return {
        "type": kind,
        "user": {
            "id": person.id,
            "username": person.name,
            "name": person.name,
            "team_id": person.team_id or settings.team_id,
        },
        "api_app_id": settings.app_id,
        "token": settings.verification_token,
        "trigger_id": trigger,
        "team": {"id": settings.team_id, "domain": settings.team_domain},
        "enterprise": None,
        "is_enterprise_install": False,
    }


def on_message(
    settings: WorkspaceSettings, where: Conversation, message: Message, response_url: str
) -> Json:
    """Return what a click adds when it is on a message."""
    container: Json = {
        "type": "message",
        "message_ts": message.ts,
        "channel_id": where.id,
        "is_ephemeral": message.only_for is not None,
    }
    if message.thread_ts:
        container["thread_ts"] = message.thread_ts
    names = {"channel": where.name, "group": "privategroup", "im": "directmessage"}
    body: Json = {
        "container": container,
        "channel": {"id": where.id, "name": names[where.kind]},
        "state": {"values": {}},
        "response_url": response_url,
    }
    if message.only_for is None:
        body["message"] = where.shape(settings, message)
    return body
