"""What stands on this machine: settings, the file, its people, its folders, and keys."""

import os
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from deploybot.config import Configuration, Settings, read_configuration
from deploybot.doctor.asking import ask
from deploybot.doctor.finding import Finding, ok, warning, wrong
from deploybot.errors import ConfigError
from deploybot.tokens import read_tokens

MEMBER = re.compile(r"[UW][A-Z0-9]{2,20}")
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def of_the_file(
    settings: Settings, environ: Mapping[str, str] | None
) -> tuple[Configuration | None, tuple[Finding, ...]]:
    """Read the file; say what is wrong and in which line of it."""
    try:
        configuration = read_configuration(settings.config, environ)
    except ConfigError as error:
        line = line_of(settings.config, str(error))
        said = str(error).removeprefix(f"{settings.config}, ")
        text = f"{settings.config}:{line}: {said}" if line else str(error)
        return None, (wrong("configuration", text, ""),)
    catalog = configuration.catalog
    told = (
        f"{settings.config} describes {len(catalog.services)} services in "
        f"{len(catalog.environments)} environments, and {len(configuration.people)} people."
    )
    if not catalog.services or not catalog.environments:
        mend = "Add [services] and [environments]; deploybot.example.toml explains each key."
        return configuration, (warning("configuration", told, mend),)
    return configuration, (ok("configuration", told),)


def line_of(path: Path, error: str) -> int:
    """Return the line of the file that an error names by its keys, or by number; 0 when it does not."""
    if numbered := re.search(r"at line (\d+)", error):
        return int(numbered[1])
    named = re.search(rf"{re.escape(str(path))}, ([\w.-]+):", error) or re.search(
        r"^([a-z_]+(?:\.[\w-]+)+) names", error
    )
    if named is None or not path.is_file():
        return 0
    wanted, best, table = named[1].split("."), (0, 0), list[str]()
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if header := re.match(r"\s*\[+\s*([^\]]+?)\s*\]+", line):
            table = [part.strip(" \"'") for part in header[1].split(".")]
            keys = table
        elif pair := re.match(r"\s*([\w.-]+)\s*=", line):
            keys = [*table, *pair[1].split(".")]
        else:
            continue
        if keys == wanted[: len(keys)] and len(keys) > best[0]:
            best = (len(keys), number)
    return best[1]


def of_people(configuration: Configuration, settings: Settings) -> Iterator[Finding]:
    """Check ids that were copied, who can be reached, and who is behind each token."""
    for name, table in configuration.people.items():
        if table.slack and not MEMBER.fullmatch(table.slack):
            yield wrong(
                f"people.{name}",
                f"people.{name}.slack is {table.slack!r}, which is no member id.",
                "In Slack, open the person's profile, the three dots, Copy member ID.",
            )
        if table.email and "@" not in table.email:
            yield wrong(f"people.{name}", f"people.{name}.email is no address.", "Correct it.")
    for name in configuration.catalog.environments:
        known = configuration.people
        may = configuration.catalog.approvers(name)
        silent = [p for p in may if not (known[p].slack or known[p].email)]
        if silent:
            yield warning(
                f"environments.{name}.approvers",
                f"{', '.join(silent)} may approve for {name} and can be reached neither in Slack "
                "nor by mail.",
                "Add slack or email under [people].",
            )
    strangers = sorted(set(settings.api_tokens) - set(configuration.people))
    if strangers:
        yield wrong(
            "DEPLOYBOT_API_TOKENS",
            f"DEPLOYBOT_API_TOKENS gives a token to {', '.join(strangers)}, not in [people].",
            "Add them there, or correct the name.",
        )


