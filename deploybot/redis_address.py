"""Which Redis an address means: one server, or whichever leads by the word of its Sentinels."""

import re
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

import redis
from redis.sentinel import Sentinel

SENTINEL = ("redis+sentinel", "rediss+sentinel")
SCHEMES = ("redis", "rediss", "unix", *SENTINEL)
ASKED_WITHIN = 1.0
"""Seconds that one Sentinel gets to answer; the next is asked then."""
_PORT = 26379
_CERTIFICATES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
"""Files that redis-py takes in an address, too; for the servers and for the Sentinels alike."""
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+)(?::(\d{1,5}))?")


@dataclass(frozen=True)
class SentinelAddress:
    """`redis+sentinel://user:password@host:26379,host:26379/name/0?sentinel_password=…`, read.

    User and password are those of the servers; `name` is what the Sentinels call them.
    """

    sentinels: tuple[tuple[str, int], ...]
    name: str
    database: int = 0
    tls: bool = False
    username: str = ""
    password: str = field(default="", repr=False)
    sentinel_password: str = field(default="", repr=False)
    certificates: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, url: str) -> Self:
        """Read an address; raises ValueError with what is wrong, and no password."""
        parts = urlsplit(url)
        login, _, hosts = parts.netloc.rpartition("@")
        username, _, password = login.partition(":")
        name, _, database = parts.path.strip("/").partition("/")
        if not name or "/" in database:
            raise ValueError("behind the Sentinels comes a slash and the name they know it by")
        if database and not database.isdigit():
            raise ValueError("behind the name comes a slash and the number of the database")
        asked = parse_qs(parts.query, strict_parsing=bool(parts.query))
        if unknown := asked.keys() - {"sentinel_password", *_CERTIFICATES}:
            raise ValueError(f"it does not know {', '.join(sorted(unknown))}")
        return cls(
            sentinels=tuple(map(_host, hosts.split(","))),
            name=unquote(name),
            database=int(database or 0),
            tls=parts.scheme == SENTINEL[1],
            username=unquote(username),
            password=unquote(password),
            sentinel_password=asked.get("sentinel_password", [""])[0],
            certificates=tuple((key, asked[key][0]) for key in _CERTIFICATES if key in asked),
        )

    def client(self, **how: Any) -> redis.Redis:
        """Give a client that asks who leads at each new connection."""
        tls: dict[str, Any] = dict(self.certificates) if self.tls else {}
        asking: dict[str, Any] = {
            "socket_timeout": ASKED_WITHIN,
            "socket_connect_timeout": ASKED_WITHIN,
            "password": self.sentinel_password or None,
            "ssl": self.tls,
            **tls,
        }
        login = {"username": self.username or None, "password": self.password or None}
        sentinel: Any = Sentinel(list(self.sentinels), sentinel_kwargs=asking)  # type: ignore[no-untyped-call]
        leader: redis.Redis = sentinel.master_for(
            self.name, db=self.database, ssl=self.tls, **tls, **login, **how
        )
        return leader


def connected(url: str, **how: Any) -> redis.Redis:
    """Give a client for an address of any of `SCHEMES`; `how` is what redis-py is told of it."""
    if urlsplit(url).scheme in SENTINEL:
        return SentinelAddress.parse(url).client(**how)
    return redis.Redis.from_url(url, **how)


def _host(text: str) -> tuple[str, int]:
    match = _HOST.fullmatch(text)
    port = int(match[2] or _PORT) if match else 0
    if match is None or not 0 < port < 65536:
        raise ValueError("each Sentinel is host:port, and commas stand between them")
    return match[1].strip("[]"), port
