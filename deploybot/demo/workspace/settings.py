"""The workspace as it is given at start: team, app, people, channels and pace; what happens later is state."""

from typing import Any, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

Json: TypeAlias = dict[str, Any]
"""A JSON object whose shape Slack decides, not we."""

SCOPES = (
    "app_mentions:read",
    "channels:history",
    "channels:join",
    "channels:read",
    "chat:write",
    "commands",
    "groups:history",
    "groups:read",
    "im:history",
    "im:read",
    "im:write",
    "reactions:write",
    "team:read",
    "usergroups:read",
    "users:read",
    "users:read.email",
)

EVENTS = (
    "app_home_opened",
    "app_mention",
    "message.channels",
    "message.groups",
    "message.im",
)


class _Given(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Person(_Given):
    """One member of the workspace, with the flags that Slack puts on its user objects."""

    id: str
    name: str
    real_name: str = ""
    title: str = ""
    email: str = ""
    colour: str = "#4a6fa5"
    team_id: str | None = None
    """The home team; None means this workspace (a stranger of Slack Connect has another)."""
    is_admin: bool = False
    is_bot: bool = False
    is_restricted: bool = False
    is_ultra_restricted: bool = False
    is_stranger: bool = False
    is_email_confirmed: bool = True
    deleted: bool = False


class Channel(_Given):
    """One channel; without `members` everybody is in it."""

    id: str
    name: str
    topic: str = ""
    purpose: str = ""
    members: tuple[str, ...] | None = None
    bot_is_member: bool = True
    is_private: bool = False
    is_archived: bool = False


class UserGroup(_Given):
    """A group of people with a handle, like `@deployers`."""

    id: str
    handle: str
    name: str
    users: tuple[str, ...] = ()
    disabled: bool = False


class Link(_Given):
    """One link of the bar at the top of the page."""

    text: str
    url: str


class Command(_Given):
    """A slash command that the app has registered."""

    name: str = Field(pattern=r"^/[a-z0-9_-]+$")
    description: str = ""
    usage: str = ""


class WorkspaceSettings(_Given):
    """All that a workspace is told at start. Times are in seconds.

    `retry_delays` are Slack's own; `retry_scale` shrinks them for tests (0.01: one minute is 0.6 s).
    With `paced` the server refuses a second message within a second per channel once
    `burst` is used up, and keeps the per-minute tiers of the other methods.
    """

    bot_token: str
    signing_secret: str
    team_id: str = "T0HARBOUR"
    team_name: str = "Harbour"
    team_domain: str = "harbour"
    app_id: str = "A0DEPLOYBOT"
    bot_id: str = "B0DEPLOYBOT"
    bot_user_id: str = "U0DEPLOYBOT"
    bot_name: str = "deploybot"
    verification_token: str = "unused-by-signed-apps"  # noqa: S105 - Slack still sends the field
    channels: tuple[Channel, ...] = (Channel(id="C0DEPLOYS", name="deploys"),)
    people: tuple[Person, ...] = ()
    groups: tuple[UserGroup, ...] = ()
    commands: tuple[Command, ...] = ()
    app_token: str = ""
    """Opens connections; with it the bot is sent everything over those, and nothing over HTTP."""
    bot_url: str | None = None
    bot_path: str = "/slack/events"
    mail_reply_url: str | None = None
    mail_address: str = ""
    links: tuple[Link, ...] = ()
    suggestions: tuple[str, ...] = ()
    """Things to say, offered beside the composer of the first channel."""
    scopes: tuple[str, ...] = SCOPES
    events: tuple[str, ...] = EVENTS
    delivery_timeout: float = 3.0
    retry_delays: tuple[float, ...] = (0.0, 60.0, 300.0)
    retry_scale: float = 1.0
    trigger_seconds: float = 3.0
    response_url_seconds: float = 1800.0
    response_url_uses: int = 5
    paced: bool = False
    burst: int = 4

    @model_validator(mode="after")
    def _names_are_known(self) -> Self:
        known = {person.id for person in self.people} | {self.bot_user_id}
        for name, users in [
            *((channel.name, channel.members or ()) for channel in self.channels),
            *((group.handle, group.users) for group in self.groups),
        ]:
            if strangers := [user for user in users if user not in known]:
                raise ValueError(f"{name} names {strangers[0]}, who is not among the people.")
        ids = [person.id for person in self.people]
        ids += [channel.id for channel in self.channels]
        ids += [group.id for group in self.groups]
        if len(ids) != len(set(ids)):
            raise ValueError("Two people, channels or groups have the same id.")
        return self

    def person(self, user: str) -> Person | None:
        """Return the person with this id, or None."""
        return next((person for person in self.people if person.id == user), None)
