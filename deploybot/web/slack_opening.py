"""Opens the desk at which a bot answers Slack; what is done there is the desk's."""

import threading

from deploy.catalog import Catalog
from deploybot.anchors import Anchors, Shown
from deploybot.bootstrap import Bot, page_url
from deploybot.inbound.slack_buttons import Reference
from deploybot.inbound.slack_payloads import Home
from deploybot.outbound.slack_calls import slack_client
from deploybot.web.slack_commands import CommandDesk
from deploybot.web.slack_desk import SlackDesk

DIALOG_SECONDS = 1
"""What is left of Slack's three seconds once it was looked up who may answer."""

LOST = "The store has lost what this card shows, so your answer changed nothing and nothing was approved."


def desk_of(bot: Bot) -> SlackDesk:
    """Return the desk at which this bot answers Slack."""
    settings, slack = bot.settings, bot.configuration.slack
    token = settings.slack_bot_token.get_secret_value()

    def alarm(name: str, text: str) -> None:  # which may take longer than Slack waits
        threading.Thread(target=bot.alarms.say, args=(name, text), daemon=True).start()

    anchors = Anchors(bot.store, bot.clock, alarm)

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
        closed=anchors.shown,
        lost=lambda about: lost(anchors, about, bot.configuration.catalog),
        show_home=bot.homes.opened,
    )


def lost(anchors: Anchors, about: Reference, catalog: Catalog) -> str:
    """Say what an answer to this card amounts to if its thread lacks what it showed; "" if it does not."""
    where = about.environment if about.environment in catalog.environments else ""
    if not anchors.answered(Shown(about.thread, about.request, about.head, where)):
        return ""
    if not anchors.is_held(where):  # an approver has freed it since
        return f"{LOST} Ask again to get a new card."
    return (
        f"{LOST} Nothing is deployed to {where} until an approver has looked at what is live there "
        f"and frees it: “unlock {where}”. Then ask again to get a new card."
    )
