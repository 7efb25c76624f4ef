"""Follows a thread as it grows, in the background, so that whoever is asked can be interrupted."""

import json
import os
import queue
import select
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Self

from deploybot.approvals import ApprovalRequest
from deploybot.cli.client import OPENED, Client
from deploybot.cli.event_stream import Message
from deploybot.cli.timeline import read
from deploybot.errors import DeploybotError
from deploybot.events import Event, QuestionAsked
from deploybot.thread import Status, Thread

PROGRESS, STATUS = "progress", "status"
"""What messages of the stream are called that are no events."""

RESTS = (
    Status.DONE,
    Status.AWAITING_APPROVAL,
    Status.AWAITING_INPUT,
    Status.IN_LINE,
    Status.PAUSED,
    Status.OUTCOME_UNKNOWN,
)


@dataclass(frozen=True)
class Grown:
    """One more event: its number, the event as it came, and the event itself if it is known here."""

    seq: int
    stored: dict[str, Any]
    event: Event | None


@dataclass(frozen=True)
class Progressed:
    """One line of the progress of a running deploy."""

    entry: dict[str, Any]


@dataclass(frozen=True)
class Stands:
    """Where the web process says that the thread stands, after so many events."""

    status: Status
    length: int


Item = Grown | Progressed | Stands


@dataclass
class Mirror:
    """A thread, folded from what came over the API by the same table that the bot uses.

    An event that this version does not know cannot be folded: from there on the web process tells
    where the thread stands, and nothing can be answered from here.
    """

    thread: Thread
    seq: int = 0
    is_lost: bool = False
    _status: Status = Status.WORKING

    @classmethod
    def of(cls, shown: dict[str, Any]) -> Self:
        """Return the thread that `GET /api/threads/{id}` showed."""
        mirror = cls(Thread(str(shown["id"])))
        for seq, stored in enumerate(shown.get("events", ()), start=1):
            mirror.take(Grown(seq, stored, read(stored)))
        mirror.stand(Stands(Status(str(shown["status"])), mirror.seq))
        return mirror

    def take(self, item: Grown) -> None:
        """Fold one more event."""
        self.seq = item.seq
        self._status = Status.WORKING  # until the web process says where that leads
        if item.event is None:
            self.is_lost = True
        if item.event is None or self.is_lost:
            return
        try:
            self.thread = self.thread.extended(item.event, head="")
        except DeploybotError:
            self.is_lost = True

    def stand(self, item: Stands) -> None:
        """Note where the web process says that it stands."""
        if item.length >= self.seq:
            self._status = item.status

    @property
    def status(self) -> Status:
        """Where the thread stands."""
        return self._status if self.is_lost else self.thread.status

    @property
    def rests(self) -> bool:
        """Whether nothing goes on by itself: it is over, or people must move."""
        request = self.request
        return self.status in RESTS and not (request and request.rule.automatic)

    @property
    def request(self) -> ApprovalRequest | None:
        """The approval that is open, if one is."""
        is_open = self.status is Status.AWAITING_APPROVAL and not self.is_lost
        return self.thread.standing.request if is_open else None

    @property
    def question(self) -> QuestionAsked | None:
        """The question that is open, if one is."""
        is_open = self.status is Status.AWAITING_INPUT and not self.is_lost
        return self.thread.standing.question if is_open else None


@dataclass
class Follower:
    """What happens in a thread, one item after the other."""

    client: Client
    thread_id: str
    after: int
    _items: "queue.Queue[Item | Exception]" = field(default_factory=queue.Queue)
    _bell: tuple[int, int] = field(default_factory=os.pipe)
    _ended: threading.Event = field(default_factory=threading.Event)

    def next(self, seconds: float | None, *, typed: bool = False) -> Item | str | None:
        """Return what happens next, or what was typed; None when nothing did in that time.

        A typed line comes with its end; "" is the end of what can be typed. Raises what ended the
        stream.
        """
        deadline = None if seconds is None else time.monotonic() + seconds
        while True:
            with_typing = [sys.stdin] if typed else []
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            if self._items.empty():
                ready, _, _ = select.select([self._bell[0], *with_typing], [], [], left)
                if self._bell[0] in ready:
                    os.read(self._bell[0], 4096)
                elif ready:
                    return sys.stdin.readline()
            try:
                item = self._items.get_nowait()
            except queue.Empty:
                if left == 0.0:
                    return None
                continue
            if isinstance(item, Exception):
                raise item
            return item

    def run(self) -> None:
        """Read the stream until told to stop; in a thread of its own.

        A stream that is opened anew tells the running deploy's lines from the first: those that
        came before are passed over.
        """
        came: dict[str, int] = {}
        again: dict[str, int] = {}
        try:
            for message in self.client.follow(self.thread_id, self.after):
                if self._ended.is_set():
                    return
                if message is OPENED:
                    again = {}
                    continue
                item = _item(message)
                if isinstance(item, Progressed):
                    operation = str(item.entry.get("operation", ""))
                    again[operation] = again.get(operation, 0) + 1
                    if again[operation] <= came.get(operation, 0):
                        continue
                    came[operation] = again[operation]
                self._put(item)
        except Exception as error:  # noqa: BLE001 - raised where the items are taken
            self._put(error)

    def stop(self) -> None:
        """Take no more."""
        self._ended.set()

    def _put(self, item: Item | Exception) -> None:
        self._items.put(item)
        os.write(self._bell[1], b"!")


@contextmanager
def following(client: Client, thread_id: str, after: int) -> Iterator[Follower]:
    """Follow for as long as the block lasts."""
    follower = Follower(client, thread_id, after)
    threading.Thread(target=follower.run, daemon=True, name="follow").start()
    try:
        yield follower
    finally:
        follower.stop()


def _item(message: Message) -> Item:
    stored = json.loads(message.data)
    if message.event == PROGRESS:
        return Progressed(stored)
    if message.event == STATUS:
        return Stands(Status(stored["status"]), int(stored["length"]))
    return Grown(int(message.id), stored, read(stored))
