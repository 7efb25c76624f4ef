"""The views methods: open, push and update modals, publish a Home."""

from deploybot.demo.workspace.errors import SlackError
from deploybot.demo.workspace.methods.arguments import Arguments
from deploybot.demo.workspace.settings import Json
from deploybot.demo.workspace.workspace import Workspace


def opened(workspace: Workspace, args: Arguments) -> Json:
    """views.open: a modal for whose trigger it is."""
    return {"view": workspace.views.open(args.need("trigger_id"), _view(args))}


def pushed(workspace: Workspace, args: Arguments) -> Json:
    """views.push: a view on top of the open modal."""
    return {"view": workspace.views.open(args.need("trigger_id"), _view(args), push=True)}


def updated(workspace: Workspace, args: Arguments) -> Json:
    """views.update: another face for an open view."""
    view_id, external_id = args.text("view_id"), args.text("external_id")
    if not view_id and not external_id:
        raise SlackError("invalid_arguments", "missing required field: view_id")
    view = workspace.views.update(_view(args), view_id, external_id, args.text("hash"))
    return {"view": view}


def published(workspace: Workspace, args: Arguments) -> Json:
    """views.publish: the Home of one person."""
    user = args.need("user_id")
    if workspace.settings.person(user) is None:
        raise SlackError("user_not_found")
    return {"view": workspace.views.publish(user, _view(args), args.text("hash"))}


def _view(args: Arguments) -> object:
    view = args.structure("view", "invalid_arguments")
    if view is None:
        raise SlackError("invalid_arguments", "missing required field: view")
    return view
