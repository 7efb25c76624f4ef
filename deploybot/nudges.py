"""When those who have not answered a request are called again, and when the next people are.

Pure. A reminder comes after `remind_after_seconds`, the next ones each after twice as long; the next
people are called once. Nothing comes at or after the end of the request.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from deploybot.approvals import ApprovalRequest


@dataclass(frozen=True)
class Nudges:
    """What has been done to have one open request answered."""

    request: ApprovalRequest
    asked_at: datetime
    reminders: int = 0
    escalated: bool = False

    @property
    def escalates_at(self) -> datetime | None:
        """Return when the next people are called; None for never, or if they have been."""
        rule = self.request.rule.escalation
        if rule is None or self.escalated:
            return None
        return self._before_the_end(self.asked_at + timedelta(seconds=rule.after_seconds))

    @property
    def reminds_at(self) -> datetime | None:
        """Return when people are reminded next; None for never again."""
        return next(self._reminders(), None)

    @property
    def next_at(self) -> datetime:
        """Return when the clock must look at the request: for a call, or for its end."""
        coming = (self.reminds_at, self.escalates_at, self.request.expires_at)
        return min(at for at in coming if at is not None)

    def reminder_due(self, now: datetime) -> int:
        """Return the number of the reminder that is due, those that were missed left out; 0 for none."""
        passed = sum(1 for at in self._reminders() if at <= now)
        return self.reminders + passed if passed else 0

    def escalation_due(self, now: datetime) -> bool:
        """Tell whether the next people are to be called."""
        return self.escalates_at is not None and self.escalates_at <= now

    def _reminders(self) -> Iterator[datetime]:
        """Yield when those that have not been are due."""
        first, number = self.request.rule.remind_after_seconds, self.reminders
        while first is not None:
            at = self._before_the_end(self.asked_at + timedelta(seconds=first * 2**number))
            if at is None:
                return
            yield at
            number += 1

    def _before_the_end(self, at: datetime) -> datetime | None:
        return at if at < self.request.expires_at else None
