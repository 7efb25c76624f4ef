"""Who has opened the app's own page in Slack, and when those pages are drawn anew; kept in Redis.

What is on them is drawn in `outbound.slack_home`; a worker looks it up and publishes it.
"""

from typing import cast

from deploybot.queue import PREFIX, Queues, answering, due_key

HOMES = "homes"
"""What the wake-up of the survey is called."""
SHOWN = f"{PREFIX}homes"
SEEN = f"{PREFIX}homes:seen"
NOT_AGAIN_FOR = 5.0
"""Seconds for which changes are gathered, at least, before all pages are looked at again."""
KEPT_SECONDS = 14 * 24 * 3600
"""How long after its last opening a page is kept up to date."""
MOST = 200


class Homes:
    """One entry a Slack user: the digest of what they were shown last, "" when it must be shown."""

    def __init__(self, queues: Queues) -> None:
        self._redis = queues.connection
        self._queues = queues

    def opened(self, user: str) -> None:
        """Have this user's page drawn now."""
        with answering():
            seconds, _ = self._redis.time()
            with self._redis.pipeline() as pipe:
                pipe.hset(SHOWN, user, "")
                pipe.zadd(SEEN, {user: seconds})
                pipe.execute()
        self._queues.later("survey", HOMES, 0.0)  # the clock's, should the wake-up get lost
        self._queues.wake("survey", HOMES)

    def changed(self) -> None:
        """Have all pages looked at soon, if there are any: something happened that may be on them."""
        with answering():
            if self._redis.exists(SHOWN):
                seconds, micros = self._redis.time()
                soon = seconds * 1000 + micros // 1000 + round(NOT_AGAIN_FOR * 1000)
                self._redis.zadd(due_key("survey"), {HOMES: soon}, nx=True)

    def take(self) -> dict[str, str]:
        """Return who is to be shown their page, and the digest of the last; nothing is due from here on."""
        with answering():
            seconds, _ = self._redis.time()
            self._redis.zrem(due_key("survey"), HOMES)
            gone = cast(
                list[bytes], self._redis.zrangebyscore(SEEN, "-inf", seconds - KEPT_SECONDS)
            )
            newest = cast(list[bytes], self._redis.zrevrange(SEEN, 0, MOST - 1))
            if gone:
                self._redis.hdel(SHOWN, *gone)
                self._redis.zrem(SEEN, *gone)
            kept = [user for user in newest if user not in gone]
            shown = self._redis.hmget(SHOWN, kept) if kept else []
        return {
            user.decode(): (digest or b"").decode()
            for user, digest in zip(kept, cast(list[bytes | None], shown), strict=True)
        }

    def shown(self, user: str, digest: str) -> None:
        """Keep what this user was shown; "" when it did not work."""
        with answering():
            self._redis.hset(SHOWN, user, digest)

    def forget(self, user: str) -> None:
        """Draw nothing for this user until they open the page again."""
        with answering(), self._redis.pipeline() as pipe:
            pipe.hdel(SHOWN, user)
            pipe.zrem(SEEN, user)
            pipe.execute()
