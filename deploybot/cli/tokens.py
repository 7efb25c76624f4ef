"""`token`: makes, lists and revokes tokens of the API in the file that the web process reads."""

import fcntl
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from deploybot.cli.durations import seconds_of
from deploybot.errors import ConfigError
from deploybot.tokens import (
    OF_A_SERVICE,
    SAYS,
    SCOPES,
    Scope,
    Token,
    hash_of,
    new_token,
    read_tokens,
    write_tokens,
)

DEFAULT = "tokens.toml"
app = typer.Typer(
    no_args_is_help=True, help="Make, list and revoke tokens of the API (on the server's host)."
)
_SCOPES = "; ".join(f"{scope}: {says}" for scope, says in SAYS.items())


@dataclass(frozen=True)
class Wish:
    """A token that somebody wants."""

    person: str = ""
    service: str = ""
    name: str = ""
    scopes: tuple[str, ...] = ()
    seconds: int | None = None


@app.command()
def new(
    *,
    person: Annotated[str, typer.Option("--for", help="whose it is: an id of your people")] = "",
    service: Annotated[
        str, typer.Option(help="or the service's: it can ask, and not approve")
    ] = "",
    scope: Annotated[
        list[str] | None, typer.Option(help=f"what for, one each time; {_SCOPES}")
    ] = None,
    name: Annotated[str, typer.Option(help="what it is called in the list and in logs")] = "",
    expires_in: Annotated[str, typer.Option(help="when it ends, such as 90d; never without")] = "",
) -> None:
    """Make a token, and print it: this once, as only its hash is kept."""
    from deploybot.bootstrap import now  # noqa: PLC0415 - loads everything

    seconds = seconds_of(expires_in) if expires_in else None
    wish = Wish(person, service, name, tuple(scope or ()), seconds)
    token = make(_path(), wish, now(), _people())
    sys.stdout.write(f"{token}\n")


@app.command(name="list")
def list_() -> None:
    """List the tokens, without what they are."""
    console = Console(highlight=False)
    table = Table("name", "whose", "for", "expires", box=None, pad_edge=False)
    for token in read_tokens(_path()):
        until = f"{token.expires:%Y-%m-%d %H:%M}" if token.expires else "never"
        table.add_row(token.name, token.by, " ".join(token.scopes), until)
    console.print(table)


@app.command()
def revoke(name: str) -> None:
    """Take a token out: from now on nobody gets in with it."""
    path = _path()
    with _alone_with(path):
        tokens = read_tokens(path)
        left = [token for token in tokens if token.name != name]
        if len(left) == len(tokens):
            raise ConfigError(f"{path} has no token {name!r}, so nothing was changed.")
        write_tokens(path, left)
    sys.stderr.write(f"{name} is revoked.\n")


def make(path: Path, wish: Wish, now: datetime, people: frozenset[str] | None) -> str:
    """Add a token to the file and return it; raises ConfigError when it cannot be.

    `people` are the known ones, None when nobody can tell.
    """
    if people is not None and wish.person and wish.person not in people:
        raise ConfigError(
            f"[people] does not name {wish.person!r}, so no token was made. Known: "
            f"{', '.join(sorted(people)) or 'nobody'}."
        )
    token = new_token()
    with _alone_with(path):
        known = read_tokens(path) if path.exists() else ()
        made = _made(wish, token, now, {each.name for each in known})
        write_tokens(path, (*known, made))
    return token


def _made(wish: Wish, token: str, now: datetime, taken: set[str]) -> Token:
    """Return what is kept of the token."""
    unknown = [scope for scope in wish.scopes if scope not in SCOPES]
    if unknown:
        known = ", ".join(SCOPES)
        raise ConfigError(f"There is no scope {unknown[0]!r}; no token was made. Known: {known}.")
    given: tuple[Scope, ...] = tuple(scope for scope in SCOPES if scope in wish.scopes)
    owner = wish.person or wish.service or "nobody"
    name = wish.name or next(
        each for n in range(len(taken) + 1) if (each := f"{owner}-{n + 1}") not in taken
    )
    if name in taken:
        raise ConfigError(f"There is a token {name!r} already; no token was made.")
    try:
        return Token(
            name=name,
            person=wish.person,
            service=wish.service,
            scopes=given or (OF_A_SERVICE if wish.service else SCOPES),
            sha256=hash_of(token),
            created=now.replace(microsecond=0),
            expires=now + timedelta(seconds=wish.seconds) if wish.seconds else None,
        )
    except ValidationError as error:
        said = error.errors()[0]["msg"].removeprefix("Value error, ")
        why = f"{name!r} cannot be a name" if wish.name and "pattern" in said else said
        raise ConfigError(f"No token was made: {why}.") from None


@contextmanager
def _alone_with(path: Path) -> Iterator[None]:
    """Keep other commands from the file meanwhile."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f".{path.name}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _path() -> Path:
    from deploybot.config import read_settings  # noqa: PLC0415 - only what the command needs

    found = read_settings().tokens_file
    if found is None:
        raise ConfigError(
            "DEPLOYBOT_TOKENS_FILE is not set, so nothing was done. Set it to a file of your "
            f"choice, such as {DEFAULT}, here and where the web process starts."
        )
    return found


def _people() -> frozenset[str] | None:
    """Return who is known, or None where the configuration is not at hand."""
    from deploybot.config import read_configuration, read_settings  # noqa: PLC0415

    path = read_settings().config
    if not path.exists():
        return None
    return frozenset(read_configuration(path).people)
