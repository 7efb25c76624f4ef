from copy import deepcopy
from datetime import UTC, datetime
from functools import partial
from typing import get_args

import pytest
from shop import Shop

from deploy import policy
from deploy.catalog import Catalog
from deploy.checks import Check
from deploy.errors import ReasonCode
from deploy.locks import Hold
from deploy.plan import Plan
from deploy.reasons import REASONS
from deploy.target import Live

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
SHA, OTHER = "a" * 40, "b" * 40
LIVE = Live(sha=OTHER, release="r", since=AT, approval_id=None, verified=True)
HELD = Hold(
    service="backend",
    environment="production",
    owner="ann",
    reason="rolled back",
    at=AT,
    made_by="rollback",
)
BEN = policy.Behalf(requesters=("ben",))
HOLD = Hold(service=None, environment="production", owner="ann", reason="sale", at=AT)


@pytest.fixture(name="tables", scope="module")
def _tables(tmp_path_factory):
    return Shop(tmp_path_factory.mktemp("shop")).tables()


@pytest.fixture(name="catalog")
def _catalog(tables):
    return Catalog.model_validate(tables)


def plan(action: str = "deploy") -> Plan:
    return Plan.model_validate(
        {
            "action": action,
            "service": "backend",
            "environment": "production",
            "repository": "shop",
            "ref": "main",
            "sha": SHA,
            "previous_sha": OTHER,
            "steps": (),
            "config_hash": "c",
        }
    )


def facts(**changes) -> policy.Facts:
    return policy.Facts(
        **{"now": AT, "live": LIVE, "verified_in_sha": SHA, "behalf": BEN} | changes
    )


def test_a_plan_without_a_reason_against_it_may_run(catalog):
    assert policy.check(plan(), facts(), catalog) is None
    assert policy.check(plan("roll_back"), facts(), catalog) is None


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"on_allowed_branch": False}, "branch_not_allowed"),
        ({"live": LIVE.model_copy(update={"sha": SHA})}, "already_live"),
        ({"verified_in_sha": None}, "not_verified_in"),
        ({"verified_in_sha": OTHER}, "not_verified_in"),
        ({"holds": (HOLD,)}, "locked"),
        ({"holds": (HELD,)}, "environment_held"),
        ({"running": "Ann's deploy of b1b1b1b"}, "operation_running"),
        ({"behalf": policy.Behalf(ahead="Another request")}, "in_line"),
        ({"behalf": policy.Behalf(requesters=("ann", "ben"))}, "nobody_can_approve"),
    ],
)
def test_each_reason_against_a_deploy_has_its_code_and_says_that_nothing_ran(
    catalog, changes, code
):
    refusal = policy.check(plan(), facts(**changes), catalog)

    assert refusal is not None
    assert refusal.reason_code == code
    assert "Nothing" in refusal.message


def test_going_back_needs_no_branch_and_no_verified_staging(catalog):
    given = facts(on_allowed_branch=False, verified_in_sha=None)

    assert policy.check(plan("roll_back"), given, catalog) is None


def test_a_hold_says_whose_it_is_and_why(catalog):
    refusal = policy.check(plan(), facts(holds=(HOLD,)), catalog)

    assert refusal is not None
    assert "locked by ann: sale" in refusal.message


@pytest.mark.parametrize(
    ("service", "environment", "says"),
    [
        ("backned", "production", "No service 'backned'. Did you mean backend?"),
        ("billing", "production", "No service 'billing'. Known: backend, frontend."),
        ("backend", "prod", "No environment 'prod'."),
        ("backend", "stagin", "Did you mean staging?"),
        ("a\nb" * 99, "production", "No service 'a\\nb"),
    ],
)
def test_an_unknown_name_is_answered_with_the_known_ones(catalog, service, environment, says):
    refusal = policy.check_names(service, environment, catalog)

    assert refusal is not None
    assert says in refusal.message
    assert "Nothing was deployed." in refusal.message
    assert len(refusal.message) < 200


def test_a_service_is_deployed_only_where_it_has_a_place(tables):
    tables = deepcopy(tables)
    del tables["environments"]["production"]["services"]["frontend"]
    catalog = Catalog.model_validate(tables)

    refusal = policy.check_names("frontend", "production", catalog)

    assert refusal is not None
    assert "frontend has no place in production" in refusal.message
    assert "staging" in refusal.message


# -- rules that a configuration switches on ----------------------------------------


@pytest.fixture(name="ruled")
def _ruled(tables):
    return partial(ruled_by, tables)


