"""What somebody typed behind our slash command: a question that is answered at once, or a new thread's words."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from pydantic import Field

from deploybot.events import SlackMessageReceived
from deploybot.inbound.slack_payloads import Json, Part, parsed
from deploybot.inbound.slack_text import readable
from deploybot.ports import People
from deploybot.thread import thread_id_for

NAME = "/deploybot"

_LIVE = re.compile(
    r"environments?|status|live|(?:what'?s|what is|whats) live(?: (?:on|in) (?P<where>\S+))?",
    re.IGNORECASE,
)
_LOCKS = re.compile(r"(?:what(?:'s| is|s) )?(?:locks|locked|holds|held)", re.IGNORECASE)
_STOP = re.compile(r"stop(?: it)?[.!]*", re.IGNORECASE)


class Question(StrEnum):
    """What is answered at once, to the one who asked, and makes no thread."""

    HELP = "help"
    LIVE = "live"
    LOCKS = "locks"
    STOP = "stop"
    """Asked where nothing can be meant by it."""


@dataclass(frozen=True)
class Asked:
    """A question, and the environment that it is about; "" for all."""

    question: Question
    by: str
    where: str = ""


@dataclass(frozen=True)
class Commanded:
    """Words that begin a thread; Slack's own trigger tells the command from any other."""

    event: SlackMessageReceived
    thread: str
    dedupe: tuple[str, ...]


class _Command(Part):
    command: str = Field(pattern=r"^/\S+$")
    text: str = ""
    user_id: str = Field(min_length=1)
    team_id: str = Field(min_length=1)
    channel_id: str = Field(min_length=1)
    trigger_id: str = Field(min_length=1)


def read_command(
    payload: Json, people: People, now: datetime, names: Callable[[str], str]
) -> Asked | Commanded:
    """Return what is to be done about it; raises InboundError (400) when it is garbled."""
    typed = parsed(_Command, payload)
    by = people.by_slack(typed.user_id)
    text = " ".join(readable(typed.text, names).split())
    if (asked := _asked(text, by)) is not None:
        return asked
    delivery = f"slack:command:{typed.team_id}:{typed.trigger_id}"
    event = SlackMessageReceived(
        at=now,
        by=by,
        delivery=delivery,
        channel=typed.channel_id,
        ts="",
        thread_ts="",
        user=typed.user_id,
        name=people.name(by),
        text=text,
        command=typed.command,
    )
    thread = thread_id_for("slack-command", typed.team_id, typed.trigger_id)
    return Commanded(event, thread, (delivery,))


def _asked(text: str, by: str) -> Asked | None:
    """Return the question that the whole text is, if it is one."""
    plain = text.rstrip(" ?.!")
    if not plain or plain.casefold() == "help":
        return Asked(Question.HELP, by)
    if live := _LIVE.fullmatch(plain):
        return Asked(Question.LIVE, by, live["where"] or "")
    if _LOCKS.fullmatch(plain):
        return Asked(Question.LOCKS, by)
    if _STOP.fullmatch(text):
        return Asked(Question.STOP, by)
    return None
