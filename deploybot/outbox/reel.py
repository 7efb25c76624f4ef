"""The tellings of a thread so far, as its events change them: a card through its life, an opening that grows."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from deploybot.events import Event
from deploybot.telling import Asked, Card, CardState, Opening, Said, Telling


def _waits_to_start(card: Card) -> bool:
    """Tell whether it was approved and nothing runs: not yet, or between two of its changes."""
    between = card.state is CardState.DEPLOYING and not card.operation
    return between or card.state in (CardState.APPROVED, CardState.SCHEDULED)


@dataclass
class Reel:
    """The tellings so far, in the order in which they were first told."""

    told: dict[str, Telling] = field(default_factory=dict)
    heard: dict[str, str] = field(default_factory=dict)
    """What was heard in Slack, by the message's own id."""
    quiet: bool = False
    """Whether what goes well is said in the opening alone: nobody has written here."""
    people: tuple[str, ...] = ()
    """Who is concerned, the nearest first: whoever spoke last, and those it is done for."""

    def tell(self, telling: Telling) -> None:
        """Tell it, or tell it anew under its key."""
        self.told[telling.key] = telling

    def card(self, request_id: str, **changes: Any) -> None:
        """Change the card of a request that was shown."""
        card = self.told.get(f"card:{request_id}")
        if isinstance(card, Card):
            self.told[card.key] = replace(card, **changes)

    def close_open(self, by: str, at: datetime) -> None:
        """Somebody spoke or cancelled: what was open can no longer be answered."""
        for key, telling in self.told.items():
            if isinstance(telling, Card) and telling.state is CardState.OPEN:
                self.told[key] = replace(telling, state=CardState.CLOSED, by=by, at=at)
            if isinstance(telling, Asked) and telling.is_open:
                self.told[key] = replace(telling, closed=True, by=by)

    def spoke(self, *people: str) -> None:
        """Keep who is concerned now, before those who were."""
        self.people = tuple(dict.fromkeys((*people, *self.people)))

    def answered_in_words(self, by: str, text: str) -> None:
        """Take what somebody wrote for their answer to the open question, in words of their own."""
        for key, telling in self.told.items():
            if isinstance(telling, Asked) and telling.is_open:
                self.told[key] = replace(telling, answer=text, by=by)

    def pass_on(self, telling: Said) -> None:
        """Say what goes well, or how it ended: in the opening, and aloud where people wrote."""
        self.opening_line(telling.text)
        if not self.quiet:
            self.tell(telling)

    def close_approved(self, state: CardState, event: Event, note: str) -> None:
        """Nothing more will come of what was approved, or of its next change."""
        for key, telling in self.told.items():
            if isinstance(telling, Card) and _waits_to_start(telling):
                self.told[key] = replace(telling, state=state, by=event.by, at=event.at, note=note)

    def opening_line(self, line: str) -> None:
        """Add a line to the opening."""
        opening = self.told.get("opening")
        if isinstance(opening, Opening):
            self.told["opening"] = replace(opening, lines=(*opening.lines, line))
