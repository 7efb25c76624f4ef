"""Which messages a telling is in Slack, where each belongs, and what was noted of them; no calls."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from deploybot.events import AnswerRefused, SlackMessageReceived
from deploybot.outbound.slack_blocks import Drawing, Look, draw
from deploybot.outbound.slack_card import detail_blocks
from deploybot.outbound.slack_fate import FINAL
from deploybot.outbound.slack_parts import title
from deploybot.outbound.slack_text import escape
from deploybot.telling import Card, CardState, Private, Telling
from deploybot.thread import Thread

LATE = "late"
"""What is noted of a message: when a call began that nobody answered, and that may come to pass late."""
MOVED = "moved"
"""The note that says from where a thread had to go on in the channel of the file."""


@dataclass(frozen=True)
class Place:
    """A channel, and the message below which something goes; "" for the channel itself."""

    channel: str
    root: str = ""

    @property
    def direct(self) -> bool:
        """Whether only one person can look there."""
        return self.channel.startswith("D")


@dataclass(frozen=True)
class Posting:
    """One message: its key, where it belongs, and how it is to look."""

    key: str
    place: Place
    drawing: Drawing
    broadcast: bool = False
    state: str = ""
    """The card's state once it is final; a message noted with it is never drawn again."""
    running: bool = False
    """Whether it changes by the second, so that an update may wait."""

    def mark(self, thread: str, head: str = "") -> dict[str, Any]:
        """Return the metadata: what the message is found again by, and the head that it was drawn at."""
        payload = {"thread": thread, "key": self.key} | ({"head": head} if head else {})
        return {"event_type": "deploybot", "event_payload": payload}

    def is_marked(self, message: Mapping[str, Any], thread: str) -> bool:
        """Tell whether a message in Slack is this one, wherever its thread stood when it was drawn."""
        payload = (message.get("metadata") or {}).get("event_payload") or {}
        return {**payload, **self.mark(thread)["event_payload"]} == payload


@dataclass
class Noted:
    """What the channel has noted of a thread, key by key, and the way to note more."""

    values: dict[str, str]
    note: Callable[[str, str], None]

    def get(self, key: str) -> dict[str, Any]:
        """Return what was noted under the key, {} for nothing."""
        value = json.loads(self.values.get(key) or "{}")
        return value if isinstance(value, dict) else {}

    def put(self, key: str, **value: str) -> None:
        """Note this at once in place of what was noted; nothing to forget it."""
        text = json.dumps(value, separators=(",", ":")) if value else ""
        self.note(key, text)
        self.values[key] = text


def place_of(thread: Thread, noted: Noted, channel: str) -> Place:
    """Return where the thread is told: where it began, or below its first message in `channel`."""
    root = noted.get("root")
    if root.get("ts"):
        return Place(str(root.get("channel", channel)), str(root["ts"]))
    first = thread.events[0] if thread.events else None
    if isinstance(first, SlackMessageReceived) and not noted.get(MOVED):
        return Place(first.channel, first.thread_ts)
    return Place(channel)


def card_postings(
    card: Card, place: Place, channel: str, look: Look, noted: Noted
) -> Iterator[Posting]:
    """Yield the messages of a card, as they are to look now.

    The card itself; a copy in `channel` when it hangs in somebody's direct messages, where those
    who may approve cannot see it; and below it, once, what runs exactly.
    """
    final = card.state if card.state in FINAL else ""
    notes = (noted.get(card.key), noted.get(f"{card.key}@channel"))
    late = any(note.get(LATE) for note in notes)
    if final and not late and notes[0].get("state") == final:
        # Its steps are forgotten after a day, and it can never change again.
        return
    drawing, running = draw(card, look), card.state is CardState.DEPLOYING
    shown = shown_in_channel(card)
    if shown and place.direct and channel:
        copy = Posting(f"{card.key}@channel", Place(channel), drawing)
        yield Posting(copy.key, copy.place, drawing, state=final, running=running)
    broadcast = shown and bool(place.root) and not place.direct
    yield Posting(card.key, place, drawing, broadcast, final, running)


def detail_posting(card: Card, place: Place, noted: Noted) -> Posting | None:
    """Return the message with what runs exactly, or None when it is not due."""
    key = f"{card.key}:detail"
    due = shown_in_channel(card) and place.root and card.state not in FINAL
    if not due or noted.get(key).get("ts"):
        return None
    text = f"{escape(title(*card.request.plans))}: what runs, exactly"
    return Posting(key, place, Drawing(text, tuple(detail_blocks(card.request))))


def shown_in_channel(card: Card) -> bool:
    """Tell whether the card waits for a person, so that the whole channel is to see it."""
    return not card.request.rule.automatic


def whisper_place(
    thread: Thread, private: Private, tellings: tuple[Telling, ...], place: Place
) -> Place:
    """Return where a private sentence is seen: in the channel when the card was answered there."""
    seq = private.key.rpartition(":")[2]
    event = thread.events[int(seq) - 1] if seq.isdigit() else None
    in_channel = not place.direct and any(
        isinstance(telling, Card)
        and isinstance(event, AnswerRefused)
        and telling.request.id == event.request_id
        and shown_in_channel(telling)
        for telling in tellings
    )
    return Place(place.channel) if in_channel else place
