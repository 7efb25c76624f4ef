"""Every setting: what it is called, what it may be, where to get it; the one reader of the environment.

Where deploybot runs and whom it talks to comes from environment variables (`SETTINGS`); what is
deployed, where and by whose leave comes from `deploybot.toml` (`Configuration`).
"""

import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, ValidationError

from deploy.approval_tables import CIRCLES
from deploy.catalog import Catalog
from deploy.connections import Connections
from deploy.secret import Secret, SecretKey
from deploy.target_tables import place_in_file
from deploybot import failpoints, redis_address
from deploybot.absences import AwayTable, problem
from deploybot.errors import ConfigError
from deploybot.mailbox_address import MailboxAddress
from deploybot.model_tables import BudgetTables, ModelTable
from deploybot.ports import Away, People, Person
from deploybot.prompting.renderers import RENDERERS
from deploybot.state_folder import kept_key


@dataclass(frozen=True)
class Setting:
    """One environment variable: its default ("" for none), what it is, and where to get it."""

    name: str
    default: str
    says: str
    is_secret: bool = False


SETTINGS: tuple[Setting, ...] = (
    Setting("DEPLOYBOT_CONFIG", "deploybot.toml", "the file that says what is deployed, where and by whose leave; start from deploybot.example.toml"),
    Setting("DEPLOYBOT_STATE_DIR", ".deploybot", "the folder of the built-in server, its data and the generated key; created, readable by its owner only"),
    Setting("DEPLOYBOT_REDIS_URL", "", "redis://, rediss:// or unix:// address of a Redis or Valkey with appendonly yes and noeviction, or redis+sentinel://host:port,host:port/name of its Sentinels; without it a built-in Valkey is started in the state folder"),
    Setting("DEPLOYBOT_ALLOW_UNSAFE_REDIS", "", "1 to use a Redis that can lose threads, for tests only"),
    Setting("DEPLOYBOT_SECRET_KEY", "", "at least 32 characters that seal the threads, the same on every machine; make one with `openssl rand -hex 32`; without it one is kept in the state folder", is_secret=True),
    Setting("DEPLOYBOT_HOST", "127.0.0.1", "the address that the web process listens on"),
    Setting("DEPLOYBOT_PORT", "8080", "the port that the web process listens on; 0 for any free one"),
    Setting("DEPLOYBOT_URL", "", "the address under which people and webhooks reach the web process, for links; the command line speaks to it"),
    Setting("DEPLOYBOT_TOKEN", "", "your own token, for the command line; whoever runs the web process gives it out", is_secret=True),
    Setting("DEPLOYBOT_API_TOKENS", "", "person:token pairs, separated by commas; a token has at least 16 characters", is_secret=True),
    Setting("DEPLOYBOT_TOKENS_FILE", "", "a file of further tokens by their hash, with scopes, for people and services; `deploybot token new` writes it, and it is read again whenever it changes"),
    Setting("DEPLOYBOT_API_READS", "3000/minute", "how often one token may look, as number/second, minute, hour or day"),
    Setting("DEPLOYBOT_API_WRITES", "300/minute", "how often one token may start, say, decide or move something, likewise"),
    Setting("DEPLOYBOT_LEASE_SECONDS", "20", "how long a silent worker keeps its operation before others ask the target, 1 to 600"),
    Setting("DEPLOYBOT_SWEEP_SECONDS", "10", "how often the clock looks for threads that nobody woke, 0.2 to 60"),
    Setting("DEPLOYBOT_OPERATIONS", "2", "how many deploys and test runs one worker machine carries out at once, 1 to 32"),
    Setting("DEPLOYBOT_LOG_FORMAT", "plain", "the form of log lines: plain, or json for one object a line"),
    Setting("DEPLOYBOT_LOG_LEVEL", "info", "the least that deploybot's own log lines must be: debug, info, warning or error"),
    Setting("DEPLOYBOT_METRICS_TOKEN", "", "what a scraper must send as its bearer token to read /metrics; make one with `openssl rand -hex 16`; without it everybody who reaches the web process may", is_secret=True),
    Setting("OTEL_EXPORTER_OTLP_ENDPOINT", "", "address of a collector that takes traces over OTLP/HTTP, such as http://127.0.0.1:4318; without it nothing is traced"),
    Setting("OTEL_EXPORTER_OTLP_HEADERS", "", "name=value pairs, separated by commas, that the collector wants with each request", is_secret=True),
    Setting("OTEL_SERVICE_NAME", "deploybot", "what this installation is called in traces"),
    Setting("DEPLOYBOT_FAILPOINT", "", "what tests let go wrong, and where, as name:action, or the path of a file that says so (docs/faults.md); never where people deploy"),
    Setting("DEPLOYBOT_PROMPTS_DIR", "", "a folder of your own prompt templates; a file there stands for the one of the same name in prompts/"),
    Setting("DEPLOYBOT_RENDERER", "tags", "the form in which a model reads a thread: tags, lines or chat"),
    Setting("DEPLOYBOT_MODEL_TIMEOUT", "30", "seconds that one model may take in all before the next one is asked, 1 to 300"),
    Setting("DEPLOYBOT_EMAIL_ADDRESS", "", "the bot's mail address; people reply to it with a code after a plus sign"),
    Setting("DEPLOYBOT_EMAIL_SECRET", "", "the key that the inbound mail service signs with", is_secret=True),
    Setting("DEPLOYBOT_EMAIL_AUTHSERV_ID", "", "the name that your own mail server writes into Authentication-Results"),
    Setting("DEPLOYBOT_EMAIL_DKIM", "", "1 to check senders' signatures (DKIM) where that server said nothing, 0 never to; left out, they are checked when DEPLOYBOT_EMAIL_AUTHSERV_ID is not set"),
    Setting("DEPLOYBOT_IMAP_URLS", "", "mailboxes to read, separated by commas, each as imaps://user:password@host/INBOX; in user and password, everything but letters and digits as %, then two hex digits", is_secret=True),
    Setting("DEPLOYBOT_SMTP_URL", "", "smtp://user:password@host:port, or smtps://; mail is sent through it", is_secret=True),
    Setting("DEPLOYBOT_SIGN_IN_BY_CHOICE", "", "1 to let whoever opens the pages choose who they are: for the demo, and refused where another machine could open them"),
    Setting("SLACK_BOT_TOKEN", "", "xoxb-…, from your Slack app's page, OAuth & Permissions", is_secret=True),
    Setting("SLACK_SIGNING_SECRET", "", "from your Slack app's page, Basic Information; two, separated by a comma, while you rotate it", is_secret=True),
    Setting("SLACK_APP_TOKEN", "", "xapp-…, from your Slack app's page, Basic Information, App-Level Tokens, with the scope connections:write; the workers then connect to Slack by Socket Mode, so that Slack need not reach you", is_secret=True),
    Setting("SLACK_CLIENT_ID", "", "from your Slack app's page, Basic Information; with the secret, people sign in to the pages with Slack"),
    Setting("SLACK_CLIENT_SECRET", "", "from your Slack app's page, Basic Information", is_secret=True),
    Setting("SLACK_API_URL", "https://slack.com/api/", "the Web API; another one for tests and the demo"),
    Setting("OPENAI_API_KEY", "", "key of the model's endpoint; without a key and a base address the built-in planner chooses", is_secret=True),
    Setting("OPENAI_BASE_URL", "", "address of any endpoint that speaks chat completions with JSON schemas"),
    Setting("OPENAI_MODEL", "gpt-5-mini", "the model's name there; several, separated by commas, are asked in this order"),
    Setting("GITHUB_TOKEN", "", "a token that may read the repositories' checks, and for targets of kind github_actions also write actions, deployments and contents; from GitHub, Settings, Developer settings", is_secret=True),
    Setting("GITHUB_API_URL", "https://api.github.com", "the REST API; that of your own GitHub server ends in /api/v3"),
    Setting("VERCEL_TOKEN", "", "a token for targets of kind vercel; from Vercel, Account Settings, Tokens", is_secret=True),
    Setting("VERCEL_API_URL", "https://api.vercel.com", "the REST API; another one for tests"),
    Setting("KUBERNETES_TOKEN", "", "the token of a service account, for targets of kind kubernetes that name a server", is_secret=True),
    Setting("GITHUB_WEBHOOK_SECRET", "", "the secret that you typed into the repository's webhook page; two, separated by a comma, while you rotate it", is_secret=True),
)  # fmt: skip
"""All environment variables that deploybot reads; the documentation lists the same."""

