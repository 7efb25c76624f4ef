"""`lock` and `unlock`: who keeps a service as it is, said over the API."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import typer

from deploybot.cli.client import Client, Json, lock_path
from deploybot.cli.durations import seconds_of
from deploybot.cli.exits import Exit
from deploybot.cli.terminal import Terminal

EVERYTHING = "all"
"""What stands for every service of an environment."""

How = Literal["locked", "extended", "handed_over", "taken_over"]


@dataclass(frozen=True)
class Wish:
    """What is to become of a lock."""

    how: How = "locked"
    reason: str = ""
    seconds: int | None = None
    until: datetime | None = None
    warn_only: bool = False
    to: str = ""

    def body(self) -> Json:
        """Return it as the API takes it."""
        body: Json = {"how": self.how}
        body |= {"reason": self.reason} if self.reason else {}
        body |= {"seconds": self.seconds} if self.seconds else {}
        body |= {"until": self.until.isoformat()} if self.until else {}
        body |= {"warn_only": True} if self.warn_only else {}
        return body | ({"to": self.to} if self.to else {})


class Locks:
    """One person's words about locks."""

    def __init__(self, terminal: Terminal, client: Client) -> None:
        self._terminal = terminal
        self._client = client

    def lock(self, service: str, environment: str, wish: Wish) -> int:
        """Lock a place, or change its lock."""
        return self._told(self._client.put(_path(service, environment), wish.body()))

    def unlock(self, service: str, environment: str) -> int:
        """Free a place."""
        return self._told(self._client.delete(_path(service, environment)))

    def _told(self, answer: Json) -> int:
        if self._terminal.as_json:
            self._terminal.json(answer)
        else:
            self._terminal.say(str(answer["text"]))
        return Exit.DONE


def how(*, extend: bool, hand_over: str, take_over: bool) -> How:
    """Return the one thing that was asked for; raises typer.BadParameter for two of them."""
    if extend + bool(hand_over) + take_over > 1:
        raise typer.BadParameter("--extend, --hand-over and --take-over exclude each other.")
    if extend:
        return "extended"
    if hand_over:
        return "handed_over"
    return "taken_over" if take_over else "locked"


def seconds(text: str) -> int | None:
    """Return a length of time in seconds, if one was typed."""
    return seconds_of(text) if text else None


def moment(text: str) -> datetime | None:
    """Return a moment, in UTC unless it says otherwise, if one was typed."""
    if not text:
        return None
    try:
        typed = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is no moment; write it as 2026-05-04T18:00, in UTC."
        ) from None
    return typed if typed.tzinfo else typed.replace(tzinfo=UTC)


def _path(service: str, environment: str) -> str:
    return lock_path("" if service == EVERYTHING else service, environment)
