"""The methods about the app and its team: api.test, auth.test, team.info, bots.info, and its connections."""

from deploybot.demo.workspace.errors import SlackError
from deploybot.demo.workspace.message import bot_profile
from deploybot.demo.workspace.methods.arguments import Arguments
from deploybot.demo.workspace.settings import Json
from deploybot.demo.workspace.workspace import Workspace


def api_test(workspace: Workspace, args: Arguments) -> Json:
    """api.test: say back what was sent; `error` makes it fail."""
    if error := args.text("error"):
        raise SlackError(error)
    return {"args": {key: value for key, value in args.values.items() if key != "token"}}


def auth_test(workspace: Workspace, args: Arguments) -> Json:
    """auth.test: who the token is."""
    settings = workspace.settings
    return {
        "url": f"{workspace.url}/",
        "team": settings.team_name,
        "user": settings.bot_name,
        "team_id": settings.team_id,
        "user_id": settings.bot_user_id,
        "bot_id": settings.bot_id,
        "is_enterprise_install": False,
    }


def connections_open(workspace: Workspace, args: Arguments) -> Json:
    """apps.connections.open: an address at which one connection may be made."""
    socket = workspace.url.replace("http", "ws", 1)
    ticket = workspace.sockets.ticket()
    return {"url": f"{socket}/link/?ticket={ticket}&app_id={workspace.settings.app_id}"}


def team_info(workspace: Workspace, args: Arguments) -> Json:
    """team.info: the workspace itself."""
    settings = workspace.settings
    return {
        "team": {
            "id": settings.team_id,
            "name": settings.team_name,
            "url": f"{workspace.url}/",
            "domain": settings.team_domain,
            "email_domain": "",
            "icon": {"image_default": True},
        }
    }


def bots_info(workspace: Workspace, args: Arguments) -> Json:
    """bots.info: the bot user of an app."""
    bot = args.text("bot")
    if bot != workspace.settings.bot_id:
        raise SlackError("bot_not_found")
    profile = bot_profile(workspace.settings)
    profile.pop("team_id")
    return {"bot": profile}
