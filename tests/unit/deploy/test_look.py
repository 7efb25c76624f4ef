import time
from datetime import UTC, datetime

import pytest
from shop import Shop, free, now, quick, unheard

from deploy.catalog import Catalog
from deploy.errors import RefusedError
from deploy.locks import Hold
from deploy.look import Look
from deploy.policy import Behalf
from deploy.run import run

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
ANN = Behalf(requesters=("ann",))


@pytest.fixture(name="shop")
def _shop(tmp_path):
    return Shop(tmp_path)


@pytest.fixture(name="look")
def _look(shop):
    return Look(quick(shop), clock=now)


def code(look: Look, *arguments, **named) -> str:
    with pytest.raises(RefusedError) as error:
        look.plan(*arguments, **named)
    return error.value.reason_code


def roll_back(shop, look, to=None):
    plan = look.plan("roll_back", "backend", to, "staging")
    return run(look.target("backend", "staging"), shop.order(plan), guard=free, progress=unheard)


def verify(look, ref: str) -> None:
    sha = look.repository("backend").resolve(ref).sha
    assert look.target("backend", "staging").verify(sha)


def test_a_plan_names_the_commit_and_what_would_come_with_it(shop, look):
    shop.deploy(look, "backend", "v1.2.0", "staging")

    plan = look.plan("deploy", "backend", "v1.2.1", "staging")

    assert plan.sha == look.repository("backend").resolve("v1.2.1").sha
    assert plan.previous_sha == look.repository("backend").resolve("v1.2.0").sha
    assert plan.commits[0].subject == "Merge pull request #35: Sell a wool blanket"
    assert plan.commits_total == len(plan.commits) == 3
    assert plan.warnings == ()


def test_without_a_ref_a_deploy_takes_the_default_branch(shop, look):
    assert look.plan("deploy", "backend", None, "staging").sha == shop.repository.head()


def test_the_same_facts_give_the_same_plan(look):
    one = look.plan("deploy", "backend", "main", "staging")

    assert look.plan("deploy", "backend", "main", "staging") == one


def test_going_back_by_a_deploy_is_warned_of(shop, look):
    shop.deploy(look, "backend", "v1.2.0", "staging")

    plan = look.plan("deploy", "backend", "v1.0.0", "staging")

    assert "older than what is live" in plan.warnings[0]


def test_unknown_names_and_refs_have_their_codes(look):
    assert code(look, "deploy", "api", "main", "staging") == "unknown_service"
    assert code(look, "deploy", "backend", "main", "prod") == "unknown_environment"
    assert code(look, "deploy", "backend", "v9", "staging") == "ref_missing"
    assert code(look, "deploy", "backend", "--help", "staging") == "ref_malformed"


def test_what_is_live_is_not_deployed_again(shop, look):
    shop.deploy(look, "backend", "v1.2.0", "staging")

    assert code(look, "deploy", "backend", "v1.2.0", "staging") == "already_live"


def test_production_takes_only_what_is_live_and_verified_on_staging(shop):
    tables = shop.tables()
    for environment in tables["environments"].values():
        environment["services"] = {"backend": {}}
    tables["services"] = {"backend": quick(shop).services["backend"].model_dump()}
    look = Look(Catalog.model_validate(tables), clock=now)
    ask = ("deploy", "backend", "v1.2.0", "production")

    assert code(look, *ask) == "not_verified_in"
    shop.deploy(look, "backend", "v1.2.0", "staging")
    assert code(look, *ask) == "not_verified_in"
    verify(look, "v1.2.0")
    assert look.plan(*ask).environment == "production"


def test_production_takes_only_commits_of_its_branches(shop):
    tables = quick(shop).model_dump()
    tables["environments"]["staging"]["allowed_branches"] = ["stable"]
    look = Look(Catalog.model_validate(tables), clock=now)

    assert code(look, "deploy", "backend", "main", "staging") == "branch_not_allowed"


