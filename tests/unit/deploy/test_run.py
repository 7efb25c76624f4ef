import pytest
from shop import PYTHON, Shop, free, now, quick, unheard

from deploy.catalog import Catalog
from deploy.errors import CancelledError, SeenApprovalError
from deploy.look import Look
from deploy.run import run, run_tests
from deploy.target import Ended, LogLine, NeverBegan


@pytest.fixture(name="shop")
def _shop(tmp_path):
    return Shop(tmp_path)


def with_tests(shop, *argv: str, **settings: object) -> Catalog:
    tables = quick(shop).model_dump()
    tables["environments"]["staging"] |= {"tests": argv, **settings}
    return Catalog.model_validate(tables)


def outcome_of_tests(catalog, guard=free, progress=unheard):
    return run_tests(catalog, "staging", clock=now, guard=guard, progress=progress)


def test_an_order_runs_and_its_outcome_can_be_asked_for_later(shop):
    look = Look(quick(shop), clock=now)
    order = shop.order(look.plan("deploy", "backend", "v1.0.0", "staging"))
    target = look.target("backend", "staging")

    before = target.probe(order.approval_id)
    outcome = run(target, order, guard=free, progress=unheard)
    after = target.probe(order.approval_id)

    assert before == NeverBegan()
    assert outcome.outcome == "succeeded"
    assert after == Ended(outcome="succeeded", sha=order.plan.sha, live_sha=order.plan.sha)


def test_an_order_never_runs_twice(shop):
    look = Look(quick(shop, build=[["sh", "-c", "echo x >> ../../../../../count"]]), clock=now)
    order = shop.order(look.plan("deploy", "backend", "v1.0.0", "staging"))
    target = look.target("backend", "staging")
    run(target, order, guard=free, progress=unheard)

    for fence in (order.fence, order.fence + 5):
        again = order.model_copy(update={"fence": fence})
        with pytest.raises(SeenApprovalError):
            run(target, again, guard=free, progress=unheard)

    assert (shop.folder / "count").read_text() == "x\n"


def test_a_guard_that_says_no_at_once_uses_nothing_up(shop):
    look = Look(quick(shop), clock=now)
    order = shop.order(look.plan("deploy", "backend", "v1.0.0", "staging"))
    target = look.target("backend", "staging")

    def stop() -> None:
        raise CancelledError("stopped by ann: not today")

    outcome = run(target, order, guard=stop, progress=unheard)

    assert (outcome.outcome, outcome.error) == ("failed", "stopped by ann: not today")
    assert target.probe(order.approval_id) == NeverBegan()


def test_tests_that_pass_verify_what_is_live(shop):
    catalog = with_tests(shop, "true")
    look = Look(catalog, clock=now)
    shop.deploy(look, "backend", "v1.0.0", "staging")

    report = outcome_of_tests(catalog)
    live = look.live("backend", "staging")

    assert live is not None
    assert live.verified
    assert report.passed
    assert report.summary == "all passed"
    assert report.verified == {"backend": live.sha}


def test_tests_that_fail_verify_nothing_and_say_why(shop):
    script = "echo trying; echo 'AssertionError: 2 != 3'; echo 'FAILED (failures=1)'; exit 1"
    catalog = with_tests(shop, "sh", "-c", script)
    look = Look(catalog, clock=now)
    shop.deploy(look, "backend", "v1.0.0", "staging")

    report = outcome_of_tests(catalog)
    live = look.live("backend", "staging")

    assert live is not None
    assert not live.verified
    assert not report.passed
    assert report.exit_code == 1
    assert report.summary == "AssertionError: 2 != 3"
    assert report.verified == {}


