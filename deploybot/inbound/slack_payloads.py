"""The parts of Slack's payloads that are read, and nothing of what they mean: that is `slack`'s."""

import json
from dataclasses import dataclass
from typing import Any, Literal, TypeVar
from urllib.parse import parse_qs

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from deploybot.errors import InboundError

Json = dict[str, Any]
T = TypeVar("T", bound=BaseModel)


@dataclass(frozen=True)
class Home:
    """The one app in the one workspace that is listened to; "" leaves a part unchecked."""

    team: str = ""
    app: str = ""
    bot_user: str = ""


class Part(BaseModel):
    """Slack adds keys at any time."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Id(Part):
    """Something named by its id alone."""

    id: str = Field(min_length=1)


class Said(Part):
    """A message event; `ts` and `thread_ts` are Slack's message ids."""

    type: Literal["app_mention", "message"]
    user: str = Field(min_length=1)
    channel: str = Field(min_length=1)
    ts: str = Field(min_length=1)
    thread_ts: str = ""
    channel_type: str = ""
    text: str = ""


class Edit(Part):
    """When a message was edited."""

    ts: str = ""


class Version(Part):
    """A message as it was, or is, when it was changed."""

    ts: str = Field(min_length=1)
    user: str = ""
    bot_id: str = ""
    text: str = ""
    thread_ts: str = ""
    subtype: str = ""
    edited: Edit | None = None


class Changed(Part):
    """The event of an edit or a deletion."""

    channel: str = Field(min_length=1)
    channel_type: str = ""
    event_ts: str = ""
    message: Version | None = None
    previous_message: Version | None = None


class Callback(Part):
    """The envelope of the Events API."""

    event_id: str = Field(min_length=1)
    team_id: str = Field(min_length=1)
    event: Said


class Container(Part):
    """The message that was clicked on."""

    channel_id: str = Field(min_length=1)
    message_ts: str = Field(min_length=1)
    thread_ts: str = ""


class Option(Part):
    """What was picked in a menu."""

    value: str


class Action(Part):
    """The element that was clicked."""

    action_id: str
    action_ts: str
    block_id: str = ""
    value: str = ""
    selected_option: Option | None = None


class Click(Part):
    """A `block_actions` payload."""

    team: Id | None = None
    user: Id
    container: Container
    actions: tuple[Action, ...] = Field(min_length=1)
    trigger_id: str = ""


class Input(Part):
    """What was typed or picked."""

    value: str | None = None
    selected_option: Option | None = None


class State(Part):
    """What was typed where: block id → action id → input."""

    values: dict[str, dict[str, Input]]


class View(Part):
    """A dialog as it was sent off."""

    id: str
    hash: str = ""
    private_metadata: str
    state: State


class Submission(Part):
    """A `view_submission` payload."""

    user: Id
    view: View


class Opened(Part):
    """Somebody looked at the app's own page."""

    class _Tab(Part):
        user: str = Field(min_length=1)
        tab: str = "home"

    event: _Tab


class _Outline(Part):
    """What must hold of any payload before anybody looks at its parts."""

    class _Typed(Part):
        type: str

    class _Called(Part):
        callback_id: str = ""

    class _Named(Part):
        action_id: str = ""

    type: str
    event: _Typed | None = None
    team: Id | None = None
    user: Id | None = None
    view: _Called | None = None
    container: dict[str, Any] | None = None
    channel: dict[str, Any] | None = None
    actions: tuple[_Named, ...] | None = Field(default=None, min_length=1)
    team_id: str | None = None
    authorizations: tuple[dict[str, Any], ...] | None = None


def read_body(body: bytes, content_type: str) -> Json:
    """Return the JSON object of a request; raises InboundError (400) when there is none."""
    try:
        text = body.decode()
        if content_type.partition(";")[0].strip().casefold() != "application/json":
            form = parse_qs(text, keep_blank_values=True, strict_parsing=True, max_num_fields=100)
            if "payload" not in form and "command" in form:
                return {name: given[0] for name, given in form.items()}
            text = form["payload"][0]
        payload = json.loads(text)
    except (ValueError, KeyError, RecursionError):
        raise unreadable("neither JSON nor a form with a payload") from None
    if not isinstance(payload, dict):
        raise unreadable("not a JSON object")
    check_outline(payload)
    return payload


def check_outline(payload: Json) -> None:
    """Refuse a payload whose parts are of the wrong kind: InboundError (400)."""
    if "command" not in payload or "type" in payload:
        parsed(_Outline, payload)


def check_home(payload: Json, home: Home) -> None:
    """Refuse what was sent for another app or from another workspace: InboundError (401)."""
    team = payload.get("team")
    given = payload.get("team_id") or (team.get("id") if isinstance(team, dict) else None)
    if home.app and payload.get("api_app_id") != home.app:
        raise InboundError("This request is for another app; nothing was stored.")
    if home.team and given != home.team:
        raise InboundError("This request is from another workspace; nothing was stored.")


def parsed(kind: type[T], payload: Json) -> T:
    """Return the payload as this kind; raises InboundError (400) naming what is wrong with it."""
    try:
        return kind.model_validate(payload)
    except ValidationError as error:
        where = ".".join(str(step) for step in error.errors()[0]["loc"])
        raise unreadable(f"{where} is missing or garbled") from None


def bot_of(payload: Json) -> str:
    """Return the user id of the bot that the event was delivered to, by Slack's own word; or ""."""
    given = payload.get("authorizations")
    first = given[0] if isinstance(given, list) and given else None
    user = first.get("user_id") if isinstance(first, dict) and first.get("is_bot") else ""
    return user if isinstance(user, str) else ""


def user_of(payload: Json) -> str:
    """Return the id of the user who did it, as far as the payload says so; else ""."""
    event, user = payload.get("event"), payload.get("user")
    if isinstance(event, dict):
        before = event.get("previous_message")
        user = event.get("user") or (before.get("user") if isinstance(before, dict) else "")
    elif isinstance(user, dict):
        user = user.get("id")
    else:
        user = payload.get("user_id")
    return user if isinstance(user, str) else ""


def unreadable(why: str) -> InboundError:
    """Return the error for a request that is genuine and makes no sense."""
    return InboundError(f"The request cannot be read ({why}); nothing was stored.", status=400)
