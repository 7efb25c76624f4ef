"""Who is asked for the next step: plain commands, then the configured models, then the rules.

A model that is down is left out for a while, so that an outage costs one wait and no deploy. The
count of its failures lives as long as the process that asks.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from deploybot.errors import ModelUnavailableError
from deploybot.models.commands import PlainCommands
from deploybot.models.offline import OfflinePlanner
from deploybot.ports import Choice, Model, Prompt

logger = logging.getLogger(__name__)

FAILURES = 2
"""So many in a row open the breaker."""
COOL_OFF = 60.0
"""Seconds for which an unavailable model is not asked."""


@dataclass
class _Breaker:
    """How one model has fared."""

    failures: int = 0
    closed_at: float = 0.0

    def is_open(self, now: float) -> bool:
        return self.failures >= FAILURES and now < self.closed_at

    def failed(self, now: float) -> None:
        self.failures += 1
        self.closed_at = now + COOL_OFF


@dataclass
class Chain:
    """Asks in order and returns the first usable choice; the choice says who made it.

    `clock` counts seconds from any start. With no models, commands and rules do it all; the rules
    always answer, so `next_step` raises nothing.
    """

    models: tuple[Model, ...] = ()
    clock: Callable[[], float] = time.monotonic
    commands: PlainCommands = field(default_factory=PlainCommands)
    fallback: Model = field(default_factory=OfflinePlanner)
    _breakers: dict[int, _Breaker] = field(default_factory=dict, init=False)

    def next_step(self, prompt: Prompt) -> Choice:
        """Return the choice of the first that makes one."""
        if choice := self.commands.choose(prompt):
            return choice
        for index, model in enumerate(self.models):
            breaker = self._breakers.setdefault(index, _Breaker())
            if breaker.is_open(self.clock()):
                continue
            try:
                choice = model.next_step(prompt)
            except ModelUnavailableError as error:
                why = {"action": "model_unavailable", "why": str(error)}
                logger.warning("A model made no choice; the next one is asked", extra=why)
                breaker.failed(self.clock())
            else:
                breaker.failures = 0
                return choice
        return self.fallback.next_step(prompt)
