"""The web process: every inbound route on one FastAPI app; acknowledges what is stored, works nothing."""

from fastapi import APIRouter, FastAPI

from deploybot.bootstrap import Bot, thread_url
from deploybot.tokens import TokenFile, hash_of
from deploybot.vitals import look
from deploybot.web import api, email, github, health, metrics
from deploybot.web.api_description import describe
from deploybot.web.bearer import Callers
from deploybot.web.deps import Deps
from deploybot.web.idempotency import RedisAnswers
from deploybot.web.limits import RedisLimits
from deploybot.web.pages.assembly import form_targets, page_routers
from deploybot.web.security import SecurityHeaders
from deploybot.web.slack import SlackDoor, slack_router
from deploybot.web.slack_opening import desk_of
from deploybot.web.stream import Stream
from deploybot.web.watching import Watching


def create_app(bot: Bot) -> FastAPI:
    """Return the app; a channel without its secrets is switched off."""
    app = FastAPI(title="deploybot", docs_url=None, redoc_url=None)
    describe(app)
    deps = deps_of(bot)
    for part in (api, github, email, health):
        app.include_router(part.router(deps))
    if bot.settings.slack_signing_secrets:
        app.include_router(slack_router(_door(bot), desk_of(bot)))
    for routes in page_routers(bot, deps.stream):
        app.include_router(routes)
    app.include_router(_metrics(bot))
    app.add_middleware(SecurityHeaders, form_targets=form_targets(bot.settings))
    app.add_middleware(Watching, meter=bot.watch.meter)
    return app


def deps_of(bot: Bot) -> Deps:
    """Return what the routes are given."""
    settings = bot.settings
    secret = settings.email_secret
    return Deps(
        store=bot.store,
        inbox=bot.inbox,
        holding=bot.holding,
        people=bot.people,
        overview=bot.overview.read,
        deployer=bot.deployer,
        clock=bot.clock,
        url_of=lambda thread_id: thread_url(settings, thread_id),
        ready=health.Remembered(lambda: _reasons(bot)),
        stream=Stream(bot.store),
        callers=_callers(bot),
        limits=RedisLimits(
            bot.queues.connection, reads=settings.api_reads, writes=settings.api_writes
        ),
        answers=RedisAnswers(bot.queues.connection),
        github_secrets=settings.github_webhook_secrets,
        email_secrets=(secret,) if secret else (),
        mail_room=bot.mail_room,
    )


def _callers(bot: Bot) -> Callers:
    settings = bot.settings
    file = TokenFile(settings.tokens_file) if settings.tokens_file else None
    if file:
        file.tokens()  # what is wrong with it is told at the start
    return Callers(
        pairs={
            hash_of(token.get_secret_value()): person
            for person, token in settings.api_tokens.items()
        },
        file=file,
        now=bot.clock.now,
    )


def _reasons(bot: Bot) -> health.Reasons:
    """Say why the installation cannot work now; raises what the store raises when it is away."""
    settings = bot.settings
    return health.reasons(
        bot.queues.connection,
        allow_unsafe=settings.allow_unsafe_redis,
        mailboxes=[one.name for one in settings.mailboxes],
        by_socket=bool(settings.slack_app_token.get_secret_value()),
    )


def _metrics(bot: Bot) -> APIRouter:
    connection = bot.queues.connection
    collector = metrics.Collector(
        bot.watch.meter, lambda: look(connection), bot.configuration.budgets
    )
    return metrics.router(collector, bot.settings.metrics_token.get_secret_value())


def _door(bot: Bot) -> SlackDoor:
    settings = bot.settings
    return SlackDoor(
        signing_secrets=settings.slack_signing_secrets,
        bot_token=settings.slack_bot_token,
    )
