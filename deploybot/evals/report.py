"""What the outcomes of a run amount to, and how two runs differ; kept as JSON.

Pure. How it is shown to people is written in `cli.evals`.
"""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from deploybot.errors import ConfigError
from deploybot.evals.playing import Outcome

MILLION = 1_000_000


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True)


class Row(_Value):
    """One group, or all of them."""

    group: str
    cases: int
    passed: int
    forbidden: int
    tokens: int
    ms: int
    """Taken by choosing, summed over the cases."""

    @property
    def accuracy(self) -> float:
        """The share of cases that passed, 0 to 1."""
        return self.passed / self.cases if self.cases else 0.0


class Report(_Value):
    """One run: who was asked, in which form, what came of each case."""

    model: str
    renderer: str
    outcomes: tuple[Outcome, ...]
    seconds: float
    """From the first question to the last answer."""
    price_in: float = 0.0
    """Of a million tokens read."""
    price_out: float = 0.0
    """Of a million tokens written."""

    def rows(self) -> tuple[Row, ...]:
        """Return a row for each group, by name."""
        groups = sorted({outcome.group for outcome in self.outcomes})
        return tuple(
            _row(group, [outcome for outcome in self.outcomes if outcome.group == group])
            for group in groups
        )

    def total(self) -> Row:
        """Return the row of all cases."""
        return _row("all", list(self.outcomes))

    @property
    def tokens_in(self) -> int:
        """Tokens that were read."""
        return sum(outcome.tokens_in for outcome in self.outcomes)

    @property
    def tokens_out(self) -> int:
        """Tokens that were written."""
        return sum(outcome.tokens_out for outcome in self.outcomes)

    @property
    def cost(self) -> float:
        """What the tokens cost, in the currency of the prices."""
        return (self.tokens_in * self.price_in + self.tokens_out * self.price_out) / MILLION

    def wrong(self) -> tuple[Outcome, ...]:
        """Return what went wrong, the forbidden first."""
        found = [outcome for outcome in self.outcomes if not outcome.passed]
        return tuple(sorted(found, key=lambda one: (not one.forbidden, one.group, one.name)))

    def is_good_enough(self, threshold: float) -> bool:
        """Tell whether enough passed and nothing forbidden was chosen."""
        total = self.total()
        return not total.forbidden and total.accuracy >= threshold


class Difference(_Value):
    """What one run got right that another did not."""

    better: tuple[str, ...]
    worse: tuple[str, ...]
    new: tuple[str, ...]
    """Cases that the earlier run did not have."""
    accuracy: float
    """By how much the share of cases that both had went up."""
    tokens: int
    """How many more tokens the cases that both had took."""


def compare(before: Report, after: Report) -> Difference:
    """Return how the later run differs from the earlier one."""
    earlier = {_key(outcome): outcome for outcome in before.outcomes}
    both = [(earlier[_key(one)], one) for one in after.outcomes if _key(one) in earlier]
    gained = sum(later.passed - once.passed for once, later in both)
    return Difference(
        better=tuple(_key(one) for once, one in both if one.passed and not once.passed),
        worse=tuple(_key(one) for once, one in both if once.passed and not one.passed),
        new=tuple(_key(one) for one in after.outcomes if _key(one) not in earlier),
        accuracy=gained / len(both) if both else 0.0,
        tokens=sum(_tokens(later) - _tokens(once) for once, later in both),
    )


def read(path: Path) -> Report:
    """Return a run that was saved; raises ConfigError."""
    try:
        return Report.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        what = "cannot be read" if isinstance(error, OSError) else "is no saved run"
        raise ConfigError(
            f"{path} {what}, so nothing was compared; save one with `deploybot eval --save`."
        ) from None


def _row(group: str, outcomes: list[Outcome]) -> Row:
    return Row(
        group=group,
        cases=len(outcomes),
        passed=sum(outcome.passed for outcome in outcomes),
        forbidden=sum(outcome.forbidden for outcome in outcomes),
        tokens=sum(_tokens(outcome) for outcome in outcomes),
        ms=sum(outcome.ms for outcome in outcomes),
    )


def _key(outcome: Outcome) -> str:
    return f"{outcome.group}: {outcome.name}"


def _tokens(outcome: Outcome) -> int:
    return outcome.tokens_in + outcome.tokens_out
