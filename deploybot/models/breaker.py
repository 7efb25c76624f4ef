"""Whether a model that failed is asked again yet: so an outage costs one wait, and not one a step."""

from dataclasses import dataclass

from deploybot.models.tally import Tally

FAILURES = 2
"""So many failures open the breaker."""
COOL_OFF = 60.0
"""Seconds for which a model with an open breaker is not asked; then one failure opens it again."""
REMEMBERED = 600.0
"""Seconds after which failures that led to nothing are forgotten."""


@dataclass(frozen=True)
class Breaker:
    """How one model has fared, as everyone who asks it counts."""

    model: str
    tally: Tally

    def is_open(self) -> bool:
        """Tell whether the model is to be left alone for now."""
        return self.tally.get(self._open)[0] > 0

    def failed(self) -> None:
        """Note that the model made no choice."""
        if self.tally.add(self._failures, 1, REMEMBERED) >= FAILURES:
            self.tally.add(self._open, 1, COOL_OFF)

    def answered(self) -> None:
        """Note that the model chose."""
        if self.tally.get(self._failures)[0]:
            self.tally.forget(self._failures, self._open)

    @property
    def _failures(self) -> str:
        return f"failures:{self.model}"

    @property
    def _open(self) -> str:
        return f"open:{self.model}"
