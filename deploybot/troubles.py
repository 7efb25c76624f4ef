"""What Slack refused last, and why, kept in Redis for whoever asks how the installation is."""

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import cast

import redis

from deploybot.errors import DeliveryError
from deploybot.queue import PREFIX

KEY = f"{PREFIX}slack:refused"
KEPT_SECONDS = 7 * 24 * 3600


@dataclass(frozen=True)
class Trouble:
    """One message that was refused for good: when, of which thread, and why, in a sentence."""

    at: str
    thread: str
    why: str


def note(
    connection: redis.Redis, now: datetime, thread_id: str, failed: DeliveryError | None
) -> None:
    """Keep it for a week, or until Slack takes something again."""
    if failed is None:
        connection.delete(KEY)
    elif failed.retry_after is None:
        trouble = Trouble(f"{now:%Y-%m-%d %H:%M} UTC", thread_id, str(failed))
        connection.set(KEY, json.dumps(asdict(trouble)), ex=KEPT_SECONDS)


def last(connection: redis.Redis) -> Trouble | None:
    """Return it, if there is one."""
    found = cast(bytes | None, connection.get(KEY))
    return Trouble(**json.loads(found)) if found else None
