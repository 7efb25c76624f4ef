"""Slack: the token and what it may do, the channel, the secret, the ids in the file, and the time."""

import re
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime

from slack_sdk.web import SlackResponse

from deploybot.config import Configuration, Settings
from deploybot.doctor.finding import Finding, ok, warning, wrong
from deploybot.doctor.slack_lately import of_groups, of_what_was_refused
from deploybot.errors import DeliveryError
from deploybot.manifest import SCOPES
from deploybot.outbound.slack_calls import RefusedCallError, call, slack_client

SECRET = re.compile(r"[0-9a-f]{32}")
FAR = 60.0
SHOWN_BY_SLACK = "Event Subscriptions on the app's page shows the address as verified."


def of_slack(settings: Settings, configuration: Configuration | None) -> Iterator[Finding]:
    """Check everything that Slack can be asked without telling anybody anything."""
    token = settings.slack_bot_token.get_secret_value()
    if not token and not settings.slack_signing_secrets:
        mend = "set SLACK_BOT_TOKEN, and SLACK_SIGNING_SECRET or SLACK_APP_TOKEN."
        yield warning("slack", "Slack is off:", mend)
        return
    yield from _of_the_ways_in(settings)
    if not token:
        yield wrong(
            "SLACK_BOT_TOKEN",
            "SLACK_BOT_TOKEN is not set, so nobody would be told anything.",
            "Install the app; copy the Bot User OAuth Token.",
        )
        return
    if not token.startswith("xoxb-"):
        yield wrong(
            "SLACK_BOT_TOKEN",
            "SLACK_BOT_TOKEN does not begin with xoxb-, so it is no bot's.",
            "Copy the Bot User OAuth Token, not another one.",
        )
    client = slack_client(token, settings.slack_api_url, timeout=5)
    try:
        who = call(client.auth_test)
    except DeliveryError as error:
        yield wrong("SLACK_BOT_TOKEN", f"Slack: {error}", "")
        return
    yield ok("SLACK_BOT_TOKEN", f"Slack knows the bot as {who.get('user')} in {who.get('team')}.")
    yield from _of_the_scopes(who)
    yield from _of_the_time(who)
    if configuration is None:
        return
    yield from _of_the_ids(who, configuration)
    yield from of_groups(client, configuration)
    yield from of_what_was_refused(settings)
    channel = configuration.slack.channel
    if not channel:
        yield warning(
            "slack.channel",
            "slack.channel is not set, so what begins with a push is told nowhere.",
            "Set it to the channel's id, from the bottom of its About panel.",
        )
        return
    try:
        call(client.conversations_history, channel=channel, limit=1)
    except RefusedCallError as error:
        yield _of_the_channel(channel, error.code)
    except DeliveryError as error:
        yield warning("slack.channel", f"Slack: {error}")
    else:
        yield ok("slack.channel", f"The bot is in the channel {channel}.")


def _of_the_ways_in(settings: Settings) -> Iterator[Finding]:
    secrets = [secret.get_secret_value() for secret in settings.slack_signing_secrets]
    app_token = settings.slack_app_token.get_secret_value()
    if secrets or not app_token:
        yield from _of_the_secret(secrets)
    if app_token:
        yield _of_the_connection(app_token, settings.slack_api_url)


def _of_the_secret(secrets: list[str]) -> Iterator[Finding]:
    about = "SLACK_SIGNING_SECRET"
    if not secrets:
        yield wrong(
            about,
            "SLACK_SIGNING_SECRET is not set, so no click would be believed.",
            "Copy it from the app's page, Basic Information, App Credentials.",
        )
    elif any(not SECRET.fullmatch(secret) for secret in secrets):
        yield warning(
            about,
            "SLACK_SIGNING_SECRET is not the 32 hex digits that Slack gives out.",
            f"Copy it again; once it is right, {SHOWN_BY_SLACK}",
        )
    else:
        yield ok(about, f"A signing secret is set. If it is this app's, {SHOWN_BY_SLACK}")