def ruled_by(tables, service=None, **environment):
    """Return a catalog whose production has these rules, and no others of its own."""
    tables = deepcopy(tables)
    tables["repositories"]["shop"]["github"] = "example/shop"
    tables["environments"]["production"] |= {"verified_in": None, "allowed_branches": []}
    tables["environments"]["production"] |= environment
    tables["services"]["frontend"] |= service or {}
    return Catalog.model_validate(tables)


def refused(catalog, given=None, **changes) -> tuple[str, str]:
    refusal = policy.check(plan().model_copy(update=changes), given or facts(), catalog)
    return (refusal.reason_code, refusal.message) if refusal else ("", "")


CHECKS = {
    "passed": Check(name="build", state="success"),
    "red": Check(name="build", state="failure", link="https://ci.example/7"),
    "running": Check(name="build", state="pending"),
    "another": Check(name="lint", state="failure"),
}


@pytest.mark.parametrize(
    ("required", "found", "code"),
    [
        (["build"], ["passed"], ""),
        (["build"], ["passed", "another"], ""),
        (["build"], ["red"], "checks_failed"),
        (["build"], ["passed", "red"], "checks_failed"),
        (["build"], ["running"], "checks_pending"),
        (["build"], [], "checks_missing"),
        (["build", "test"], ["passed"], "checks_missing"),
        ("all", ["passed"], ""),
        ("all", ["passed", "another"], "checks_failed"),
        ("all", [], "checks_missing"),
    ],
)
def test_required_checks_must_all_have_passed(ruled, required, found, code):
    catalog = ruled(required_checks=required)
    checks = tuple(CHECKS[name] for name in found)

    assert refused(catalog, facts(checks=checks))[0] == code


def test_checks_that_nobody_looked_up_have_not_passed(ruled):
    catalog = ruled(required_checks=["build"])

    assert refused(catalog, facts(checks=None))[0] == "facts_unavailable"


def test_a_failed_check_is_named_with_its_page(ruled):
    catalog = ruled(required_checks=["build"])

    _, says = refused(catalog, facts(checks=(CHECKS["red"],)))

    assert "'build'" in says
    assert "https://ci.example/7" in says


def test_going_back_waits_for_no_check(ruled):
    catalog = ruled(required_checks="all")

    assert policy.check(plan("roll_back"), facts(), catalog) is None


@pytest.mark.parametrize(
    ("earlier", "coming", "code"),
    [
        ({"backend": SHA}, {}, ""),
        ({"backend": OTHER}, {}, "service_order"),
        ({"backend": None}, {}, "service_order"),
        ({}, {}, "service_order"),
        ({"backend": OTHER}, {"backend": SHA}, ""),
        ({"backend": SHA}, {"backend": OTHER}, "service_order"),
    ],
)
def test_a_service_goes_live_after_those_it_needs_at_the_same_commit(ruled, earlier, coming, code):
    catalog = ruled({"after": ["backend"]})
    given = facts(earlier=earlier, behalf=policy.Behalf(coming=coming))

    assert refused(catalog, given, service="frontend")[0] == code


def test_services_of_other_repositories_need_only_be_live(ruled):
    tables = ruled({"after": ["backend"]}).model_dump()
    tables["repositories"]["other"] = tables["repositories"]["shop"]
    tables["services"]["backend"]["repository"] = "other"
    tables["environments"] = {
        name: table | {"tests": None, "verified_in": None}
        for name, table in tables["environments"].items()
    }
    catalog = Catalog.model_validate(tables)

    assert refused(catalog, facts(earlier={"backend": OTHER}), service="frontend")[0] == ""
    assert refused(catalog, facts(), service="frontend")[0] == "service_order"


def test_too_many_commits_are_warned_of_or_refused(ruled):
    warns = ruled(max_commits=5)
    refuses = ruled(max_commits=5, over_max_commits="refuse")
    large = plan().model_copy(update={"commits_total": 6})

    assert refused(warns, commits_total=6)[0] == ""
    assert "at most 5" in next(policy.warnings(large, facts(), warns))
    assert refused(refuses, commits_total=5)[0] == ""
    assert refused(refuses, commits_total=6)[0] == "too_many_commits"


# -- freezes and locks -------------------------------------------------------------

MIDDAY = {"begins": "11:00", "ends": "14:00", "reason": "lunch"}
FROZEN = [MIDDAY, {"begins": "13:30", "ends": "15:00", "reason": "tea"}]


def test_a_freeze_refuses_and_says_when_it_opens(ruled):
    catalog = ruled(freezes=FROZEN, time_zone="Europe/Berlin")
    early = ruled(freezes=FROZEN)

    code, says = refused(catalog)

    assert code == "frozen"
    assert "until Sun 01 Mar 2026, 15:00 CET: lunch. Nothing was deployed" in says
    assert "15:00 UTC" in refused(early)[1]


