"""Builds what alarms are said by, from the settings; when there is something to say is others' to know."""

import platform
from collections.abc import Callable
from datetime import datetime
from functools import partial

import redis

from deploybot import logs
from deploybot.alarms import EVERY, Alarms
from deploybot.config import Configuration, Settings, read_configuration, read_settings
from deploybot.outbound.slack_calls import slack_client
from deploybot.outbound.smtp import SmtpSettings
from deploybot.ports import Operation
from deploybot.queue import PREFIX
from deploybot.redaction import Redactor, secrets_in


def alarms_of(
    settings: Settings, configuration: Configuration, now: Callable[[], datetime]
) -> Alarms:
    """Return what tells those who run the bot: in the channel, or by mail to those who may approve."""
    catalog = configuration.catalog
    approvers = {who for name in catalog.environments for who in catalog.approvers(name)}
    readers = (
        configuration.people[who].email for who in sorted(approvers & configuration.people.keys())
    )
    token, smtp = settings.slack_bot_token.get_secret_value(), settings.smtp_url.get_secret_value()
    return Alarms(
        now=now,
        client=slack_client(token, settings.slack_api_url) if token else None,
        channel=configuration.slack.channel,
        smtp=SmtpSettings.from_url(smtp) if smtp and settings.email_address else None,
        sender=settings.email_address,
        readers=tuple(filter(None, readers)),
    )


def shared_alarms(
    settings: Settings,
    configuration: Configuration,
    now: Callable[[], datetime],
    connection: redis.Redis,
) -> Alarms:
    """Return the same for processes that fork for every job: the store knows what was said."""
    alarms = alarms_of(settings, configuration, now)
    alarms.first = partial(_said_first, connection)
    return alarms


def of_stalls(alarms: Alarms) -> Callable[[Operation], object]:
    """Return what tells that a worker of this machine came back after its lease had run out."""
    node = platform.node()

    def say(operation: Operation) -> None:
        alarms.say(
            f"stalled:{node}",
            f"A worker on {node} stood still, or did not reach the store, for longer than its lease "
            f"while it changed {operation.service} on {operation.environment}. When it went on it was "
            "shut out, and changed nothing more; the thread of that deploy says what is known. Look "
            "at that machine: was it paused, or is it short of memory?",
        )

    return say


def alarms_from_environment(now: Callable[[], datetime]) -> Alarms:
    """Return the same for a process that must do without a store."""
    settings = read_settings()
    configuration = read_configuration(settings.config)
    logs.keep_secret(Redactor([*secrets_in(settings), *secrets_in(configuration)]))
    return alarms_of(settings, configuration, now)


def _said_first(connection: redis.Redis, name: str) -> bool:
    """Tell whether no other process has said it within the hour; without a store, it has not."""
    try:
        return bool(connection.set(f"{PREFIX}alarm:{name}", 1, nx=True, ex=EVERY))
    except redis.RedisError:
        return True
