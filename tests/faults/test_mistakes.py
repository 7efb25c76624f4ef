"""Each seeded mistake is made in a copy of the tree: the tests that ought to notice it turn red."""

import pytest
from mistakes.table import MISTAKES, Mistake
from mistakes.workshop import red

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name.replace(" ", "-"))
def test_a_seeded_mistake_turns_its_tests_red(mistake: Mistake) -> None:
    assert red(mistake) == mistake.caught_by