def test_those_who_may_pass_a_freeze_pass_and_everybody_is_told(ruled):
    catalog = ruled(freezes=[MIDDAY | {"except_people": ["ben"]}])
    by_ann = facts(behalf=policy.Behalf(requesters=("ann",)))

    assert refused(catalog, facts())[0] == ""
    assert "this one may pass" in next(policy.warnings(plan(), facts(), catalog))
    assert refused(catalog, by_ann)[0] == "frozen"
    assert "let ben ask" in refused(catalog, by_ann)[1]


def test_a_service_may_be_left_out_of_a_freeze(ruled):
    catalog = ruled(freezes=[MIDDAY | {"except_services": ["backend"]}])

    assert refused(catalog)[0] == ""
    assert refused(catalog, service="frontend")[0] == "frozen"


def test_a_roll_back_passes_a_freeze_unless_it_says_otherwise(ruled):
    lets = ruled(freezes=[MIDDAY])
    stops = ruled(freezes=[MIDDAY | {"also_roll_backs": True}])

    assert refused(lets, action="roll_back")[0] == ""
    assert refused(stops, action="roll_back")[0] == "frozen"


@pytest.mark.parametrize(
    ("asked", "now", "code"),
    [
        ("10:50", "11:20", ""),
        ("10:50", "11:31", "frozen"),
        ("11:00", "11:20", "frozen"),
        (None, "11:20", "frozen"),
    ],
)
def test_what_was_asked_for_before_a_freeze_may_start_just_inside_it(ruled, asked, now, code):
    catalog = ruled(freezes=[MIDDAY | {"overrun_minutes": 30}])
    at = asked and AT.replace(hour=int(asked[:2]), minute=int(asked[3:]))
    given = facts(now=AT.replace(hour=11, minute=int(now[3:])), behalf=policy.Behalf(asked_at=at))

    assert refused(catalog, given)[0] == code


def test_a_lock_that_only_warns_stops_nobody_and_is_told(catalog):
    care = HOLD.model_copy(update={"warn_only": True})

    assert policy.check(plan(), facts(holds=(care,)), catalog) is None
    assert list(policy.warnings(plan(), facts(holds=(care,)), catalog)) == [
        "ann asks for care: sale."
    ]


def test_the_owner_of_a_lock_may_go_on(catalog):
    by_ann = facts(holds=(HOLD,), behalf=policy.Behalf(requesters=("ann",)))

    assert policy.check(plan(), by_ann, catalog) is None


# -- what needs no network ---------------------------------------------------------


def test_at_an_answer_names_freezes_locks_and_approvers_are_checked_without_any_other_fact(
    ruled,
):
    catalog = ruled(freezes=[MIDDAY], required_checks="all", allowed_branches=["main"])
    evening = policy.Facts(now=AT.replace(hour=20), on_allowed_branch=False)

    def standing(given, **changes) -> str:
        refusal = policy.check_standing(plan().model_copy(update=changes), given, catalog)
        return refusal.reason_code if refusal else ""

    assert standing(evening) == ""
    assert standing(policy.Facts(now=AT)) == "frozen"
    assert standing(evening.model_copy(update={"holds": (HOLD,)})) == "locked"
    assert standing(evening, service="gone") == "unknown_service"
    assert standing(evening, environment="gone") == "unknown_environment"
    both = policy.Behalf(requesters=("ann", "ben"))
    assert standing(evening.model_copy(update={"behalf": both})) == "nobody_can_approve"


# -- what must be confirmed on its own ---------------------------------------------


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"relation": "ahead"}, ""),
        ({"relation": "first", "previous_sha": None}, ""),
        ({"relation": "behind", "commits_total": 3}, "3 commits would be taken back"),
        ({"relation": "diverged"}, "does not contain what is live, bbbbbbb"),
        ({"relation": "gone"}, "that would be lost"),
        ({"relation": "behind", "action": "roll_back"}, ""),
    ],
)
def test_what_takes_back_what_is_live_must_be_confirmed(catalog, changes, says):
    found = list(policy.confirmations(plan().model_copy(update=changes), catalog))

    assert len(found) == bool(says)
    assert says in "".join(found)


def test_an_environment_may_want_every_change_confirmed(ruled):
    catalog = ruled(confirm=True)

    assert len(list(policy.confirmations(plan(), catalog))) == 1


# -- the list of reasons -----------------------------------------------------------


def test_every_reason_code_is_explained():
    assert REASONS.keys() == set(get_args(ReasonCode))
