"""The web process: every inbound route on one FastAPI app; acknowledges what is stored, works nothing."""

import hashlib

from fastapi import FastAPI

from deploybot.bootstrap import Bot, thread_url
from deploybot.inbound.slack_payloads import Home
from deploybot.outbound.slack_calls import slack_client
from deploybot.redis_safety import check
from deploybot.web import api, email, github, health
from deploybot.web.deps import Deps
from deploybot.web.slack import SlackDoor, slack_router
from deploybot.web.slack_desk import SlackDesk

DIALOG_SECONDS = 2


def create_app(bot: Bot) -> FastAPI:
    """Return the app; a channel without its secrets is switched off."""
    app = FastAPI(title="deploybot", docs_url=None, redoc_url=None)
    deps = deps_of(bot)
    for part in (api, github, email, health):
        app.include_router(part.router(deps))
    if bot.settings.slack_signing_secrets:
        app.include_router(slack_router(_door(bot), _desk(bot)))
    return app


def deps_of(bot: Bot) -> Deps:
    """Return what the routes are given."""
    settings = bot.settings
    secret = settings.email_secret.get_secret_value()
    return Deps(
        store=bot.store,
        inbox=bot.inbox,
        people=bot.people,
        deployer=bot.deployer,
        clock=bot.clock,
        url_of=lambda thread_id: thread_url(settings, thread_id),
        ready=lambda: _problems(bot),
        tokens={
            hashlib.sha256(token.get_secret_value().encode()).hexdigest(): person
            for person, token in settings.api_tokens.items()
        },
        github_secrets=tuple(s.get_secret_value() for s in settings.github_webhook_secrets),
        email_secrets=(secret,) if secret else (),
        mail=bot.mail,
    )


def _problems(bot: Bot) -> tuple[str, ...]:
    """Say why nothing should be accepted now; raises what the store raises when it is away."""
    connection = bot.queues.connection
    connection.ping()
    if bot.settings.allow_unsafe_redis:
        return ()
    return tuple(problem.text for problem in check(connection) if problem.fatal)


def _home(bot: Bot) -> Home:
    slack = bot.configuration.slack
    return Home(team=slack.team, app=slack.app, bot_user=slack.bot_user)


def _door(bot: Bot) -> SlackDoor:
    settings = bot.settings
    return SlackDoor(
        signing_secrets=tuple(s.get_secret_value() for s in settings.slack_signing_secrets),
        bot_token=settings.slack_bot_token.get_secret_value(),
    )


def _desk(bot: Bot) -> SlackDesk:
    settings = bot.settings
    token = settings.slack_bot_token.get_secret_value()
    return SlackDesk(
        inbox=bot.inbox,
        store=bot.store,
        people=bot.people,
        now=bot.clock.now,
        client=slack_client(token, settings.slack_api_url, timeout=DIALOG_SECONDS),
        home=_home(bot),
    )
