import pytest
from pydantic import ValidationError

from deploy.plan import Plan, PlannedStep

PLAN = Plan(
    action="deploy",
    service="api",
    environment="production",
    repository="shop",
    ref="main",
    sha="a" * 40,
    previous_sha="b" * 40,
    steps=(PlannedStep(name="build", argv=("make",), says="Build"),),
    config_hash="c" * 64,
)


@pytest.mark.parametrize(
    "change",
    [
        {"action": "roll_back"},
        {"service": "web"},
        {"environment": "staging"},
        {"repository": "other"},
        {"sha": "d" * 40},
        {"previous_sha": None},
        {"config_hash": "e" * 64},
        {"steps": ()},
        {"steps": (PlannedStep(name="build", argv=("make", "-j"), says="Build"),)},
        {"steps": (PlannedStep(name="build-1", argv=("make",), says="Build"),)},
        {"steps": (PlannedStep(name="build", argv=None, says="Build"),)},
    ],
    ids=str,
)
def test_whatever_changes_what_runs_changes_what_decides(change):
    assert PLAN.model_copy(update=change).decides() != PLAN.decides()


@pytest.mark.parametrize(
    "change",
    [
        {"warnings": ("careful",)},
        {"ref": "v1"},
        {"commits_total": 7},
        {"steps": (PlannedStep(name="build", argv=("make",), says="Build it"),)},
    ],
    ids=str,
)
def test_words_for_people_decide_nothing(change):
    assert PLAN.model_copy(update=change).decides() == PLAN.decides()


@pytest.mark.parametrize("sha", ["main", "a" * 39, "A" * 40, "a" * 40 + "\n", ""])
def test_a_plan_is_about_a_full_commit_name(sha):
    with pytest.raises(ValidationError):
        Plan.model_validate(PLAN.model_dump() | {"sha": sha})


def test_a_plan_survives_its_journey_as_text():
    assert Plan.model_validate_json(PLAN.model_dump_json()) == PLAN
