"""Who is asked for the next step: plain commands, then the configured models, then the rules.

A model that is down is left out for a while, so that an outage costs one wait and no deploy; and
when the budget is spent, the rules choose. What is counted stands in `breaker` and `spending`.
"""

import logging
from dataclasses import dataclass, field, replace

from deploybot.errors import ModelUnavailableError
from deploybot.model_tables import BudgetTables
from deploybot.models.breaker import Breaker
from deploybot.models.commands import PlainCommands
from deploybot.models.offline import OfflinePlanner
from deploybot.models.spending import Spending
from deploybot.models.tally import MemoryTally, Tally
from deploybot.ports import Choice, Model, Prompt

logger = logging.getLogger(__name__)

LONGEST_NOTE = 500


@dataclass
class Chain:
    """Asks in order and returns the first usable choice; the choice says who made it, and why.

    With no models, commands and rules do it all; the rules always answer, so `next_step` raises
    nothing but StoreUnavailableError, when a tally in Redis cannot be reached.
    """

    models: tuple[Model, ...] = ()
    tally: Tally = field(default_factory=MemoryTally)
    budgets: BudgetTables = field(default_factory=BudgetTables)
    commands: PlainCommands = field(default_factory=PlainCommands)
    fallback: Model = field(default_factory=OfflinePlanner)

    def asks_a_model(self, prompt: Prompt) -> bool:
        """Tell whether a model is to choose: there is one, and the words are no plain command."""
        return bool(self.models) and self.commands.choose(prompt) is None

    def next_step(self, prompt: Prompt) -> Choice:
        """Return the choice of the first that makes one; its note says who did not, and why."""
        if choice := self.commands.choose(prompt):
            return choice
        spending, passed = Spending(self.budgets, self.tally), list[str]()
        for index, model in enumerate(self.models):
            name = str(getattr(model, "name", f"model {index + 1}"))
            breaker = Breaker(f"{index}:{name}", self.tally)
            if breaker.is_open():
                passed.append(f"{name} failed lately and is left out for a while.")
                continue
            if spent := spending.take_call(prompt):
                logger.warning("No model is asked", extra={"action": "budget_spent", "why": spent})
                passed.append(f"No model was asked, as {spent}.")
                break
            try:
                choice = model.next_step(prompt)
            except ModelUnavailableError as error:
                spending.used(prompt, error.tokens)
                breaker.failed()
                why = {"action": "model_unavailable", "why": str(error)}
                logger.warning("A model made no choice; the next one is asked", extra=why)
                passed.append(f"{name} {error.what}" if error.what else str(error))
            else:
                spending.used(prompt, choice.tokens_in + choice.tokens_out)
                breaker.answered()
                return replace(choice, note=_note(passed))
        return replace(self.fallback.next_step(prompt), note=_note(passed))


def _note(passed: list[str]) -> str:
    return " ".join(passed)[:LONGEST_NOTE]
