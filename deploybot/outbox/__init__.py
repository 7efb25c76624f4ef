"""What people are to be told of a thread: derived from its events, in order, for any channel.

Pure. How a telling looks in Slack or in a mail is written in `outbound`; nothing here sends.
Each telling has a key that stays the same while its content changes, so that a channel posts it
once and updates it through its life.
"""

from collections.abc import Iterator

from deploybot.events import Event, Forked
from deploybot.outbox import asking, places, running, talk
from deploybot.outbox.reel import Reel
from deploybot.telling import Telling
from deploybot.thread import Thread


def tellings(thread: Thread) -> tuple[Telling, ...]:
    """Return everything people are to have been told by now, oldest first."""
    reel = Reel()
    for seq, event in own_events(thread):
        talk.about(reel, seq, event)
        asking.about(reel, seq, event)
        running.about(reel, seq, event)
        places.about(reel, seq, event)
    return tuple(reel.told.values())


def own_events(thread: Thread) -> Iterator[tuple[int, Event]]:
    """Yield what happened on this thread itself, with its number: of a fork, nothing that was copied."""
    numbered = list(enumerate(thread.events, start=1))
    for index in range(len(numbered) - 1, -1, -1):
        if isinstance(numbered[index][1], Forked):
            return iter(numbered[index:])
    return iter(numbered)
