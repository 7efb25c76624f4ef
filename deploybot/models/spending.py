"""What models have been asked and have used, by thread, person, hour and day; and what is too much.

How much is too much is said in `model_tables`; what happens then, in `chain`.
"""

from dataclasses import dataclass

from deploybot.events import BranchUpdated, Inbound, ScheduleFired
from deploybot.model_tables import AllowanceTable, BudgetTables
from deploybot.models.tally import Tally
from deploybot.ports import Prompt
from deploybot.thread import Thread

HOUR = 3600.0
DAY = 24 * HOUR
MONTH = 30 * DAY
ACCOUNTS = ("hour", "day")
"""The sums that are everybody's."""


@dataclass(frozen=True)
class _Account:
    """One sum that is kept: what people call it, and when it is begun anew."""

    name: str
    key: str
    allowance: AllowanceTable
    seconds: float

    @property
    def calls(self) -> str:
        return f"calls:{self.key}"

    @property
    def tokens(self) -> str:
        return f"tokens:{self.key}"


@dataclass(frozen=True)
class Spending:
    """Counts what models use, and says which budget is spent."""

    budgets: BudgetTables
    tally: Tally

    def take_call(self, prompt: Prompt) -> str:
        """Count one call; return which budget it would exceed, "" for none."""
        for account in self._accounts(prompt.thread):
            allowance = account.allowance
            if allowance.tokens and self.tally.get(account.tokens)[0] >= allowance.tokens:
                return f"{account.name} has used its {allowance.tokens} tokens"
            calls = self.tally.add(account.calls, 1, account.seconds)
            if allowance.calls and calls > allowance.calls:
                return f"{account.name} has used its {allowance.calls} calls"
        return ""

    def used(self, prompt: Prompt, tokens: int) -> None:
        """Count tokens, whether or not they led to a choice."""
        if tokens > 0:
            for account in self._accounts(prompt.thread):
                self.tally.add(account.tokens, tokens, account.seconds)

    def _accounts(self, thread: Thread) -> tuple[_Account, ...]:
        person = asking(thread)
        budgets = self.budgets
        of_person = (_Account("this person", f"person:{person}", budgets.person, DAY),)
        return (
            _Account("this thread", f"thread:{thread.id}", budgets.thread, MONTH),
            *(of_person if person else ()),
            _Account("this hour", "hour", budgets.hour, HOUR),
            _Account("this day", "day", budgets.day, DAY),
        )


def asking(thread: Thread) -> str:
    """Return who wrote or decided last; "" when only machines did."""
    for event in reversed(thread.events):
        if isinstance(event, Inbound) and not isinstance(event, BranchUpdated | ScheduleFired):
            return event.by
    return ""
