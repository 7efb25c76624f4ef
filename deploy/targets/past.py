"""What a journal holds of one approval whose work runs elsewhere; following it is `following`'s."""

from collections.abc import Iterable

from deploy.records import (
    BeganRecord,
    EndedRecord,
    IntentRecord,
    LaunchedRecord,
    Record,
    SeenRecord,
    StopRecord,
    SwitchedRecord,
)
from deploy.target import Live
from deploy.targets.elsewhere import Work


class Past:
    """The records of one approval, told apart; what is missing is None."""

    def __init__(self, records: tuple[Record, ...]) -> None:
        self.began = next((r for r in records if isinstance(r, BeganRecord)), None)
        self.ended = next((r for r in records if isinstance(r, EndedRecord)), None)
        self.asked = next((r for r in records if isinstance(r, IntentRecord)), None)
        self.launched = next((r for r in records if isinstance(r, LaunchedRecord)), None)
        self.seen = next((r for r in reversed(records) if isinstance(r, SeenRecord)), None)
        self.stop = next((r for r in records if isinstance(r, StopRecord)), None)

    @property
    def step(self) -> str | None:
        """How far the work came, as far as that was seen."""
        return self.seen.step if self.seen else None

    @property
    def link(self) -> str:
        """Where the work can be watched."""
        if self.seen is not None and self.seen.link:
            return self.seen.link
        return self.launched.facts.get("link", "") if self.launched else ""

    def work(self, began: BeganRecord, asked: IntentRecord) -> Work:
        """Return what is asked about at the place."""
        return Work(
            approval_id=began.approval_id,
            fence=began.fence,
            action=began.action,
            sha=began.sha,
            asked_at=asked.at,
            facts=asked.facts | (self.launched.facts if self.launched else {}),
            stopping=self.stop is not None,
        )


def live_by_journal(records: Iterable[Record]) -> Live | None:
    """Return what the journal (the newest record first) last saw go live; not whether verified."""
    switches = (r for r in records if isinstance(r, SwitchedRecord))
    last = next(switches, None)
    if last is None or last.sha is None:
        return None
    return Live(
        sha=last.sha,
        release=f"by approval {last.approval_id}",
        since=last.at,
        approval_id=last.approval_id,
        verified=False,
    )
