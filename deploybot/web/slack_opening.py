"""Opens the desk at which a bot answers Slack; what is done there is the desk's."""

import threading

from deploybot.anchors import Anchors
from deploybot.bootstrap import Bot, page_url
from deploybot.inbound.slack_payloads import Home
from deploybot.outbound.slack_calls import slack_client
from deploybot.web.slack_commands import CommandDesk
from deploybot.web.slack_desk import SlackDesk

DIALOG_SECONDS = 1
"""What is left of Slack's three seconds once it was looked up who may answer."""


def desk_of(bot: Bot) -> SlackDesk:
    """Return the desk at which this bot answers Slack."""
    settings, slack = bot.settings, bot.configuration.slack
    token = settings.slack_bot_token.get_secret_value()
    anchors = Anchors(bot.store, bot.clock, bot.alarms.say)

    def closed(*answered: str) -> None:  # an alarm may take longer than Slack waits
        threading.Thread(target=anchors.shown, args=answered, daemon=True).start()

    return SlackDesk(
        inbox=bot.inbox,
        store=bot.store,
        people=bot.people,
        now=bot.clock.now,
        client=slack_client(token, settings.slack_api_url, timeout=DIALOG_SECONDS),
        catalog=bot.configuration.catalog,
        commands=CommandDesk(
            overview=bot.overview.read,
            holds=bot.store.holds,
            people=bot.people,
            now=bot.clock.now,
            url_of=lambda thread: page_url(settings, thread),
        ),
        home=Home(team=slack.team, app=slack.app, bot_user=slack.bot_user),
        people_for=bot.people_for,
        closed=closed,
        show_home=bot.homes.opened,
    )