def test_tests_are_those_of_the_commit_that_is_live_and_know_where_to_look(shop):
    catalog = with_tests(shop, "sh", "-c", "env; ls; grep cents backend/products.json")
    tables = catalog.model_dump()
    tables["environments"]["staging"]["services"]["backend"]["url"] = "http://127.0.0.1:9"
    lines: list[str] = []
    look = Look(catalog, clock=now)
    shop.deploy(look, "backend", "v1.0.0", "staging")

    run_tests(
        Catalog.model_validate(tables),
        "staging",
        clock=now,
        guard=free,
        progress=lambda p: lines.append(p.text) if isinstance(p, LogLine) else None,
    )

    assert "BACKEND_URL=http://127.0.0.1:9" in lines
    assert "ENVIRONMENT=staging" in lines
    assert "e2e" in lines
    assert not any("blanket" in line for line in lines)


def test_tests_out_of_time_are_ended(shop):
    catalog = with_tests(shop, "sleep", "60", tests_timeout_seconds=0.3)
    shop.deploy(Look(catalog, clock=now), "backend", "v1.0.0", "staging")

    report = outcome_of_tests(catalog)

    assert not report.passed
    assert report.summary == "they took longer than 0.3 s and were ended"


@pytest.mark.parametrize(
    ("argv", "settings", "says"),
    [
        ((), {"tests": None}, "no tests are configured"),
        (("no-such-program",), {}, "they could not be started"),
        (("true",), {"tests_path": "nowhere"}, "they could not be started"),
    ],
    ids=["none", "no program", "no folder"],
)
def test_tests_that_cannot_run_do_not_pass(shop, argv, settings, says):
    catalog = with_tests(shop, *argv, **settings)
    shop.deploy(Look(catalog, clock=now), "backend", "v1.0.0", "staging")

    report = outcome_of_tests(catalog)

    assert not report.passed
    assert report.summary.startswith(says)


def test_tests_of_an_empty_environment_do_not_pass(shop):
    assert outcome_of_tests(with_tests(shop, "true")).summary == "nothing is live on staging"


def test_a_guard_ends_the_tests(shop):
    catalog = with_tests(shop, "sleep", "60")
    shop.deploy(Look(catalog, clock=now), "backend", "v1.0.0", "staging")
    asked: list[int] = []

    def guard() -> None:
        asked.append(1)
        if len(asked) > 3:
            raise CancelledError("no")

    with pytest.raises(CancelledError):
        outcome_of_tests(catalog, guard=guard)


def test_a_release_that_went_live_during_the_tests_is_not_verified_by_them(shop):
    catalog = with_tests(shop, "sleep", "0.6")
    look = Look(catalog, clock=now)
    shop.deploy(look, "backend", "v1.0.0", "staging")
    asked: list[int] = []

    def guard() -> None:
        asked.append(1)
        if len(asked) == 3:
            shop.deploy(look, "backend", "v1.1.0", "staging")

    report = outcome_of_tests(catalog, guard=guard)
    live = look.live("backend", "staging")

    assert report.passed
    assert report.verified == {}
    assert live is not None
    assert not live.verified


@pytest.mark.timeout(60)
def test_the_shop_goes_live_is_tested_breaks_and_goes_back(shop):
    catalog = shop.catalog()
    look = Look(catalog, clock=now)
    ask = {"clock": now, "guard": free, "progress": unheard}
    with shop.hosts("staging", "production"):
        for environment in ("staging", "production"):
            for service in ("backend", "frontend"):
                assert shop.deploy(look, service, "v1.2.1", environment).outcome == "succeeded"
            assert run_tests(catalog, environment, **ask).passed
        broken = shop.repository.merge_broken(now())
        for environment in ("staging", "production"):
            for service in ("backend", "frontend"):
                assert shop.deploy(look, service, broken, environment).outcome == "succeeded"
            report = run_tests(catalog, environment, **ask)
            assert report.passed is (environment == "staging")
        assert "no surcharge" in report.summary
        plan = look.plan("roll_back", "backend", None, "production")
        target = look.target("backend", "production")
        run(target, shop.order(plan), guard=free, progress=unheard)

        assert run_tests(catalog, "production", **ask).passed

    assert plan.sha == look.repository("backend").resolve("v1.2.1").sha
    assert PYTHON in plan.steps[0].argv
