"""The table of seeded mistakes keeps up with the code; whether they are caught is tried in `tests/faults`."""

import re

import pytest
from mistakes.table import MISTAKES, Mistake
from mistakes.workshop import ROOT, occurs

OUGHT = 19


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name.replace(" ", "-"))
def test_a_seeded_mistake_still_applies(mistake: Mistake) -> None:
    for change in mistake.changes:
        assert occurs(change) == 1, (
            f"{change.file} no longer holds, once, what the mistake “{mistake.name}” replaces: "
            "bring tests/mistakes/table.py up to date"
        )
        assert change.old != change.new


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name.replace(" ", "-"))
def test_the_tests_that_catch_it_are_there(mistake: Mistake) -> None:
    assert mistake.caught_by
    for name in mistake.caught_by:
        file, _, test = name.partition("::")
        text = (ROOT / file).read_text(encoding="utf-8")
        assert re.search(rf"def {re.escape(test.partition('[')[0])}\b", text), name


def test_there_are_as_many_as_promised_and_no_two_alike() -> None:
    assert len({mistake.name for mistake in MISTAKES}) == len(MISTAKES) >= OUGHT
