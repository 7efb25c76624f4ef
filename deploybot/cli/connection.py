"""Finds the web process and the person: from settings, or from a folder that says how to reach it."""

import time
from datetime import UTC, datetime
from pathlib import Path

from deploy.secret import Secret
from deploybot.cli.client import Client
from deploybot.cli.terminal import Terminal
from deploybot.config import Settings, read_settings
from deploybot.errors import ConfigError
from deploybot.reach import FILE, Reach, read_reach


def connect(terminal: Terminal, *, state: Path | None = None, person: str = "") -> Client:
    """Return the API as one person; raises ConfigError when it is not known where, or as whom."""
    reach = _reach(read_settings(), state)
    waiting = terminal.note if terminal.is_live else lambda _: None
    token = _token(reach, person)
    if not (token.isascii() and token.isprintable() and " " not in token):
        raise ConfigError(
            "The token holds characters that no token has, so nothing was sent; copy it anew into "
            "DEPLOYBOT_TOKEN."
        )
    return Client(reach.url, Secret(token), waiting)


def _reach(settings: Settings, state: Path | None) -> Reach:
    if state is not None:
        return read_reach(state)
    token = settings.token.get_secret_value()
    is_set = settings.url or token or settings.api_tokens
    if not is_set and (settings.state_dir / FILE).exists():
        return read_reach(settings.state_dir)
    people = {name: each.get_secret_value() for name, each in settings.api_tokens.items()}
    url = settings.url or f"http://{settings.host}:{settings.port}"
    return Reach(url, {"": token} if token else people)


def _token(reach: Reach, person: str) -> str:
    people = reach.people
    if person:
        if person not in people:
            known = ", ".join(filter(None, people)) or "nobody"
            raise ConfigError(
                f"There is no token of {person} here, so nothing was sent; there are: {known}."
            )
        return people[person]
    if reach.you in people:
        return people[reach.you]
    if len(people) == 1:
        return next(iter(people.values()))
    if people:
        known = ", ".join(people)
        raise ConfigError(f"Say as whom, so that something can be sent: --as with one of {known}.")
    raise ConfigError(
        "DEPLOYBOT_TOKEN is not set, so nothing was sent. It is your own token for the API: "
        "whoever runs the web process gives it out."
    )


def now() -> datetime:
    """Return the time; the command line loads nothing that a server is made of only to know it."""
    return datetime.fromtimestamp(time.time(), UTC)
