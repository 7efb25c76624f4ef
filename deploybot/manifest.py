"""The Slack app manifest: exactly the permissions and events that deploybot uses, and no more."""

from typing import Any

from deploybot.inbound.slack_command import NAME

SCOPES = (
    "app_mentions:read",  # to be spoken to
    "channels:history",  # replies in its threads, and finding a post that Slack took unsaid
    "chat:write",
    "commands",  # to be asked by a slash command
    "groups:history",
    "im:history",
    "usergroups:read",  # who is in a group that may approve
    "users:read",  # whether an account is a guest's, a bot's, closed or another workspace's
    "users:read.email",  # whose verified address is a known person's
)
EVENTS = (
    "app_home_opened",
    "app_mention",
    "message.channels",
    "message.groups",
    "message.im",
)
DESCRIPTION = "Propose a deploy, lock a service, see what is live"
USAGE = "deploy backend v1.2.3 to production | environments | locks | help"
"""What Slack shows beside the command while it is typed."""
PATH = "/slack/events"
SIGN_IN = "/sign-in/slack/callback"
"""Where Slack sends people back to who sign in to the pages with it."""


def manifest(url: str | None) -> dict[str, Any]:
    """Return the manifest of an app whose requests reach `url`, such as `https://bot.example.com`.

    Without a url the app listens over Socket Mode, and needs an app-level token.
    """
    here = {"request_url": url.rstrip("/") + PATH} if url else {}
    back = {"redirect_urls": [url.rstrip("/") + SIGN_IN]} if url else {}
    return {
        "_metadata": {"major_version": 1, "minor_version": 1},
        "display_information": {
            "name": "deploybot",
            "description": "Proposes deploys; people approve; plain code deploys.",
            "background_color": "#1f3a5f",
        },
        "features": {
            "app_home": {
                "home_tab_enabled": True,
                "messages_tab_enabled": True,
                "messages_tab_read_only_enabled": False,
            },
            "bot_user": {"display_name": "deploybot", "always_online": True},
            "slash_commands": [
                {
                    "command": NAME,
                    "description": DESCRIPTION,
                    "usage_hint": USAGE,
                    "should_escape": True,
                    **({"url": url.rstrip("/") + PATH} if url else {}),
                }
            ],
        },
        "oauth_config": {**back, "scopes": {"bot": list(SCOPES)}},
        "settings": {
            "event_subscriptions": {**here, "bot_events": list(EVENTS)},
            "interactivity": {"is_enabled": True, **here},
            "org_deploy_enabled": False,
            "socket_mode_enabled": not url,
            "token_rotation_enabled": False,
        },
    }