def of_tokens(settings: Settings, configuration: Configuration | None) -> Iterator[Finding]:
    """Check the file of tokens: that it can be read, by whom, and whose they are."""
    path = settings.tokens_file
    if path is None:
        return
    try:
        tokens = read_tokens(path)
    except ConfigError as error:
        yield wrong("DEPLOYBOT_TOKENS_FILE", str(error), "")
        return
    if stat.S_IMODE(path.stat().st_mode) & 0o022:
        yield wrong(
            "DEPLOYBOT_TOKENS_FILE",
            f"Others than its owner may write {path}, and so let themselves in.",
            f"chmod 600 {path}",
        )
    people = configuration.people if configuration else {}
    lost = sorted({t.person for t in tokens if t.person and t.person not in people})
    if lost and configuration:
        yield wrong(
            "DEPLOYBOT_TOKENS_FILE",
            f"{path} has tokens of {', '.join(lost)}, not in [people].",
            "Add them there, or revoke the tokens.",
        )
    yield ok("DEPLOYBOT_TOKENS_FILE", f"{path} holds {len(tokens)} tokens.")


def of_the_machine(settings: Settings) -> Iterator[Finding]:
    """Check the state folder, the key in it, and the address that people and webhooks use."""
    folder = settings.state_dir
    if folder.exists() and folder.stat().st_uid != os.geteuid():
        yield wrong(
            "DEPLOYBOT_STATE_DIR",
            f"{folder} belongs to somebody else, so nothing starts.",
            "Run as its owner, or set it to a folder of your own.",
        )
    elif folder.exists() and stat.S_IMODE(folder.stat().st_mode) & 0o077:
        yield warning(
            "DEPLOYBOT_STATE_DIR",
            f"Others may look into {folder}, where the store and its key are.",
            f"chmod 700 {folder}",
        )
    if settings.failpoint:
        yield wrong(
            "DEPLOYBOT_FAILPOINT",
            f"DEPLOYBOT_FAILPOINT is {settings.failpoint}: things go wrong here on purpose.",
            "Take it out; it is for tests.",
        )
    if settings.allow_unsafe_redis:
        yield warning(
            "DEPLOYBOT_ALLOW_UNSAFE_REDIS",
            "DEPLOYBOT_ALLOW_UNSAFE_REDIS is on: threads can be lost.",
            "Take it out where people deploy.",
        )
    if settings.host not in LOOPBACK and not settings.metrics_token.get_secret_value():
        yield warning(
            "DEPLOYBOT_METRICS_TOKEN",
            f"Whoever reaches {settings.host} may read /metrics: names, counts, no words.",
            "Set DEPLOYBOT_METRICS_TOKEN, or let nothing but your scraper reach it.",
        )
    yield from _of_the_address(settings)


def _of_the_address(settings: Settings) -> Iterator[Finding]:
    about = "DEPLOYBOT_URL"
    if not settings.url:
        yield warning(
            about,
            "DEPLOYBOT_URL is not set, so cards and mails link nowhere.",
            "Set it to the address under which people reach the web process.",
        )
        return
    said = ask(f"{settings.url}/healthz")
    if said.status == 200 and said.body == {"status": "ok"}:
        yield ok(about, f"{settings.url} leads to a running deploybot.")
        yield from _of_what_runs(settings.url)
    elif said.status:
        yield wrong(
            about,
            f"{settings.url} answers {said.status} and is not deploybot.",
            "Correct the address, or let the proxy pass everything on to the web process.",
        )
    else:
        yield warning(
            about,
            f"Nothing answers at {settings.url} now ({said.why}).",
            "Start `deploybot serve`, then look again.",
        )


def _of_what_runs(url: str) -> Iterator[Finding]:
    """Ask the running process what it misses."""
    said = ask(f"{url}/readyz")
    if said.status == 200:
        yield ok("readyz", "It says that store, clock, workers and queues are well.")
    elif said.status == 503 and isinstance(said.body, dict):
        for reason in said.body.get("reasons", []):
            text = str(reason)
            what, _, mend = text.partition(": ")
            yield wrong("readyz", f"It is not ready: {what}.", f"{mend[:1].upper()}{mend[1:]}")
