"""The composition root: builds the bot from its settings; the one reader of the clock."""

import logging
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from deploy import journal
from deploybot import logs, troubles
from deploybot.agent import Agent
from deploybot.alarming import of_stalls, shared_alarms
from deploybot.alarms import Alarms
from deploybot.anchors import Anchors
from deploybot.config import (
    Configuration,
    Settings,
    read_configuration,
    read_settings,
    sealing_key,
)
from deploybot.configured_mail import MailParts, mail_settings
from deploybot.configured_models import chain
from deploybot.directory import ConfiguredDirectory
from deploybot.embedded import url_of
from deploybot.errors import DeliveryError
from deploybot.fallback import AGAIN_SECONDS, instead, well_again
from deploybot.holding import Holding
from deploybot.homes import Homes
from deploybot.inbound.email_room import MailRoom
from deploybot.inbox import Inbox
from deploybot.mail import MailSettings
from deploybot.metrics import DELIVERIES_FAILED
from deploybot.models import templates
from deploybot.models.tally import RedisTally
from deploybot.operate import Operator
from deploybot.outbound.slack import SlackChannel
from deploybot.outbound.slack_calls import slack_client
from deploybot.outbox import tellings
from deploybot.overview import RedisHeads, RedisOverview
from deploybot.pacing import RedisPacing
from deploybot.ports import Clockwork, Deployer, People, Prompt
from deploybot.prompting import build
from deploybot.prompting.renderers import DEFAULT
from deploybot.queue import Queues
from deploybot.redaction import Redactor, secrets_in
from deploybot.redis_safety import client, require_safe
from deploybot.slack_directory import directory_of
from deploybot.store import RedisStore
from deploybot.surveys import Surveyor
from deploybot.telling import Channel
from deploybot.thread import Thread
from deploybot.timekeeping import StoreTime
from deploybot.watched import Watch, WatchedDeployer, WatchedStore, watch_of

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Bot:
    """Everything that one process needs to move threads; built once."""

    settings: Settings
    configuration: Configuration
    store: RedisStore
    queues: Queues
    people: People
    people_for: Callable[[str], People]
    """Slack user id → the people, with that user among them if it can be told who it is."""
    clock: Clockwork
    inbox: Inbox
    holding: Holding
    deployer: Deployer
    agent: Agent
    operator: Operator
    surveyor: Surveyor
    overview: RedisOverview
    homes: Homes
    channels: tuple[Channel, ...]
    prompt: Callable[[Thread], Prompt]
    mail: MailSettings | None
    mail_room: MailRoom | None
    watch: Watch
    alarms: Alarms
    time: StoreTime

    def deliver(self, thread_id: str) -> None:
        """Tell people what they have not been told, over every channel.

        One channel that does not take something keeps no other from it. Raises DeliveryError at
        the end if one did not: the clock tries again.
        """
        thread = self.store.load(thread_id)
        self.homes.changed()
        told = tellings(thread)
        noted = self.store.sent(thread_id)
        failed: DeliveryError | None = None
        again: list[float] = []
        for channel in self.channels:
            prefix = f"{channel.name}:"
            sent = {k.removeprefix(prefix): v for k, v in noted.items() if k.startswith(prefix)}
            try:
                with self.watch.tracer.span(f"tell {channel.name}"):
                    note = partial(self._note, thread_id, prefix)
                    seconds = channel.deliver(thread, told, sent, note)
                    again += [] if seconds is None else [seconds]
                    notes = well_again(channel.name, noted)
            except DeliveryError as error:
                failed, notes = error, instead(channel.name, error, noted, self.clock.now())
                if error.retry_after is None:
                    self.alarms.say(f"{channel.name}:{error}", f"{error} Thread {thread_id} waits.")
                self.watch.meter.observe(DELIVERIES_FAILED, channel.name)
            for key, value in notes.items():
                self.store.note_sent(thread_id, key, value)
            noted |= notes
            if channel.name == "slack":
                troubles.note(self.queues.connection, self.clock.now(), thread_id, failed)
        if failed:
            self.queues.later("deliver", thread_id, failed.retry_after or AGAIN_SECONDS)
            raise failed
        self.store.delivered(thread_id, len(thread.events))
        self.queues.show_again(thread_id, min(again, default=None))

    def _note(self, thread_id: str, prefix: str, key: str, value: str) -> None:
        self.store.note_sent(thread_id, f"{prefix}{key}", value)


def redis_url(settings: Settings) -> str:
    """Return the address of the store: the one that was set, or the built-in server's."""
    return settings.redis_url.get_secret_value() or url_of(settings.state_dir / "redis")


def bot_from_environment(environ: Mapping[str, str] | None = None) -> Bot:
    """Build the bot that the environment describes; raises ConfigError with one sentence."""
    settings = read_settings(environ)
    return build_bot(settings, read_configuration(settings.config, environ))