def test_holds_and_running_operations_are_asked_for_the_very_place(shop):
    asked = []
    hold = Hold(service="backend", environment="staging", owner="ann", reason="sale", at=AT)

    def holds(service: str, environment: str) -> tuple[Hold, ...]:
        asked.append((service, environment))
        return (hold,)

    held = Look(quick(shop), clock=now, holds=holds)
    busy = Look(quick(shop), clock=now, running=lambda *_: "A deploy by Ben")

    assert code(held, "deploy", "backend", "main", "staging") == "locked"
    assert held.plan("deploy", "backend", "main", "staging", behalf=ANN).ref == "main"
    assert code(busy, "deploy", "backend", "main", "staging") == "operation_running"
    assert set(asked) == {("backend", "staging")}


def test_with_nothing_before_there_is_no_way_back(shop, look):
    assert code(look, "roll_back", "backend", None, "staging") == "no_earlier_release"
    shop.deploy(look, "backend", "v1.0.0", "staging")
    assert code(look, "roll_back", "backend", None, "staging") == "no_earlier_release"


def test_the_way_back_is_the_last_verified_release(shop, look):
    shop.deploy(look, "backend", "v1.0.0", "staging")
    verify(look, "v1.0.0")
    shop.deploy(look, "backend", "v1.1.0", "staging")
    shop.deploy(look, "backend", "v1.2.0", "staging")

    plan = look.plan("roll_back", "backend", None, "staging")

    assert plan.sha == look.repository("backend").resolve("v1.0.0").sha
    assert plan.commits[0].sha == look.repository("backend").resolve("v1.2.0").sha
    assert [step.name for step in plan.steps] == ["switch"]


def test_going_back_never_leads_to_what_was_just_given_up(shop, look):
    for ref in ("v1.0.0", "v1.1.0", "v1.2.0"):
        shop.deploy(look, "backend", ref, "staging")
        verify(look, ref)

    roll_back(shop, look)
    second = look.plan("roll_back", "backend", None, "staging")

    assert second.sha == look.repository("backend").resolve("v1.0.0").sha


def test_going_back_by_name_leads_only_to_what_was_live_there(shop, look):
    shop.deploy(look, "backend", "v1.0.0", "staging")
    shop.deploy(look, "backend", "v1.1.0", "staging")

    assert code(look, "roll_back", "backend", "v1.2.0", "staging") == "never_live"
    assert roll_back(shop, look, "v1.0.0").outcome == "succeeded"


def test_the_log_and_the_tags_of_a_service_are_told(shop, look):
    assert len(look.log("backend", None, 5)) == 5
    assert look.log("backend", "v1.0.0", 1)[0].sha == look.tags("backend", 10)[-1].sha


def test_how_far_behind_an_environment_is(shop, look):
    assert look.behind("backend", "staging") is None
    shop.deploy(look, "backend", "v1.2.0", "staging")
    assert look.behind("backend", "staging") == 3


def test_a_live_commit_that_git_forgot_is_warned_of_and_can_be_replaced(shop, look):
    shop.deploy(look, "backend", "v1.0.0", "staging")
    place = shop.base / "staging/backend"
    old = look.repository("backend").resolve("v1.0.0").sha
    gone = "f" * 40
    (place / "releases" / old).rename(place / "releases" / gone)
    (place / "releases" / f"{old}.complete").rename(place / "releases" / f"{gone}.complete")
    (place / "current").unlink()
    (place / "current").symlink_to(f"releases/{gone}")

    plan = look.plan("deploy", "backend", "v1.1.0", "staging")

    assert "not in the repository any more" in plan.warnings[0]
    assert shop.deploy(look, "backend", "v1.1.0", "staging").outcome == "succeeded"


def test_a_plan_is_made_in_much_less_than_a_tenth_of_a_second(shop, look):
    shop.deploy(look, "backend", "v1.0.0", "staging")
    look.plan("deploy", "backend", "main", "staging")
    times = []
    for _ in range(5):
        started = time.perf_counter()
        look.plan("deploy", "backend", "main", "staging")
        times.append(time.perf_counter() - started)

    assert sorted(times)[2] < 0.1