LOOPBACK = ("127.0.0.1", "localhost", "::1")
"""What this machine is called by itself alone."""

_PLACE = re.compile(r"((?:environments|services)(?:\.[\w-]+)+): (.+)", re.DOTALL)
"""How a check of the catalog as a whole says which of its tables is wrong."""
_BY_NAME = {setting.name: setting for setting in SETTINGS}


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PersonTable(_Table):
    """One person across all channels."""

    name: str
    slack: str = ""
    email: str = ""
    github: str = ""
    mail_me: bool = False
    quiet: bool = False
    tell_me_live: tuple[str, ...] = ()
    away: tuple[AwayTable, ...] = ()


class SlackTable(_Table):
    """Where the bot speaks when nobody wrote to it first, and whose requests it takes."""

    channel: str = ""
    team: str = ""
    app: str = ""
    bot_user: str = ""


class Configuration(_Table):
    """`deploybot.toml`, checked as a whole."""

    catalog: Catalog
    people: dict[str, PersonTable] = {}
    slack: SlackTable = SlackTable()
    models: tuple[ModelTable, ...] = ()
    """Asked in this order; none leaves it to OPENAI_MODEL."""
    budgets: BudgetTables = BudgetTables()

    def known_people(self) -> People:
        """Return who is who."""
        return People(tuple(_person(name, table) for name, table in self.people.items()))


