"""The three jobs, each a thin "look at this thread"; what happens then is the loop's to say."""

import logging
import platform
from collections.abc import Callable
from functools import cache

from deploy import failpoints, targets
from deploy.errors import DeployError
from deploybot import logs
from deploybot.bootstrap import Bot, bot_from_environment
from deploybot.errors import (
    DeliveryError,
    IllegalEventError,
    OperatorError,
    StoreUnavailableError,
    TakenError,
    TamperedError,
    UnknownEventError,
)
from deploybot.homes import HOMES
from deploybot.lines import leave_all
from deploybot.metrics import JOB_ERRORS
from deploybot.ports import Job
from deploybot.surveys import ENVIRONMENTS, EVERY, LOCKS
from deploybot.thread import Thread
from deploybot.timekeeping import skewed
from deploybot.web import slack_home
from workers.parking import crashed

logger = logging.getLogger(__name__)


@cache
def bot() -> Bot:
    """Return the bot of this process, built at first use and kept for the next job.

    A first prompt is written and what targets need is imported at once: every job is a fork, and
    would have to learn the words anew.
    """
    built = bot_from_environment()
    targets.load(built.configuration.catalog)
    built.prompt(Thread("first"))
    return built


def advance(thread_id: str) -> None:
    """Let the agent take its steps."""
    _run("advance", thread_id, lambda: bot().agent.advance(thread_id))


def operate(thread_id: str) -> None:
    """Deploy what was approved, run chosen tests, or settle what a dead worker left."""
    _run("operate", thread_id, lambda: bot().operator.operate(thread_id))
    bot().queues.wake("survey", ENVIRONMENTS)


def deliver(thread_id: str) -> None:
    """Tell people what they have not been told."""
    _run("deliver", thread_id, lambda: bot().deliver(thread_id))


def survey(what: str) -> None:
    """Look around, and again after a while; or draw the pages that people have opened in Slack."""
    failpoints.at("survey.begin.before")
    bot().queues.started("survey", what)
    if what != HOMES:
        bot().queues.later("survey", what, EVERY.get(what, 300.0))
    watch = bot().watch
    if text := skewed(bot().time.skew(), platform.node()):
        bot().alarms.say(f"clock:{platform.node()}", text)
    with logs.about(job="survey"), watch.job("survey"):
        try:
            if what == LOCKS:
                bot().holding.remind()
            elif what == HOMES:
                slack_home.refresh(bot())
            else:
                bot().surveyor.survey(what)
                bot().homes.changed()
        except (OperatorError, DeployError) as error:
            watch.meter.observe(JOB_ERRORS, "survey", type(error).__name__)
            logger.warning(
                "could not look around now; the clock tries again",
                extra={"action": "survey", "what": what, "why": str(error)},
            )


def _run(job: Job, thread_id: str, work: Callable[[], object]) -> None:
    """Do one job; what goes wrong outside is logged, and the clock wakes the thread again."""
    failpoints.at("job.begin.before")
    bot().queues.started(job, thread_id)
    failpoints.at("job.begin.after")
    watch = bot().watch
    with (
        logs.about(job=job, thread_id=thread_id),
        watch.job(job, lambda: bot().store.load(thread_id)),
    ):
        try:
            work()
        except (OperatorError, IllegalEventError) as error:
            _log(job, error)
            if isinstance(error, UnknownEventError):
                # Touched by nothing here: a newer worker goes on from it.
                bot().alarms.say(f"unknown:{thread_id}", f"A worker stopped on a thread. {error}")
            if isinstance(error, TamperedError):
                leave_all(bot().store, thread_id, bot().deployer.catalog)
            watch.meter.observe(JOB_ERRORS, job, type(error).__name__)
        except Exception as error:
            crashed(bot(), job, thread_id, error)
            raise
    failpoints.at("job.end.before")


def _log(job: Job, error: OperatorError | IllegalEventError) -> None:
    """Say what went wrong outside; raise what nobody has thought of."""
    about = {"action": job, "why": str(error)}
    match error:
        case DeliveryError(retry_after=after):
            level = logging.WARNING if after is None or after > 2 else logging.DEBUG
            text = "a channel did not take everything now; the clock tries again"
            logger.log(level, text, extra=about)
        case TakenError():
            logger.debug("another worker is at it", extra=about)
        case StoreUnavailableError():
            logger.warning("could not go on now; the clock tries again", extra=about)
        case TamperedError() | UnknownEventError() | IllegalEventError():
            text = "stopped on this thread; a person must look"
            logger.error(text, exc_info=error, extra={"action": job})
        case _:
            raise error
