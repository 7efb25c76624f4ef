"""User, bot and group objects as Slack shows them; who the people are comes with the settings."""

from deploybot.demo.workspace.settings import Json, Person, UserGroup, WorkspaceSettings

_UPDATED = 1_700_000_000


def user_shape(person: Person, settings: WorkspaceSettings) -> Json:
    """Return the user object of one person."""
    team = person.team_id or settings.team_id
    body: Json = {
        "id": person.id,
        "team_id": team,
        "name": person.name,
        "deleted": person.deleted,
        "is_bot": person.is_bot,
        "is_app_user": False,
        "updated": _UPDATED,
        "profile": {
            "title": person.title,
            "real_name": person.real_name or person.name,
            "real_name_normalized": person.real_name or person.name,
            "display_name": person.name,
            "display_name_normalized": person.name,
            "team": team,
        },
    }
    if "users:read.email" in settings.scopes and person.email:
        body["profile"]["email"] = person.email
    if person.is_stranger:
        body["is_stranger"] = True
    if person.deleted:
        return body
    return body | {
        "color": person.colour.removeprefix("#"),
        "real_name": person.real_name or person.name,
        "tz": "Europe/Berlin",
        "tz_label": "Central European Time",
        "tz_offset": 3600,
        "is_admin": person.is_admin,
        "is_owner": False,
        "is_primary_owner": False,
        "is_restricted": person.is_restricted,
        "is_ultra_restricted": person.is_ultra_restricted,
        "is_email_confirmed": person.is_email_confirmed,
        "who_can_share_contact_card": "EVERYONE",
    }


def bot_as_person(settings: WorkspaceSettings) -> Person:
    """Return the bot's own user, as one of the people."""
    return Person(
        id=settings.bot_user_id,
        name=settings.bot_name,
        real_name=settings.bot_name,
        colour="#1f6f54",
        is_bot=True,
    )


def everybody(settings: WorkspaceSettings) -> tuple[Person, ...]:
    """Return the people and the bot."""
    return (*settings.people, bot_as_person(settings))


def group_shape(group: UserGroup, settings: WorkspaceSettings, *, with_users: bool) -> Json:
    """Return the user group object."""
    body: Json = {
        "id": group.id,
        "team_id": settings.team_id,
        "is_usergroup": True,
        "is_subteam": True,
        "name": group.name,
        "handle": group.handle,
        "description": "",
        "is_external": False,
        "date_create": _UPDATED,
        "date_update": _UPDATED,
        "date_delete": _UPDATED if group.disabled else 0,
        "user_count": len(group.users),
    }
    if with_users:
        body["users"] = list(group.users)
    return body
