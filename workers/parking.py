"""What becomes of a thread on which jobs crash, again and again: it is parked, and people are told."""

import logging
from contextlib import suppress

import redis

from deploybot.bootstrap import Bot
from deploybot.errors import DeploybotError
from deploybot.events import Escalated, StepFailed
from deploybot.ports import Job
from deploybot.queue import PREFIX
from deploybot.thread import Status, Thread

TIMES = 3
"""How often a job may crash on a thread as it stands."""
REMEMBERED = 24 * 3600
LATER = 1800.0
"""Seconds until what cannot be parked is tried again."""

logger = logging.getLogger(__name__)


def crashed(bot: Bot, job: Job, thread_id: str, error: Exception) -> None:
    """Count a crash; at the third on the same events, park the thread and say so."""
    with suppress(redis.RedisError, DeploybotError):
        length = bot.queues.connection.xlen(f"{PREFIX}thread:{thread_id}")
        key = f"{PREFIX}crashed:{job}:{thread_id}:{length}"
        times = bot.queues.connection.incr(key)
        bot.queues.connection.expire(key, REMEMBERED)
        if int(str(times)) >= TIMES:
            _park(bot, job, thread_id, type(error).__name__)


def _park(bot: Bot, job: Job, thread_id: str, what: str) -> None:
    bot.queues.later(job, thread_id, LATER)
    bot.alarms.say(
        f"crash:{job}:{thread_id}",
        f"Thread {thread_id} crashed {TIMES} times at the same place ({job}: {what}), so it is "
        "parked. Nothing was deployed by it. The log says where; a person's next word lets it go on.",
    )
    thread = bot.store.load(thread_id)
    now = bot.clock.now()
    why = f"This crashed {TIMES} times at the same place ({what}), so it is parked"
    match thread.status:
        case Status.WORKING:
            text = f"{why}. Nothing was deployed. Write here to have it tried again."
            _append(bot, thread, Escalated(at=now, by="agent:code", reason=text))
        case Status.APPROVED if job == "operate":
            text = f"{why}. Nothing was started. Ask again once the log is understood."
            failed = StepFailed(at=now, by="agent:code", intent="start", code="crashed", error=text)
            _append(bot, thread, failed)
        case _:
            pass  # what runs, or is to be told, cannot be given up: it is tried again later


def _append(bot: Bot, thread: Thread, event: Escalated | StepFailed) -> None:
    bot.store.append(thread, event)
    logger.error("parked a thread", extra={"action": "park", "thread_id": thread.id})
