"""The methods about people and groups: users, usergroups."""

from deploybot.demo.workspace.errors import SlackError
from deploybot.demo.workspace.methods.arguments import Arguments, cut
from deploybot.demo.workspace.people import everybody, group_shape, user_shape
from deploybot.demo.workspace.settings import Json
from deploybot.demo.workspace.workspace import Workspace


def info(workspace: Workspace, args: Arguments) -> Json:
    """users.info: one person."""
    user = args.need("user")
    for person in everybody(workspace.settings):
        if person.id == user:
            return {"user": user_shape(person, workspace.settings)}
    raise SlackError("user_not_found")


def listed(workspace: Workspace, args: Arguments) -> Json:
    """users.list: everybody, bots and former members too."""
    people = [user_shape(person, workspace.settings) for person in everybody(workspace.settings)]
    page, cursor = cut(people, *args.page(200, 1000))
    return {
        "members": page,
        "cache_ts": int(workspace.now()),
        "response_metadata": {"next_cursor": cursor},
    }


def lookup_by_email(workspace: Workspace, args: Arguments) -> Json:
    """users.lookupByEmail: the active person with this address."""
    address = args.need("email").lower()
    for person in workspace.settings.people:
        if person.email.lower() == address and not person.deleted:
            return {"user": user_shape(person, workspace.settings)}
    raise SlackError("users_not_found")


def groups(workspace: Workspace, args: Arguments) -> Json:
    """usergroups.list: the groups people may be named by."""
    with_users = args.flag("include_users")
    return {
        "usergroups": [
            group_shape(group, workspace.settings, with_users=with_users)
            for group in workspace.settings.groups
            if args.flag("include_disabled") or not group.disabled
        ]
    }


def group_users(workspace: Workspace, args: Arguments) -> Json:
    """usergroups.users.list: who is in a group."""
    wanted = args.need("usergroup")
    for group in workspace.settings.groups:
        if group.id == wanted:
            if group.disabled and not args.flag("include_disabled"):
                raise SlackError("subteam_disabled")
            return {"users": list(group.users)}
    raise SlackError("no_such_subteam")