def _person(name: str, table: PersonTable) -> Person:
    away = tuple(Away(one.begins, one.ends, one.to) for one in table.away)
    return Person(id=name, **table.model_dump(exclude={"away"}), away=away)


@dataclass(frozen=True)
class Settings:
    """The environment, checked; secrets do not print."""

    config: Path
    state_dir: Path
    redis_url: Secret
    """It may hold a password."""
    allow_unsafe_redis: bool
    secret_key: Secret
    host: str
    port: int
    url: str
    token: Secret
    api_tokens: Mapping[str, Secret]
    tokens_file: Path | None
    api_reads: str
    api_writes: str
    lease_seconds: float
    sweep_seconds: float
    operations: int
    log_format: str
    log_level: str
    metrics_token: Secret
    otlp_endpoint: str
    otlp_headers: Secret
    otlp_service: str
    failpoint: str
    prompts_dir: Path | None
    renderer: str
    model_timeout: float
    email_address: str
    email_secret: Secret
    email_authserv_id: str
    email_dkim: bool
    mailboxes: tuple[MailboxAddress, ...]
    smtp_url: Secret
    sign_in_by_choice: bool
    slack_bot_token: Secret
    slack_signing_secrets: tuple[Secret, ...]
    slack_app_token: Secret
    slack_client_id: str
    slack_client_secret: Secret
    slack_api_url: str
    openai_api_key: Secret
    openai_base_url: str
    openai_models: tuple[str, ...]
    github_webhook_secrets: tuple[Secret, ...]
    github_token: Secret
    github_api_url: str
    vercel_token: Secret
    vercel_api_url: str
    kubernetes_token: Secret

    def connections(self) -> Connections:
        """Return what targets and checks need to speak to other systems."""
        return Connections(
            github_url=self.github_api_url.rstrip("/"),
            github_token=self.github_token,
            vercel_url=self.vercel_api_url.rstrip("/"),
            vercel_token=self.vercel_token,
            kubernetes_token=self.kubernetes_token,
        )


