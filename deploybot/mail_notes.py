"""What all processes remember of mail for a while, in Redis: bad addresses, who was told, what was taken."""

import hashlib
from collections.abc import Iterable
from typing import cast

import redis

from deploybot.queue import PREFIX, answering

TAKEN_SECONDS = 30 * 24 * 3600
MAILBOXES = f"{PREFIX}mailboxes"
"""Hash: mailbox → when it was last looked at, in seconds."""


class RedisMailNotes:
    """Keys that end by themselves; none holds an address or a word as it is."""

    def __init__(self, connection: redis.Redis) -> None:
        self._redis = connection

    def mark_bad(self, address: str, seconds: float) -> None:
        """Remember that mail does not reach this address."""
        self._note("bad", address.casefold(), seconds)

    def is_bad(self, address: str) -> bool:
        """Tell whether mail did not reach this address a while ago."""
        return self._noted("bad", address.casefold())

    def note_helped(self, address: str, seconds: float) -> None:
        """Remember that this address was told what to do."""
        self._note("helped", address.casefold(), seconds)

    def was_helped(self, address: str) -> bool:
        """Tell whether this address was told what to do a while ago."""
        return self._noted("helped", address.casefold())

    def note_taken(self, mail: str) -> None:
        """Remember for as long as deliveries are told apart that this mail of a mailbox was taken."""
        self._note("taken", mail, TAKEN_SECONDS)

    def was_taken(self, mail: str) -> bool:
        """Tell whether this mail of a mailbox was taken."""
        return self._noted("taken", mail)

    def saw(self, mailbox: str) -> None:
        """Remember that a mailbox was looked at just now."""
        with answering():
            seconds, micros = self._redis.time()
            self._redis.hset(MAILBOXES, mailbox, f"{seconds}.{micros:06d}")

    def keep_only(self, mailboxes: Iterable[str]) -> None:
        """Forget every other mailbox: nobody reads it any more."""
        with answering():
            known = {name.decode() for name in cast(list[bytes], self._redis.hkeys(MAILBOXES))}
            if gone := known - set(mailboxes):
                self._redis.hdel(MAILBOXES, *gone)

    def _note(self, what: str, about: str, seconds: float) -> None:
        with answering():
            self._redis.set(_key(what, about), "1", px=round(seconds * 1000))

    def _noted(self, what: str, about: str) -> bool:
        with answering():
            return bool(self._redis.exists(_key(what, about)))


def _key(what: str, about: str) -> str:
    return f"{PREFIX}mail:{what}:{hashlib.sha256(about.encode()).hexdigest()[:32]}"