def build_bot(settings: Settings, configuration: Configuration) -> Bot:
    """Build the bot; connects to nothing yet but the store, whose safety is checked first."""
    connection = client(redis_url(settings))
    require_safe(connection, allow_unsafe=settings.allow_unsafe_redis)
    key = sealing_key(settings)
    redactor = Redactor([key.decode(), *secrets_in(settings), *secrets_in(configuration)])
    logs.keep_secret(redactor)
    journal.keep_secret(redactor.fact)
    time = StoreTime(connection, now)
    clock = Clockwork(now=time, new_id=new_id)
    people = configuration.known_people()
    slack_directory = directory_of(settings, configuration, people)
    directory = slack_directory or ConfiguredDirectory(configuration.catalog.groups)
    lease = timedelta(seconds=settings.lease_seconds)
    watch = watch_of(settings, connection)
    store = WatchedStore(
        connection,
        key=key,
        now=time,
        lease_seconds=settings.lease_seconds,
        sweep_seconds=settings.sweep_seconds,
        redactor=redactor,
    )
    store.watch = watch
    alarms = shared_alarms(settings, configuration, time, connection)
    deployer = WatchedDeployer(
        configuration.catalog,
        store,
        time,
        settings.connections(),
        Anchors(store, clock, alarms.say),
    )
    deployer.watch = watch
    prompt = prompt_builder(configuration, settings.prompts_dir, settings.renderer)
    planners = chain(settings, configuration, RedisTally(connection), watch, store)
    inbox = Inbox(store, people, clock, configuration.catalog, directory=directory)
    mail_as_set = mail_settings(settings, configuration, key)
    mail = MailParts(mail_as_set, inbox, store, people, time) if mail_as_set else None
    overview = RedisOverview(connection, store, time)
    return Bot(
        settings=settings,
        configuration=configuration,
        store=store,
        queues=store.queues,
        people=people,
        people_for=slack_directory.people_for if slack_directory else lambda _: people,
        clock=clock,
        inbox=inbox,
        holding=Holding(store, configuration.catalog, people, clock, directory=directory),
        deployer=deployer,
        agent=Agent(
            store=store,
            model=planners,
            deployer=deployer,
            prompt=prompt,
            clock=clock,
            wants_facts=planners.asks_a_model,
            people=people,
            directory=directory,
        ),
        operator=Operator(
            store=store,
            deployer=deployer,
            clock=clock,
            lease=lease,
            directory=directory,
            people=people,
            stalled=of_stalls(alarms),
        ),
        surveyor=Surveyor(
            store=store,
            deployer=deployer,
            people=people,
            clock=clock,
            heads=RedisHeads(connection),
            keep=overview.keep,
        ),
        overview=overview,
        homes=Homes(store.queues),
        channels=tuple(_channels(settings, configuration, store, people, mail, time)),
        prompt=prompt,
        mail=mail_as_set,
        mail_room=mail.room if mail else None,
        watch=watch,
        alarms=alarms,
        time=time,
    )


def prompt_builder(
    configuration: Configuration, own: Path | None = None, renderer: str = DEFAULT
) -> Callable[[Thread], Prompt]:
    """Return what turns a thread into what the model reads; `own` is a folder of templates.

    Raises ConfigError when a template there cannot be used.
    """
    sources = templates.read(own)
    catalog = configuration.catalog
    approvers = {name: catalog.approvers(name) for name in catalog.environments}

    def prompt(thread: Thread) -> Prompt:
        return build(
            thread,
            templates=sources,
            services=tuple(catalog.services),
            environments=tuple(catalog.environments),
            approvers=approvers,
            renderer=renderer,
        )

    if own is not None:
        templates.check(own, sources, prompt)
    return prompt


def _channels(
    settings: Settings,
    configuration: Configuration,
    store: RedisStore,
    people: People,
    mail: MailParts | None,
    now: Callable[[], datetime],
) -> list[Channel]:
    channels: list[Channel] = []
    if token := settings.slack_bot_token.get_secret_value():
        channels.append(
            SlackChannel(
                client=slack_client(token, settings.slack_api_url),
                channel=configuration.slack.channel,
                people=people,
                url_of=partial(page_url, settings),
                alias=store.name,
                progress=store.progress,
                now=now,
                pacing=RedisPacing(store.queues.connection),
            )
        )
    if mail and (smtp := settings.smtp_url.get_secret_value()):
        channels.append(mail.channel(smtp, partial(page_url, settings)))
    return channels


def page_url(settings: Settings, thread_id: str) -> str:
    """Return the address of a thread's page for people; "" when nobody said where we are reached."""
    return thread_url(settings, thread_id) if settings.url else ""


def thread_url(settings: Settings, thread_id: str) -> str:
    """Return where a thread's page is; a path when the web process' address is not set."""
    return f"{settings.url}/threads/{thread_id}"


def now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


def new_id() -> str:
    """Return an id that nobody has used."""
    return uuid.uuid4().hex[:12]
