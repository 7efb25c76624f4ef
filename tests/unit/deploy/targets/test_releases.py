import pytest
from shop import Shop, free, now, quick, unheard

from deploy.errors import RefusedError
from deploy.look import Look
from deploy.run import run
from deploy.targets import target_of


@pytest.fixture(name="shop")
def _shop(tmp_path):
    return Shop(tmp_path)


def steps_of(catalog, action: str = "deploy", sha: str = "a" * 40):
    return target_of(catalog, "backend", "staging", now).planned_steps(action, sha)


def test_the_steps_say_what_they_would_run(shop):
    catalog = quick(
        shop,
        build=[["make", "{sha}"], ["make", "-C", "{release}", "{service}-{environment}"]],
        start=["serve", "{port}"],
        activate=["reload", "{sha}"],
    )

    steps = steps_of(catalog)
    release = f"{shop.base}/staging/backend/releases/{'a' * 40}"

    assert [(step.name, step.argv) for step in steps] == [
        ("export", None),
        ("build-1", ("make", "a" * 40)),
        ("build-2", ("make", "-C", release, "backend-staging")),
        ("check", ("serve", "{port}")),
        ("switch", None),
        ("activate", ("reload", "a" * 40)),
    ]


def test_a_way_back_that_still_stands_is_not_built_again(shop):
    catalog = quick(shop)
    look = Look(catalog, clock=now)
    shop.deploy(look, "backend", "v1.0.0", "staging")
    sha = look.repository("backend").resolve("v1.0.0").sha

    back = steps_of(catalog, "roll_back", sha)

    assert [step.name for step in back] == ["switch"]
    assert "built before and still whole" in back[0].says
    assert [step.name for step in steps_of(catalog, "roll_back")] == ["export", "build", "switch"]
    assert steps_of(catalog, "deploy", sha)[0].name == "export"


def test_what_is_live_is_told_with_when_and_by_which_approval(shop):
    look = Look(quick(shop), clock=now)
    shop.deploy(look, "backend", "v1.0.0", "staging")

    live = look.live("backend", "staging")

    assert live is not None
    assert live.approval_id == "approval-1"
    assert live.since <= now()
    assert not live.verified


def test_a_release_that_no_journal_knows_is_live_all_the_same(shop):
    catalog = quick(shop)
    look = Look(catalog, clock=now)
    shop.deploy(look, "backend", "v1.0.0", "staging")
    (shop.base / "staging/backend/journal.jsonl").unlink()

    live = look.live("backend", "staging")

    assert live is not None
    assert live.approval_id is None


def test_only_what_is_live_can_be_verified(shop):
    look = Look(quick(shop), clock=now)
    shop.deploy(look, "backend", "v1.0.0", "staging")
    target = look.target("backend", "staging")

    assert not target.verify("a" * 40)
    assert target.verify(look.repository("backend").resolve("v1.0.0").sha)
    live = look.live("backend", "staging")
    assert live is not None
    assert live.verified


def changed_meanwhile(shop, change) -> str:
    catalog = quick(shop)
    look = Look(catalog, clock=now)
    shop.deploy(look, "backend", "v1.0.0", "staging")
    order = shop.order(look.plan("deploy", "backend", "v1.1.0", "staging"))
    catalog = change(catalog, look) or catalog
    target = target_of(catalog, "backend", "staging", now)
    before = [record.model_dump() for record in target.records()]

    with pytest.raises(RefusedError) as error:
        run(target, order, guard=free, progress=unheard)

    assert error.value.reason_code == "plan_changed"
    assert [record.model_dump() for record in target.records()] == before
    return str(error.value)


def test_a_plan_does_not_run_under_another_configuration(shop):
    text = changed_meanwhile(shop, lambda *_: quick(shop, build=[["touch", "other"]]))

    assert "configuration has changed" in text


def test_a_plan_does_not_run_over_another_release_than_it_showed(shop):
    catalog = quick(shop)
    look = Look(catalog, clock=now)
    shop.deploy(look, "backend", "v1.0.0", "staging")
    late = look.plan("deploy", "backend", "v1.1.0", "staging")
    shop.deploy(look, "backend", "v1.2.0", "staging")

    with pytest.raises(RefusedError, match="another release went live"):
        run(look.target("backend", "staging"), shop.order(late), guard=free, progress=unheard)


def test_a_plan_for_one_place_does_not_run_in_another(shop):
    tables = shop.tables()
    look = Look(type(quick(shop)).model_validate(tables), clock=now)
    plan = look.plan("deploy", "backend", "v1.0.0", "staging")

    with pytest.raises(RefusedError, match="for another place"):
        run(look.target("frontend", "staging"), shop.order(plan), guard=free, progress=unheard)


def test_old_releases_are_removed_and_the_way_back_is_kept(shop):
    look = Look(quick(shop, keep_releases=2), clock=now)
    target = look.target("backend", "staging")
    shas = {}
    for ref in ("v1.0.0", "v1.1.0", "v1.1.1", "v1.2.0", "v1.2.1"):
        shop.deploy(look, "backend", ref, "staging")
        shas[ref] = look.repository("backend").resolve(ref).sha
        if ref == "v1.0.0":
            assert target.verify(shas[ref])

    releases = {p.name for p in (shop.base / "staging/backend/releases").iterdir() if p.is_dir()}

    assert releases == {shas["v1.0.0"], shas["v1.2.0"], shas["v1.2.1"]}
    assert look.last_verified("backend", "staging") == shas["v1.0.0"]
