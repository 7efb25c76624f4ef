"""What is live where, as workers saw it last: kept in Redis, for whoever must not ask targets."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import cast

import redis
from pydantic import TypeAdapter

from deploybot.ports import EnvironmentRow, Store
from deploybot.queue import PREFIX, answering

KEY = f"{PREFIX}overview"
HEADS = f"{PREFIX}heads"


@dataclass(frozen=True)
class Overview:
    """A row for each service in each environment, and when the targets were asked; None for never."""

    at: datetime | None = None
    rows: tuple[EnvironmentRow, ...] = ()


_OVERVIEW: TypeAdapter[Overview] = TypeAdapter(Overview)


class RedisOverview:
    """The last overview: what needs targets or git is as old as it says, the rest is of now."""

    def __init__(self, connection: redis.Redis, store: Store, now: Callable[[], datetime]) -> None:
        self._redis = connection
        self._store = store
        self._now = now

    def keep(self, rows: tuple[EnvironmentRow, ...]) -> None:
        """Keep what was found now."""
        with answering():
            self._redis.set(KEY, _OVERVIEW.dump_json(Overview(self._now(), rows)))

    def read(self) -> Overview:
        """Return the last overview, with the holds, operations and lines of this moment."""
        with answering():
            found = cast(bytes | None, self._redis.get(KEY))
        if found is None:
            return Overview()
        kept, holds, now = _OVERVIEW.validate_json(found), self._store.holds(), self._now()
        rows = tuple(
            replace(
                row,
                hold=next((h for h in holds if h.covers(row.service, row.environment, now)), None),
                operation=self._store.operation(row.service, row.environment),
                line=self._store.line(row.service, row.environment),
            )
            for row in kept.rows
        )
        return replace(kept, rows=rows)


class RedisHeads:
    """Where each branch stood when it was looked at last."""

    def __init__(self, connection: redis.Redis) -> None:
        self._redis = connection

    def get(self, repository: str) -> str | None:
        """Return the SHA; None when it was never looked at."""
        with answering():
            found = cast(bytes | None, self._redis.hget(HEADS, repository))
        return found.decode() if found else None

    def put(self, repository: str, sha: str) -> None:
        """Remember the SHA."""
        with answering():
            self._redis.hset(HEADS, repository, sha)
