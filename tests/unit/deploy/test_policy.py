from datetime import UTC, datetime

import pytest
from shop import Shop

from deploy import policy
from deploy.locks import Hold
from deploy.plan import Plan
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


@pytest.fixture(name="catalog")
def _catalog(tmp_path):
    return Shop(tmp_path).catalog()


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


def test_a_service_is_deployed_only_where_it_has_a_place(tmp_path):
    shop = Shop(tmp_path / "other")
    tables = shop.tables()
    del tables["environments"]["production"]["services"]["frontend"]
    catalog = type(shop.catalog()).model_validate(tables)

    refusal = policy.check_names("frontend", "production", catalog)

    assert refusal is not None
    assert "frontend has no place in production" in refusal.message
    assert "staging" in refusal.message
