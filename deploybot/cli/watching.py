"""Shows a thread as it goes on, until it rests, and takes answers from whoever sits at the terminal."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from rich.status import Status as Spinner

from deploybot.cli import cards, timeline
from deploybot.cli.answering import Answering
from deploybot.cli.client import Client, Json
from deploybot.cli.exits import Exit, exit_of, exit_of_status
from deploybot.cli.following import Follower, Grown, Item, Mirror, Progressed, Stands, following
from deploybot.cli.terminal import Terminal, one_line
from deploybot.thread import Status

_DOING = {
    Status.WORKING: "choosing the next step",
    Status.APPROVED: "approved, and about to start",
    Status.DEPLOYING: "deploying",
    Status.SLEEPING: "asleep until its time comes",
    Status.AWAITING_APPROVAL: "waiting for an approver",
    Status.EDITING: "planning what somebody wants instead",
    Status.AWAITING_INPUT: "waiting for an answer",
    Status.IN_LINE: "waiting in line",
    Status.OUTCOME_UNKNOWN: "waiting for somebody to settle the outcome",
}


@dataclass(frozen=True)
class Manner:
    """How a thread is followed."""

    in_place: bool = False
    """Whether whoever began the thread sits here, and is asked."""
    waits: bool = False
    """Whether to stay while others must move."""
    seconds: float | None = None
    """For how long at most."""
    past: int = 0
    """How many events there are at least, as was just answered: until then it does not rest."""


class Watch:
    """One thread on one terminal."""

    def __init__(
        self, terminal: Terminal, client: Client, mirror: Mirror, now: Callable[[], datetime]
    ) -> None:
        self._terminal = terminal
        self._mirror = mirror
        self._client = client
        self._now = now
        self._shown = ""
        self._doing = ""

    def until_rest(self, manner: Manner, *, since: int) -> Exit:
        """Show what happens until nobody can move from here; what is behind event `since` counts."""
        mirror = self._mirror
        deadline = None if manner.seconds is None else time.monotonic() + manner.seconds
        answering = Answering(self._terminal, self._client, mirror)
        with following(self._client, mirror.thread.id, mirror.seq) as follower:
            while True:
                if mirror.seq >= manner.past:
                    self._show_open()
                asks = manner.in_place and answering.is_wanted
                if not asks and self._rests(manner):
                    return self._rest(since)
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    return self._timed_out()
                item = self._next(follower, left, answering if asks else None)
                if isinstance(item, str):
                    if not answering.typed(item):
                        return self._rest(since)
                elif isinstance(item, Stands):
                    mirror.stand(item)
                elif item is not None:
                    answering.interrupted()
                    self._take(item)

    def _next(
        self, follower: Follower, left: float | None, answering: Answering | None
    ) -> Item | str | None:
        if answering:
            answering.ask()
            return follower.next(left, typed=True)
        with self._busy():
            return follower.next(left)

    def _take(self, item: Grown | Progressed) -> None:
        if isinstance(item, Progressed):
            self._progress(item)
        else:
            self._mirror.take(item)
            self._doing = ""
            show_item(self._terminal, item)

    def _progress(self, item: Progressed) -> None:
        if self._terminal.as_json:
            self._terminal.json_line({"progress": item.entry})
            return
        name = one_line(str(item.entry.get("name") or item.entry.get("step") or ""))
        match item.entry.get("kind"):
            case "started":
                self._doing = f"deploying · {name}"
            case "step":
                mark = "✓" if item.entry.get("ok") else "✗"
                self._terminal.note(f"      {mark} {name} ({item.entry.get('seconds', 0)} s)")
                self._doing = "deploying"
            case _:
                text = one_line(str(item.entry.get("text", "")))
                self._doing = f"deploying · {name} · {text}"[:70]

    @contextmanager
    def _busy(self) -> Iterator[None]:
        """Say on a terminal what is being done, for as long as nothing happens."""
        doing = self._doing or _DOING.get(self._mirror.status, "")
        if not self._terminal.is_live or not doing:
            yield
            return
        with Spinner(f"{doing} …", console=self._terminal.err):
            yield

    def _rests(self, manner: Manner) -> bool:
        if self._mirror.seq < manner.past:
            return False
        return self._mirror.rests and (self._mirror.status is Status.DONE or not manner.waits)

    def _rest(self, since: int) -> Exit:
        mirror = self._mirror
        by_status = exit_of_status(mirror.status)
        code = by_status if mirror.is_lost else exit_of(mirror.thread, since)
        if self._terminal.as_json:
            said = {"id": mirror.thread.id, "status": mirror.status, "exit_code": int(code)}
            self._terminal.json_line(said)
        elif code is Exit.NEEDS_PEOPLE:
            self._terminal.note(f"It waits for others: deploybot show {mirror.thread.id} --follow")
        return code

    def _timed_out(self) -> Exit:
        name, status = self._mirror.thread.id, self._mirror.status
        self._terminal.note(
            f"Time ran out while it is {status}; it goes on: deploybot show {name} --follow"
        )
        return Exit.STILL_RUNNING

    def _show_open(self) -> None:
        """Show the open request or question, once."""
        request, question = self._mirror.request, self._mirror.question
        about = request.id if request else question.question_id if question else ""
        if self._terminal.as_json or not about or about == self._shown:
            return
        if request and request.rule.automatic and not request.rule.anyone_may_stop:
            return  # approved before anybody could read it
        self._shown = about
        if request:
            standing = self._mirror.thread.standing
            shown = cards.card(request, self._now(), standing.grants, standing.nudges)
            self._terminal.show(shown)
        elif question:
            self._terminal.show(cards.question(question))


def show_events(terminal: Terminal, shown: Json) -> None:
    """Show every event of a thread that was read whole."""
    for seq, stored in enumerate(shown["events"], start=1):
        show_item(terminal, Grown(seq, stored, timeline.read(stored)))


def show_item(terminal: Terminal, item: Grown) -> None:
    """Show one event, as words or as a line of JSON."""
    if terminal.as_json:
        terminal.json_line({"seq": item.seq, "event": item.stored})
    elif item.event is None:
        terminal.show(timeline.unknown(item.seq, item.stored))
    else:
        for line in timeline.entry(item.seq, item.event):
            terminal.show(line)
