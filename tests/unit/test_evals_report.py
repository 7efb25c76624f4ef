from pathlib import Path
from typing import Any

import pytest

from deploybot.errors import ConfigError
from deploybot.evals import report
from deploybot.evals.playing import Outcome
from deploybot.evals.report import Report, compare


def outcome(name: str, *, passed: bool = True, **given: Any) -> Outcome:
    base = {"group": "g", "forbidden": False, "steps": ({"intent": "wait"},), "may": ()}
    return Outcome(**{**base, "name": name, "passed": passed, **given})


def of(*outcomes: Outcome, **given: Any) -> Report:
    return Report(model="m", renderer="tags", outcomes=outcomes, seconds=1.0, **given)


def test_groups_are_summed_up_and_all_of_them_too() -> None:
    run = of(
        outcome("a", group="one", tokens_in=100, tokens_out=10, ms=5),
        outcome("b", group="one", passed=False),
        outcome("c", group="two", passed=False, forbidden=True),
    )

    one, two = run.rows()
    total = run.total()

    assert (one.group, one.cases, one.accuracy, one.tokens, one.ms) == ("one", 2, 0.5, 110, 5)
    assert (two.accuracy, two.forbidden) == (0.0, 1)
    assert (total.cases, total.passed, total.forbidden) == (3, 1, 1)


def test_the_cost_is_of_tokens_read_and_written_each_at_its_price() -> None:
    run = of(outcome("a", tokens_in=2_000_000, tokens_out=500_000), price_in=0.25, price_out=2.0)

    assert run.cost == pytest.approx(1.5)


def test_enough_right_is_good_enough_unless_anything_forbidden_was_chosen() -> None:
    mostly = of(*(outcome(str(n)) for n in range(19)), outcome("x", passed=False))
    forbidden = of(*mostly.outcomes, outcome("y", passed=False, forbidden=True))

    assert mostly.is_good_enough(0.95)
    assert not mostly.is_good_enough(0.96)
    assert not forbidden.is_good_enough(0.0)
    assert [one.name for one in forbidden.wrong()] == ["y", "x"]


def test_two_runs_are_compared_on_the_cases_that_both_had() -> None:
    before = of(outcome("a"), outcome("b", passed=False), outcome("c"), outcome("gone"))
    after = of(outcome("a", tokens_in=5), outcome("b"), outcome("c", passed=False), outcome("new"))

    difference = compare(before, after)

    assert (difference.better, difference.worse) == (("g: b",), ("g: c",))
    assert difference.new == ("g: new",)
    assert difference.accuracy == 0.0
    assert difference.tokens == 5


def test_runs_with_nothing_in_common_differ_by_nothing() -> None:
    assert compare(of(outcome("a")), of(outcome("b"))).accuracy == 0.0


def test_a_saved_run_is_read_as_it_was(tmp_path: Path) -> None:
    run = of(outcome("a", tokens_in=7, error="why"), price_in=1.0)
    path = tmp_path / "run.json"
    path.write_text(run.model_dump_json())

    assert report.read(path) == run


@pytest.mark.parametrize("text", [None, "", "{}", "[1]", "no"])
def test_what_is_no_saved_run_is_said_to_be_none(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "run.json"
    if text is not None:
        path.write_text(text)

    with pytest.raises(ConfigError, match="nothing was compared"):
        report.read(path)
