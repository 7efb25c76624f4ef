"""What is answered to a slash command at once, to the one who typed it; nothing is asked of the network."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from deploy.locks import Hold
from deploybot.inbound.slack_command import NAME, Asked, Question
from deploybot.inbound.slack_payloads import Json
from deploybot.outbound.slack_places import current, environments, held
from deploybot.outbound.slack_text import code, escape, moment
from deploybot.overview import Overview
from deploybot.ports import People

HELP = (
    ("deploy backend v1.2.3 to production", "proposes it; a branch, tag or commit may be named"),
    ("roll back backend on production", "proposes the last release that was verified there"),
    ("last 5 commits", "or `tags`: what there is"),
    ("lock backend on production for 2h: why", "locks it; `unlock backend on production` frees it"),
    ("environments", "what is live where; only you see the answer"),
    ("locks", "what is locked and held; only you see the answer"),
)
STOP = (
    "Nothing was stopped: behind a command nobody can tell what is meant. Write “stop” in the "
    "thread of what is to stop, or press Stop on its card."
)
HEARD = "Heard: {words}. What comes of it follows in a thread{here}."
NOT_LOOKED = "Nobody has looked yet. Ask again in a minute."


@dataclass(frozen=True)
class CommandDesk:
    """What the answers are made of: what workers saw last, and what is held now."""

    overview: Callable[[], Overview]
    holds: Callable[[], tuple[Hold, ...]]
    people: People
    now: Callable[[], datetime]
    url_of: Callable[[str], str]

    def answer(self, asked: Asked) -> Json:
        """Return the answer to a question, for its asker's eyes."""
        match asked.question:
            case Question.HELP:
                return _aside(_help())
            case Question.LIVE:
                return _aside(self._live(asked.where))
            case Question.LOCKS:
                return _aside(self._locks())
            case Question.STOP:
                return _aside(STOP)

    def heard(self, words: str, thread: str) -> Json:
        """Say that a thread was begun, to the one who began it."""
        url = self.url_of(thread)
        here = f" and on <{url}|its page>" if url else ""
        return _aside(HEARD.format(words=code(words, 300), here=here))

    def _live(self, where: str) -> str:
        seen = self.overview()
        rows = [row for row in seen.rows if not where or row.environment == where]
        if seen.at is None:
            return NOT_LOOKED
        if not rows:
            known = ", ".join(dict.fromkeys(row.environment for row in seen.rows)) or "none yet"
            return f"There is no environment {code(where)}. There are: {escape(known, 500)}."
        parts = [
            "\n".join((f"*{escape(name, 80)}*", *lines))
            for name, lines in environments(rows, self.people).items()
        ]
        return "\n".join((*parts, f"_As it was seen at {moment(seen.at)}._"))

    def _locks(self) -> str:
        holds = current(self.holds(), self.now())
        return "\n".join(held(hold, self.people) for hold in holds) or "Nothing is locked or held."


def _help() -> str:
    lines = (f"• {code(f'{NAME} {words}')}  {says}" for words, says in HELP)
    return "\n".join(
        (
            "*What you can write behind the command, or to me in a channel or here:*",
            *lines,
            "Whatever changes something is shown on a card first, and people approve it.",
        )
    )


def _aside(text: str) -> Json:
    return {"response_type": "ephemeral", "text": text}
