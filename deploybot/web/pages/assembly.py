"""Puts the pages together from a bot: their door, their ways of signing in, and all their routes."""

from concurrent.futures import ThreadPoolExecutor

from fastapi import APIRouter

from deploybot.bootstrap import Bot
from deploybot.config import Settings
from deploybot.outbound.smtp import SmtpSettings
from deploybot.web.pages.acting import acting
from deploybot.web.pages.desk import Desk
from deploybot.web.pages.door import Door
from deploybot.web.pages.entering import Ways, entering
from deploybot.web.pages.live import living
from deploybot.web.pages.rendering import Pages, serve_static
from deploybot.web.pages.routes import viewing
from deploybot.web.pages.shelf import Shelf
from deploybot.web.sessions import Sessions
from deploybot.web.signing_in import Links, MailedLinks, Tries
from deploybot.web.signing_in_slack import SlackPlaces, SlackSignIn
from deploybot.web.stream import Stream


def page_routers(bot: Bot, stream: Stream) -> tuple[APIRouter, ...]:
    """Return every route of the pages."""
    desk = desk_of(bot)
    static = APIRouter(include_in_schema=False)
    static.get("/static/{digest}/{name}")(serve_static)
    return (
        living(desk, stream),
        viewing(desk),
        acting(desk),
        entering(desk, ways_of(bot)),
        static,
    )


def form_targets(settings: Settings) -> tuple[str, ...]:
    """Return the origins of others that a form of ours leads on to."""
    return (SlackPlaces(settings.slack_api_url).origin,) if _has_slack(settings) else ()


def desk_of(bot: Bot) -> Desk:
    """Return what the routes are given."""
    sessions = Sessions(bot.queues.connection, bot.clock.now)
    door = Door(sessions, bot.people, bot.clock.now, bot.settings.url)
    return Desk(bot, door, Pages(bot.people), Shelf(bot.store))


def ways_of(bot: Bot) -> Ways:
    """Return the ways of signing in that the settings allow."""
    connection = bot.queues.connection
    tries, links = Tries(connection), Links(connection)
    return Ways(
        tries,
        links,
        mail=_mail(bot, tries, links),
        slack=_slack(bot),
        by_choice=bot.settings.sign_in_by_choice,
    )


def _mail(bot: Bot, tries: Tries, links: Links) -> MailedLinks | None:
    smtp = bot.settings.smtp_url.get_secret_value()
    if not (bot.settings.url and bot.mail and smtp):
        return None
    return MailedLinks(
        links,
        tries,
        bot.people,
        bot.mail,
        SmtpSettings.from_url(smtp),
        bot.settings.url,
        bot.clock.now,
        ThreadPoolExecutor(2, "sign-in-mail"),
    )


def _slack(bot: Bot) -> SlackSignIn | None:
    settings = bot.settings
    if not _has_slack(settings):
        return None
    return SlackSignIn(
        bot.queues.connection,
        client_id=settings.slack_client_id,
        client_secret=settings.slack_client_secret.get_secret_value(),
        places=SlackPlaces(settings.slack_api_url),
        redirect=f"{settings.url}/sign-in/slack/callback",
        team=bot.configuration.slack.team,
    )


def _has_slack(settings: Settings) -> bool:
    """Tell whether Slack can send people back to us."""
    secret = settings.slack_client_secret.get_secret_value()
    return bool(settings.url and settings.slack_client_id and secret)
