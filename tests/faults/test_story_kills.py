"""The story, with a worker killed before or after each event that workers store: the same end."""

from collections.abc import Iterator
from random import Random

import pytest
from draws import run_seed
from faults.lean_company import LeanCompany
from faults.told_story import ToldStory

APPENDS = 28
"""How often workers append in one undisturbed story."""

BY_OTHERS = {"branch_updated", "approval_denied", "approval_granted"}
"""What is not appended by workers, or together with what is asked."""

DRAWN = 4
"""Kill points that each run draws by its own seed; `make long` draws a hundred."""
PATIENCE = 150.0
"""Seconds for a story in which a deploy may die, be settled and be asked for again."""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LeanCompany]:
    """One company for all stories, each of which is about another commit."""
    with LeanCompany(tmp_path_factory.mktemp("lean")) as running:
        yield running


def test_the_story_is_as_long_as_the_kills_below_believe(company: LeanCompany) -> None:
    story = ToldStory(company)

    story.play()

    assert story.wrong() == []
    stored = [event.kind for thread in story.threads() for event in thread.events]
    assert sum(kind not in BY_OTHERS for kind in stored) == APPENDS
    assert company.failing.visits().counts["store.append.before"] >= APPENDS


@pytest.mark.parametrize(
    ("number", "when"),
    [
        pytest.param(number, when, marks=() if (number % 2 == 0) is early else pytest.mark.long)
        for number in range(1, APPENDS + 1)
        for when, early in (("before", True), ("after", False))
    ],
)
def test_the_story_ends_well_with_a_worker_killed_at_any_append(
    company: LeanCompany, number: int, when: str
) -> None:
    story = ToldStory(company)

    story.play(f"store.append.{when}:power@{number}")

    assert story.died == 1
    assert story.wrong() == []


@pytest.fixture(scope="module")
def visits(company: LeanCompany) -> int:
    """How many points an undisturbed story comes to."""
    story = ToldStory(company)
    story.play()
    return sum(company.failing.visits().counts.values())


@pytest.mark.parametrize(
    "draw", [*range(DRAWN), *(pytest.param(n, marks=pytest.mark.long) for n in range(DRAWN, 100))]
)
def test_the_story_ends_well_with_a_worker_killed_at_any_point_that_is_drawn(
    company: LeanCompany, visits: int, draw: int
) -> None:
    number = Random(f"{run_seed()}/{draw}").randint(1, visits)
    story = ToldStory(company, settles=True, patience=PATIENCE)

    story.play(f"*:power@{number}")

    assert story.died <= 1
    assert story.wrong() == [], f"seed {run_seed()}, point {number} of {visits}"