def _of_the_connection(app_token: str, api_url: str) -> Finding:
    """Ask for an address to connect to, and leave it unused."""
    about, asked = "SLACK_APP_TOKEN", slack_client("", api_url, timeout=5).apps_connections_open
    if not app_token.startswith("xapp-"):
        return wrong(
            about,
            "SLACK_APP_TOKEN does not begin with xapp-, so nothing can be heard by Socket Mode.",
            "Make one on Basic Information, App-Level Tokens, with the scope connections:write.",
        )
    try:
        call(asked, app_token=app_token)
    except RefusedCallError as error:
        return wrong(about, *_unconnected(error.code))
    except DeliveryError as error:
        return wrong(about, f"Slack: {error}", "")
    return ok(about, "Slack may be listened to by Socket Mode; it need not reach this bot.")


def _unconnected(code: str) -> tuple[str, str]:
    """Return what Slack has against a connection, and what mends it."""
    match code:
        case "missing_scope":
            what = "SLACK_APP_TOKEN lacks the scope connections:write."
            return what, "Make another one with it, on Basic Information, App-Level Tokens."
        case "forbidden_team" | "access_denied" | "not_allowed":
            return f"Slack lets no app connect here ({code}).", "Ask the workspace's admins."
        case _:
            what = f"Slack refuses SLACK_APP_TOKEN ({code})."
            return what, "Copy it again from Basic Information, App-Level Tokens."


def _of_the_scopes(who: SlackResponse) -> Iterator[Finding]:
    """Compare what the manifest asks for with what the token was given."""
    headers = {str(name).lower(): value for name, value in who.headers.items()}
    told = headers.get("x-oauth-scopes")
    if told is None:
        return
    text = told if isinstance(told, str) else ",".join(told)
    granted = {scope.strip() for scope in text.split(",") if scope.strip()}
    if missing := [scope for scope in SCOPES if scope not in granted]:
        yield wrong(
            "slack.scopes",
            f"The app lacks the permissions {', '.join(missing)}.",
            "Put the output of `deploybot manifest` in as the App Manifest, and install it again.",
        )
    else:
        yield ok("slack.scopes", f"The app has all {len(SCOPES)} permissions that are used.")
    if more := sorted(granted - set(SCOPES)):
        yield warning(
            "slack.scopes",
            f"The app has permissions that are not used: {', '.join(more)}.",
            "Take them away, unless something else needs them.",
        )


def _of_the_time(who: SlackResponse) -> Iterator[Finding]:
    told = next((v for k, v in who.headers.items() if str(k).lower() == "date"), "")
    try:
        off = abs(parsedate_to_datetime(str(told)).timestamp() - time.time())
    except (TypeError, ValueError):
        return
    if off > FAR:
        text = f"This machine's clock and Slack's differ by {off:.0f} s."
        mend = "Let it follow a time server (NTP): five minutes, and every click is refused."
        yield wrong("clock", text, mend)


def _of_the_ids(who: SlackResponse, configuration: Configuration) -> Iterator[Finding]:
    given = (
        ("team", configuration.slack.team, who.get("team_id")),
        ("bot_user", configuration.slack.bot_user, who.get("user_id")),
    )
    for key, set_to, is_so in given:
        if set_to and set_to != is_so:
            yield wrong(
                f"slack.{key}",
                f"slack.{key} is {set_to}, and the token's is {is_so}: requests would be refused.",
                f"Correct it in the file, or use the token of {set_to}.",
            )


def _of_the_channel(channel: str, code: str) -> Finding:
    if code == "not_in_channel":
        what = f"The bot is not in the channel {channel}, and cannot speak there."
        return wrong("slack.channel", what, "Write /invite @deploybot in it.")
    if code == "channel_not_found":
        what = f"Slack does not know the channel {channel}, or it is a private one without the bot."
        mend = "Copy its id from the bottom of its About panel, and invite the bot."
        return wrong("slack.channel", what, mend)
    if code == "missing_scope":
        what = "The bot may not read the channel's history."
        return wrong("slack.channel", what, "Install the app again from `deploybot manifest`.")
    return wrong("slack.channel", f"Slack says {code} of {channel}.", "Look at the channel.")
