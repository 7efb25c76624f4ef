"""A small Slack of our own: the part of the platform that the bot uses, with a page in the browser."""

from deploybot.demo.workspace.courier import Delivery
from deploybot.demo.workspace.faults import Fault
from deploybot.demo.workspace.server import WorkspaceServer
from deploybot.demo.workspace.settings import (
    Channel,
    Command,
    Link,
    Person,
    UserGroup,
    WorkspaceSettings,
)
from deploybot.demo.workspace.workspace import Workspace

__all__ = [
    "Channel",
    "Command",
    "Delivery",
    "Fault",
    "Link",
    "Person",
    "UserGroup",
    "Workspace",
    "WorkspaceServer",
    "WorkspaceSettings",
]
