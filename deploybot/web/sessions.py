"""Who is signed in, for how long: sessions in Redis; how people prove who they are is `signing_in`'s.

A session is found by a random id that only the browser keeps: Redis holds its hash, so that whoever
reads the store cannot act with it. It ends after `IDLE` without a request, and after `LONGEST` in
any case.
"""

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, cast

import redis

from deploybot.queue import PREFIX, answering

IDLE = timedelta(hours=12)
LONGEST = timedelta(days=7)
TURN = timedelta(hours=1)
"""How old an id becomes before the browser is given another one."""
GRACE = timedelta(minutes=1)
"""How long an id that was replaced is still good, for requests that were on their way."""
FRESH = timedelta(minutes=15)
"""How long after signing in somebody may do what asks for a fresh sign-in."""
NOTED = timedelta(minutes=1)
"""How exactly the last request is remembered."""


@dataclass(frozen=True)
class Session:
    """One person in one browser. `token` stands in each of its forms, and nowhere else."""

    id: str = field(repr=False)
    person: str
    token: str = field(repr=False)
    signed_in: datetime
    turned: datetime
    seen: datetime

    def is_fresh(self, now: datetime) -> bool:
        """Tell whether the person signed in just now."""
        return now - self.signed_in < FRESH


class Sessions:
    """The sessions of one Redis."""

    def __init__(self, connection: redis.Redis, now: Callable[[], datetime]) -> None:
        self._redis = connection
        self._now = now

    def begin(self, person: str, *, instead_of: str = "") -> Session:
        """Return a new session of this person; the one with the old id, if any, ends."""
        now = self._now()
        session = Session(new_id(), person, new_id(), signed_in=now, turned=now, seen=now)
        with answering(), self._redis.pipeline() as pipe:
            pipe.delete(_key(instead_of))
            pipe.hset(_key(session.id), mapping=_stored(session))
            pipe.pexpire(_key(session.id), IDLE)
            pipe.execute()
        return session

    def find(self, session_id: str) -> Session | None:
        """Return the session with this id if it has not ended, and note that it was used."""
        if not session_id:
            return None
        with answering():
            found = cast(dict[bytes, bytes], self._redis.hgetall(_key(session_id)))
        if not found:
            return None
        session, now = _read(session_id, found), self._now()
        if now - session.seen >= IDLE or now - session.signed_in >= LONGEST:
            return None
        if session.signed_in <= self._ended(session.person):
            return None
        if now - session.seen >= NOTED and b"replaced" not in found:
            self._note(session, now)
        return session

    def turn(self, session: Session) -> Session:
        """Return the session under a new id when its id is old; otherwise as it is.

        Of several requests that come at once, one gets the new id; the old one stays good for
        `GRACE`.
        """
        now = self._now()
        if now - session.turned < TURN:
            return session
        with answering():
            if not self._redis.hsetnx(_key(session.id), "replaced", now.isoformat()):
                return session
            turned = replace(session, id=new_id(), turned=now, seen=now)
            with self._redis.pipeline() as pipe:
                pipe.hset(_key(turned.id), mapping=_stored(turned))
                pipe.pexpire(_key(turned.id), IDLE)
                pipe.pexpire(_key(session.id), GRACE)
                pipe.execute()
        return turned

    def end(self, session: Session) -> None:
        """End this session."""
        with answering():
            self._redis.delete(_key(session.id))

    def end_all(self, person: str) -> None:
        """End every session of this person, in whatever browser."""
        with answering():
            self._redis.set(_ended_key(person), self._now().isoformat(), px=LONGEST)

    def _ended(self, person: str) -> datetime:
        with answering():
            found = cast(bytes | None, self._redis.get(_ended_key(person)))
        return datetime.fromisoformat(found.decode()) if found else _NEVER

    def _note(self, session: Session, now: datetime) -> None:
        with answering(), self._redis.pipeline() as pipe:
            pipe.hset(_key(session.id), "seen", now.isoformat())
            pipe.pexpire(_key(session.id), IDLE)
            pipe.execute()


_NEVER = datetime.fromisoformat("2000-01-01T00:00:00+00:00")


def new_id() -> str:
    """Return 256 random bits as text."""
    return secrets.token_urlsafe(32)


def hashed(secret: str) -> str:
    """Return what is stored of a secret that is random and long."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _key(session_id: str) -> str:
    return f"{PREFIX}session:{hashed(session_id)}"


def _ended_key(person: str) -> str:
    return f"{PREFIX}sessions-ended:{person}"


def _stored(session: Session) -> dict[Any, Any]:
    return {
        "person": session.person,
        "token": session.token,
        "signed_in": session.signed_in.isoformat(),
        "turned": session.turned.isoformat(),
        "seen": session.seen.isoformat(),
    }


def _read(session_id: str, found: dict[bytes, bytes]) -> Session:
    values = {name.decode(): value.decode() for name, value in found.items()}
    return Session(
        session_id,
        values["person"],
        values["token"],
        signed_in=datetime.fromisoformat(values["signed_in"]),
        turned=datetime.fromisoformat(values["turned"]),
        seen=datetime.fromisoformat(values["seen"]),
    )