def read_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read and check the environment; raise ConfigError naming the first setting that is wrong."""
    values = dict(os.environ if environ is None else environ)

    def text(name: str) -> str:
        return values.get(name, "").strip() or _BY_NAME[name].default

    def several(name: str) -> tuple[Secret, ...]:
        return tuple(Secret(part.strip()) for part in text(name).split(",") if part.strip())

    key = text("DEPLOYBOT_SECRET_KEY")
    if key and len(key) < 32:
        raise _wrong("DEPLOYBOT_SECRET_KEY", "it has fewer than 32 characters")
    if bool(text("SLACK_CLIENT_ID")) != bool(text("SLACK_CLIENT_SECRET")):
        lacking = "SLACK_CLIENT_SECRET" if text("SLACK_CLIENT_ID") else "SLACK_CLIENT_ID"
        raise _wrong(lacking, "it is not set, though the other half of Slack's sign-in is")
    if text("SLACK_APP_TOKEN") and not text("SLACK_BOT_TOKEN"):
        raise _wrong("SLACK_BOT_TOKEN", "it is not set, though SLACK_APP_TOKEN is")
    has_model = bool(text("OPENAI_API_KEY") or text("OPENAI_BASE_URL"))
    models = tuple(part.strip() for part in text("OPENAI_MODEL").split(",") if part.strip())
    return Settings(
        config=Path(text("DEPLOYBOT_CONFIG")),
        state_dir=Path(text("DEPLOYBOT_STATE_DIR")),
        redis_url=Secret(_redis_address(text)),
        allow_unsafe_redis=text("DEPLOYBOT_ALLOW_UNSAFE_REDIS") == "1",
        secret_key=Secret(key),
        host=text("DEPLOYBOT_HOST"),
        port=int(_number("DEPLOYBOT_PORT", text, 0, 65535)),
        url=_address("DEPLOYBOT_URL", text, ("http", "https")).rstrip("/"),
        token=Secret(text("DEPLOYBOT_TOKEN")),
        api_tokens=_tokens(text("DEPLOYBOT_API_TOKENS")),
        tokens_file=Path(text("DEPLOYBOT_TOKENS_FILE")) if text("DEPLOYBOT_TOKENS_FILE") else None,
        api_reads=_rate("DEPLOYBOT_API_READS", text),
        api_writes=_rate("DEPLOYBOT_API_WRITES", text),
        lease_seconds=_number("DEPLOYBOT_LEASE_SECONDS", text, 1, 600),
        sweep_seconds=_number("DEPLOYBOT_SWEEP_SECONDS", text, 0.2, 60),
        operations=int(_number("DEPLOYBOT_OPERATIONS", text, 1, 32)),
        log_format=_one_of("DEPLOYBOT_LOG_FORMAT", text, ("plain", "json")),
        log_level=_one_of("DEPLOYBOT_LOG_LEVEL", text, ("debug", "info", "warning", "error")),
        metrics_token=Secret(text("DEPLOYBOT_METRICS_TOKEN")),
        otlp_endpoint=_address("OTEL_EXPORTER_OTLP_ENDPOINT", text, ("http", "https")),
        otlp_headers=Secret(text("OTEL_EXPORTER_OTLP_HEADERS")),
        otlp_service=text("OTEL_SERVICE_NAME"),
        failpoint=_failpoint(text),
        prompts_dir=Path(text("DEPLOYBOT_PROMPTS_DIR")) if text("DEPLOYBOT_PROMPTS_DIR") else None,
        renderer=_one_of("DEPLOYBOT_RENDERER", text, tuple(RENDERERS)),
        model_timeout=_number("DEPLOYBOT_MODEL_TIMEOUT", text, 1, 300),
        email_address=text("DEPLOYBOT_EMAIL_ADDRESS"),
        email_secret=Secret(text("DEPLOYBOT_EMAIL_SECRET")),
        email_authserv_id=text("DEPLOYBOT_EMAIL_AUTHSERV_ID"),
        email_dkim=_checks_signatures(text),
        mailboxes=_mailboxes(text),
        smtp_url=Secret(_address("DEPLOYBOT_SMTP_URL", text, ("smtp", "smtps"))),
        sign_in_by_choice=_by_choice(text),
        slack_bot_token=Secret(text("SLACK_BOT_TOKEN")),
        slack_signing_secrets=several("SLACK_SIGNING_SECRET"),
        slack_app_token=Secret(text("SLACK_APP_TOKEN")),
        slack_client_id=text("SLACK_CLIENT_ID"),
        slack_client_secret=Secret(text("SLACK_CLIENT_SECRET")),
        slack_api_url=_address("SLACK_API_URL", text, ("http", "https")),
        openai_api_key=Secret(text("OPENAI_API_KEY")),
        openai_base_url=_address("OPENAI_BASE_URL", text, ("http", "https")),
        openai_models=models if has_model else (),
        github_webhook_secrets=several("GITHUB_WEBHOOK_SECRET"),
        github_token=Secret(text("GITHUB_TOKEN")),
        github_api_url=_address("GITHUB_API_URL", text, ("http", "https")),
        vercel_token=Secret(text("VERCEL_TOKEN")),
        vercel_api_url=_address("VERCEL_API_URL", text, ("http", "https")),
        kubernetes_token=Secret(text("KUBERNETES_TOKEN")),
    )


def read_configuration(path: Path, environ: Mapping[str, str] | None = None) -> Configuration:
    """Read and check `deploybot.toml`; raise ConfigError naming what is wrong and where.

    `environ` holds the keys that `models` name.
    """
    hint = "set DEPLOYBOT_CONFIG, or copy deploybot.example.toml"
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"There is no {path}, so nothing was started; {hint}.") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path} cannot be read, so nothing was started: {error}.") from None
    parts = {k: tables.pop(k, {}) for k in ("repositories", "services", "environments", "groups")}
    try:
        configuration = Configuration.model_validate({"catalog": parts, **tables})
        _people_exist(configuration)
    except ValidationError as error:
        first = error.errors()[0]
        where = place_in_file(tuple(part for part in first["loc"] if part != "catalog"))
        what = first["msg"].removeprefix("Value error, ")
        if not where and (named := _PLACE.fullmatch(what)):
            where, what = named.groups()
        raise ConfigError(
            f"{path}, {where or 'as a whole'}: {what}. "
            "Nothing was started; mend the file and start again."
        ) from None
    catalog = configuration.catalog.within(path.resolve().parent)
    models = tuple(
        _with_key(table, os.environ if environ is None else environ)
        for table in configuration.models
    )
    return configuration.model_copy(update={"catalog": catalog, "models": models})


def _with_key(table: ModelTable, environ: Mapping[str, str]) -> ModelTable:
    """Return the table with the key that it names; the file itself holds none."""
    where = f"models, {table.name}"
    if table.api_key.get_secret_value():
        raise ConfigError(
            f"{where}: a key does not belong in the file. Nothing was started; put it into an "
            "environment variable, and name that in api_key_env."
        )
    key = environ.get(table.api_key_env, "").strip() if table.api_key_env else ""
    if table.api_key_env and not key:
        raise ConfigError(
            f"{where}: api_key_env names {table.api_key_env}, which is not set. Nothing was "
            "started; set it to the key of that endpoint."
        )
    return table.model_copy(update={"api_key": Secret(key)})


def sealing_key(settings: Settings) -> SecretKey:
    """Return the key that seals the threads: the setting, or one kept in the state folder."""
    if given := settings.secret_key.get_secret_value():
        return SecretKey(given.encode())
    if settings.redis_url:
        raise _wrong("DEPLOYBOT_SECRET_KEY", "it is not set, though DEPLOYBOT_REDIS_URL is")
    return SecretKey(kept_key(settings.state_dir))


def _people_exist(configuration: Configuration) -> None:
    for name, group in configuration.catalog.groups.items():
        for person in group.people:
            if person not in configuration.people:
                raise ConfigError(
                    f"groups.{name} names {person!r}, who is not in [people]. Nothing was "
                    "started; add them there, or take the name out."
                )
    for name, table in configuration.catalog.environments.items():
        passing = [(f"{name}.freezes", one) for f in table.freezes for one in f.except_people]
        named = [(f"{name}.{key}", one) for key in CIRCLES for one in table.circle(key)[0]]
        named += [(f"{name}.quiet", one) for one in table.quiet]
        for where, person in named + passing:
            if person not in configuration.people:
                raise ConfigError(
                    f"environments.{where} names {person!r}, who is not in [people]. "
                    "Nothing was started; add them there, or take the name out."
                )

    _wished_for_exists(configuration)
    absences = {name: table.away for name, table in configuration.people.items()}
    if why := problem(absences, configuration.people, configuration.catalog):
        raise ConfigError(f"{why}. Nothing was started; mend the file and start again.")


def _wished_for_exists(configuration: Configuration) -> None:
    for name, table in configuration.people.items():
        for environment in table.tell_me_live:
            if environment not in configuration.catalog.environments:
                raise ConfigError(
                    f"people.{name}.tell_me_live names {environment!r}, which is no environment. "
                    "Nothing was started; name one of [environments], or take it out."
                )


def _tokens(text: str) -> dict[str, Secret]:
    tokens: dict[str, Secret] = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        person, _, token = pair.partition(":")
        if not person or len(token) < 16:
            raise _wrong("DEPLOYBOT_API_TOKENS", "a pair is not person:token, or a token is short")
        tokens[person] = Secret(token)
    return tokens


def _address(name: str, text: Callable[[str], str], schemes: tuple[str, ...]) -> str:
    value = text(name)
    if value and urlsplit(value).scheme not in schemes:
        raise _wrong(name, f"it does not begin with {' or '.join(f'{s}://' for s in schemes)}")
    return value


def _redis_address(text: Callable[[str], str]) -> str:
    value = _address("DEPLOYBOT_REDIS_URL", text, redis_address.SCHEMES)
    if urlsplit(value).scheme in redis_address.SENTINEL:
        try:
            redis_address.SentinelAddress.parse(value)
        except ValueError as error:
            raise _wrong("DEPLOYBOT_REDIS_URL", str(error)) from None
    return value


def _checks_signatures(text: Callable[[str], str]) -> bool:
    """Tell whether signatures of mails count: where no mail server of ours speaks, unless told."""
    said = _one_of("DEPLOYBOT_EMAIL_DKIM", text, ("", "0", "1"))
    return said == "1" if said else not text("DEPLOYBOT_EMAIL_AUTHSERV_ID")


def _mailboxes(text: Callable[[str], str]) -> tuple[MailboxAddress, ...]:
    name = "DEPLOYBOT_IMAP_URLS"
    urls = [part.strip() for part in text(name).split(",") if part.strip()]
    if urls and not text("DEPLOYBOT_EMAIL_ADDRESS"):
        raise _wrong("DEPLOYBOT_EMAIL_ADDRESS", f"it is not set, though {name} is")
    try:
        return tuple(MailboxAddress.from_url(url) for url in urls)
    except ValueError as error:
        raise _wrong(name, str(error)) from None


def _by_choice(text: Callable[[str], str]) -> bool:
    """Tell whether people may choose who they are; never where others could open the pages."""
    if text("DEPLOYBOT_SIGN_IN_BY_CHOICE") != "1":
        return False
    places = (text("DEPLOYBOT_HOST"), urlsplit(text("DEPLOYBOT_URL")).hostname or "127.0.0.1")
    if any(place not in LOOPBACK for place in places):
        raise _wrong("DEPLOYBOT_SIGN_IN_BY_CHOICE", "other machines can open the pages")
    return True


def _failpoint(text: Callable[[str], str]) -> str:
    value = text("DEPLOYBOT_FAILPOINT")
    if why := failpoints.problem(value):
        raise _wrong("DEPLOYBOT_FAILPOINT", why)
    return value


def _one_of(name: str, text: Callable[[str], str], known: tuple[str, ...]) -> str:
    value = text(name)
    if value not in known:
        raise _wrong(name, f"it is none of {', '.join(known)}")
    return value


def _rate(name: str, text: Callable[[str], str]) -> str:
    """Return how often, as `limits` reads it."""
    value = text(name)
    if not re.fullmatch(r"[1-9][0-9]{0,8}/(second|minute|hour|day)", value):
        raise _wrong(name, "it is not a number, a slash and second, minute, hour or day")
    return value


def _number(name: str, text: Callable[[str], str], low: float, high: float) -> float:
    value = text(name)
    try:
        number = float(value)
    except ValueError:
        raise _wrong(name, "it is not a number") from None
    if not low <= number <= high:
        raise _wrong(name, f"it is not between {low:g} and {high:g}")
    return number


def _wrong(name: str, what: str) -> ConfigError:
    return ConfigError(f"{name} is wrong: {what}. It should be {_BY_NAME[name].says}.")
