"""A mailbox that is read by a thread of its own, as a process of the pool reads it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from fakes import FakeMailNotes
from letters import Correspondence, room_of
from redis_server import wait_until

from deploybot.mailbox_address import MailboxAddress
from deploybot.mailboxes.reader import MailboxReader


@dataclass
class Reading:
    """What became of the mails, by outcome, and how often the mailbox was looked at."""

    post: Correspondence
    notes: FakeMailNotes = field(default_factory=FakeMailNotes)
    outcomes: list[str] = field(default_factory=list)
    looks: int = 0

    def _looked(self) -> None:
        self.looks += 1

    @contextmanager
    def of(self, *urls: str, **how: Any) -> Iterator["Reading"]:
        """Read these mailboxes while the block lasts."""
        stop = threading.Event()
        readers = [
            MailboxReader(
                MailboxAddress.from_url(url),
                room_of(self.post.story),
                self.notes,
                self.post.story.clock.now,
                seen=self._looked,
                count=self.outcomes.append,
                **how,
            )
            for url in urls
        ]
        threads = [threading.Thread(target=one.run, args=(stop,)) for one in readers]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            stop.set()
            for thread in threads:
                thread.join(60)
            assert not any(thread.is_alive() for thread in threads)

    def waits_for(self, *outcomes: str) -> None:
        """Wait until these, and nothing else, came of the mails."""
        wait_until(lambda: len(self.outcomes) >= len(outcomes), seconds=60)
        assert sorted(self.outcomes) == sorted(outcomes)

    def waits_for_looks(self, more: int = 2) -> None:
        """Wait until the mailbox was looked at anew."""
        wanted = self.looks + more
        wait_until(
            lambda: self.looks >= wanted, seconds=150
        )  # a quiet one is renewed once a minute
