"""Tokens of the API: who is behind each, what it is for, and the file that holds their hashes.

A token itself is shown once, when it is made. How a request carries one is `web.bearer`'s.
"""

import hashlib
import json
import os
import secrets
import tempfile
import threading
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    StringConstraints,
    ValidationError,
    model_validator,
)

from deploybot.errors import ConfigError

Scope = Literal["read", "ask", "decide", "control", "lock", "fork"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
SAYS: dict[Scope, str] = {
    "read": "see threads, what is live, and locks",
    "ask": "start threads, write in them, and answer questions",
    "decide": "approve, deny, and settle unknown outcomes: people only",
    "control": "pause, resume and cancel threads, and stop deploys",
    "lock": "lock and unlock services: people only",
    "fork": "begin a thread with the first events of another",
}
NOT_OF_A_SERVICE: tuple[Scope, ...] = ("decide", "lock")
OF_A_SERVICE: tuple[Scope, ...] = tuple(s for s in SCOPES if s not in NOT_OF_A_SERVICE)
PREFIX = "dbt_"
_HEADER = """\
# Tokens of deploybot's API, by their SHA-256; written by `deploybot token new` and `token revoke`.
# It is read again whenever it changes.
"""

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$")]


class Token(BaseModel):
    """One token: a person's or a service's, never both, and what it may be used for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    person: str = ""
    service: str = ""
    scopes: tuple[Scope, ...]
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    created: AwareDatetime | None = None
    expires: AwareDatetime | None = None

    @model_validator(mode="after")
    def _is_somebodys(self) -> "Token":
        if bool(self.person) == bool(self.service):
            raise ValueError("a token belongs to a person or to a service: name one of them")
        for scope in NOT_OF_A_SERVICE:
            if self.service and scope in self.scopes:
                raise ValueError(f"a service cannot {scope}: leave out the scope {scope}")
        if not self.scopes:
            raise ValueError("a token without a scope is of no use")
        return self

    @property
    def by(self) -> str:
        """Return who acts when it is used: a person's id, or `service:<name>`."""
        return self.person or f"service:{self.service}"


def hash_of(token: str) -> str:
    """Return the SHA-256 of a token, in hex; enough, as nobody can guess what is hashed."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def new_token() -> str:
    """Return 256 bits that nobody has seen, as text."""
    return PREFIX + secrets.token_urlsafe(32)


def read_tokens(path: Path) -> tuple[Token, ...]:
    """Return the tokens of a file; raises ConfigError with what is wrong in it."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(
            f"DEPLOYBOT_TOKENS_FILE names {path}, which is not there, so no token of it counts. "
            "Make one with `deploybot token new`."
        ) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise _wrong(path, f"cannot be read: {error}") from None
    rows = tables.pop("tokens", [])
    if not isinstance(rows, list):
        raise _wrong(path, "has no [[tokens]] tables")
    try:
        tokens = tuple(Token.model_validate(row) for row in rows)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        said = first["msg"].removeprefix("Value error, ")
        raise _wrong(path, f"holds a token that is not one, {where}: {said}") from None
    if tables:
        raise _wrong(path, f"has a table {next(iter(tables))!r} that nobody knows")
    for field in ("name", "sha256"):
        values = [getattr(token, field) for token in tokens]
        if len(set(values)) < len(values):
            raise _wrong(path, f"has the same {field} twice")
    return tokens


def write_tokens(path: Path, tokens: Sequence[Token]) -> None:
    """Put these tokens into the file, all or nothing; only its owner may read it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = _HEADER + "".join(_table(token) for token in tokens)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@dataclass(frozen=True)
class _Read:
    """The file as it was read, and by what it is known to be the same."""

    stamp: tuple[int, ...]
    tokens: tuple[Token, ...] = ()
    error: ConfigError | None = None


class TokenFile:
    """The tokens of a file, read again whenever it has changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._read: _Read | None = None

    def tokens(self) -> tuple[Token, ...]:
        """Return the tokens as the file has them now; raises ConfigError when it cannot be read.

        A file that became unreadable lets nobody in: a token that was taken out must not come back.
        """
        stamp = self._stamp()
        with self._lock:
            if self._read is None or self._read.stamp != stamp:
                self._read = self._now(stamp)
            read = self._read
        if read.error:
            raise read.error
        return read.tokens

    def find(self, token: str, now: datetime) -> Token | None:
        """Return what is known of a token that somebody presents, unless it has expired."""
        wanted = hash_of(token)
        for known in self.tokens():
            if secrets.compare_digest(known.sha256, wanted):
                return known if known.expires is None or now < known.expires else None
        return None

    def _stamp(self) -> tuple[int, ...]:
        try:
            found = self._path.stat()
        except OSError:
            return ()
        return (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)

    def _now(self, stamp: tuple[int, ...]) -> _Read:
        try:
            return _Read(stamp, read_tokens(self._path))
        except ConfigError as error:
            return _Read(stamp, error=error)


def _table(token: Token) -> str:
    rows = ["", "[[tokens]]"]
    for field, value in token.model_dump(mode="json").items():
        if value in ("", None):
            continue
        bare = field in ("created", "expires")
        rows.append(f"{field} = {value if bare else json.dumps(value)}")
    return "\n".join((*rows, ""))


def _wrong(path: Path, what: str) -> ConfigError:
    return ConfigError(
        f"{path} {what}. No token of it counts until it is mended; DEPLOYBOT_TOKENS_FILE names it."
    )
