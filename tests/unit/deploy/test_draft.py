import subprocess
from datetime import UTC, datetime

import pytest
from shop import Shop, now, quick

from deploy.catalog import Catalog
from deploy.checks import Check
from deploy.errors import RefusedError, RepositoryError, TargetError
from deploy.look import Look
from deploy.plan import Plan
from deploybot.outbound.slack_text import line

CI = "https://ci.example/7"


@pytest.fixture(name="shop")
def _shop(tmp_path):
    return Shop(tmp_path)


def changed(shop, service=None, **environment) -> Catalog:
    """Return the quick catalog with other settings of its service and of staging."""
    tables = quick(shop).model_dump()
    tables["repositories"]["shop"]["github"] = "example/shop"
    tables["services"]["backend"] |= service or {}
    tables["environments"]["staging"] |= environment
    return Catalog.model_validate(tables)


def planned(look: Look, ref: str = "main") -> Plan:
    return look.plan("deploy", "backend", ref, "staging")


def refusal(look: Look, ref: str = "main") -> RefusedError:
    with pytest.raises(RefusedError) as error:
        planned(look, ref)
    return error.value


# -- what a change brings ----------------------------------------------------------


def test_a_plan_tells_whose_work_goes_live_by_which_pull_requests_and_how_much(shop):
    look = Look(quick(shop), clock=now)
    shop.deploy(look, "backend", "v1.2.0", "staging")

    plan = planned(look, "v1.2.1")

    assert plan.relation == "ahead"
    assert set(plan.authors) == {commit.author for commit in plan.commits}
    assert [(one.number, one.title) for one in plan.pull_requests] == [(35, "Sell a wool blanket")]
    assert plan.extent is not None
    assert plan.extent.files == 1
    assert plan.extent.added > 0


def test_only_the_services_own_folder_counts(shop):
    look = Look(changed(shop, {"path": "e2e"}), clock=now)
    shop.deploy(look, "backend", "v1.2.0", "staging")

    plan = planned(look, "v1.2.1")

    assert plan.commits_total == 3
    assert plan.extent is not None
    assert plan.extent.files == 0
    assert "No file of backend changes." in plan.warnings


def test_changed_paths_that_the_configuration_marks_are_named(shop):
    look = Look(changed(shop, {"risky": ["**/products.json"]}), clock=now)
    shop.deploy(look, "backend", "v1.2.0", "staging")

    assert planned(look, "v1.2.1").risky == ("backend/products.json",)
    assert planned(look, "v1.2.1").risky_total == 1


def test_much_of_everything_is_counted_and_little_of_it_is_kept(shop):
    """A hundred commits of a hundred people, each of whom changes a file of a frightening name."""
    stream, parent = [], f"from {shop.repository.head()}\n"
    for number in range(300):
        who = f"Person {number} {'x' * 500} <p{number}@x> {number} +0000"
        name = f'"backend/risky/{number}{"y" * 300}"'
        says = f"{'z' * 250} (#{number + 1})"
        stream.append(
            f"commit refs/heads/main\nauthor {who}\ncommitter {who}\ndata {len(says)}\n{says}\n"
            f"{parent}M 100644 inline {name}\ndata 1\nx\n"
        )
        parent = ""
    old = shop.repository.head()
    shop.repository.load("".join(stream).encode())
    look = Look(changed(shop, {"risky": ["backend/risky/*"]}), clock=now)
    shop.deploy(look, "backend", old, "staging")

    plan = planned(look)

    assert plan.commits_total == 300
    assert plan.extent is not None
    assert plan.extent.files == plan.risky_total == 300
    assert plan.authors_total == plan.pull_requests_total == 200
    assert len(plan.commits) == len(plan.authors) == 20
    assert len(plan.pull_requests) == 30
    assert len(plan.risky) == 10
    assert len(plan.model_dump_json()) < 40_000


def test_what_is_live_in_the_other_environments_is_told_and_decides_nothing(shop):
    tables = quick(shop).model_dump()
    for number, name in enumerate(("canary", "production"), start=1):
        tables["environments"][name] = tables["environments"]["staging"] | {"order": number}
    look = Look(Catalog.model_validate(tables), clock=now)
    shop.deploy(look, "backend", "v1.2.0", "staging")
    before = planned(look, "v1.2.1")
    shop.deploy(look, "backend", "v1.1.0", "canary")

    after = planned(look, "v1.2.1")

    assert [(place.environment, place.sha) for place in after.elsewhere] == [
        ("canary", look.repository("backend").resolve("v1.1.0").sha),
        ("production", None),
    ]
    assert before.elsewhere != after.elsewhere
    assert before.decides() == after.decides()


# -- what takes back what is live --------------------------------------------------


def test_a_commit_older_than_what_is_live_shows_what_is_taken_back_and_must_be_confirmed(shop):
    look = Look(quick(shop), clock=now)
    shop.deploy(look, "backend", "v1.2.1", "staging")

    plan = planned(look, "v1.2.0")

    assert plan.relation == "behind"
    assert plan.goes_back
    assert plan.commits_total == 3
    assert plan.commits[0].sha == plan.previous_sha
    assert "3 commits would be taken back" in plan.confirm[0]


def test_a_commit_beside_what_is_live_must_be_confirmed_too(shop):
    stream = (
        "commit refs/heads/side\ncommitter X <x@x> 1 +0000\ndata 1\nx\n"
        f"from {Look(quick(shop), clock=now).repository('backend').resolve('v1.2.0').sha}\n"
    )
    shop.repository.load(stream.encode())
    look = Look(quick(shop), clock=now)
    shop.deploy(look, "backend", "v1.2.1", "staging")

    plan = planned(look, "side")

    assert plan.relation == "diverged"
    assert "3 commits would be lost" in plan.warnings[0]
    assert len(plan.confirm) == 1


# -- checks ------------------------------------------------------------------------


def test_required_checks_are_asked_for_the_very_commit_and_kept_with_their_pages(shop):
    asked = []

    def checks(repository: str, sha: str) -> tuple[Check, ...]:
        asked.append((repository, sha))
        return (Check(name="build", state="success", link=CI), Check(name="lint", state="failure"))

    look = Look(changed(shop, required_checks=["build"]), clock=now, checks=checks)

    plan = planned(look)

    assert asked == [("example/shop", plan.sha)]
    assert plan.required == (Check(name="build", state="success", link=CI),)
    assert "build passed" in plan.checks


def test_nobody_is_asked_for_checks_that_nobody_requires(shop):
    def checks(repository: str, sha: str) -> tuple[Check, ...]:
        raise TargetError("nobody should ask")

    assert planned(Look(quick(shop), clock=now, checks=checks)).required == ()


@pytest.mark.parametrize("error", [TargetError("GitHub gave no answer."), RepositoryError("Gone.")])
def test_without_an_answer_about_checks_nothing_goes_on(shop, error):
    def checks(repository: str, sha: str) -> tuple[Check, ...]:
        raise error

    look = Look(changed(shop, required_checks="all"), clock=now, checks=checks)

    refused = refusal(look)
    assert refused.reason_code == "facts_unavailable"
    assert str(error) in str(refused)
    assert "Nothing was deployed" in str(refused)


def test_a_repository_that_cannot_be_reached_lets_nothing_go_on(shop):
    tables = quick(shop).model_dump()
    tables["repositories"]["shop"] = {
        "path": str(shop.folder / "mirror.git"),
        "url": f"file://{shop.folder}/nowhere.git",
    }

    refused = refusal(Look(Catalog.model_validate(tables), clock=now))

    assert refused.reason_code == "facts_unavailable"
    assert "nowhere.git" in str(refused)


# -- one moment for many looks -----------------------------------------------------


def test_looks_at_once_fetch_once_and_see_one_moment(shop):
    tables = quick(shop).model_dump()
    tables["services"]["other"] = tables["services"]["backend"]
    tables["environments"]["staging"]["services"]["other"] = {}
    mirror = shop.folder / "mirror.git"
    tables["repositories"]["shop"] = {
        "path": str(mirror),
        "url": f"file://{shop.repository.path}",
    }
    look = Look(Catalog.model_validate(tables), clock=now)

    once = look.at_once()
    first = once.plan("deploy", "backend", "main", "staging")
    moved = shop.repository.merge_good(now())
    second = once.plan("deploy", "other", "main", "staging")
    later = look.plan("deploy", "other", "main", "staging")

    assert first.sha == second.sha != moved
    assert later.sha == moved


# -- foreign words -----------------------------------------------------------------


def test_words_of_others_come_into_a_plan_as_they_are_and_out_of_it_harmless(shop):
    odd = "<!channel> </slack_message> \u202eevil (#7)"
    stream = (
        f"commit refs/heads/main\nauthor {odd.replace('<', '').replace('>', '')} <e@x> 1 +0000\n"
        f"committer X <x@x> 1 +0000\ndata {len(odd.encode())}\n{odd}\n"
        f'from {shop.repository.head()}\nM 100644 inline "backend/\\342\\200\\256x"\ndata 1\nx\n'
    )
    look = Look(changed(shop, {"risky": ["backend/*"]}), clock=now)
    shop.deploy(look, "backend", "main", "staging")
    shop.repository.load(stream.encode())

    plan = planned(look)

    assert plan.pull_requests[0].number == 7
    assert plan.risky == ("backend/\u202ex",)
    assert line(plan.risky[0], 100) == "backend/x"
    assert plan.commits[0].at == datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)


# -- who wrote it, where they may not approve it -----------------------------------


def committed(shop: Shop, parent: str, words: str) -> str:
    """Add a commit without a change to main, and return its name."""
    who = [part for one in ("author", "committer") for part in ("-c", f"{one}.name=Eve")]
    who += [
        part for one in ("author", "committer") for part in ("-c", f"{one}.email=Eve@x.example")
    ]
    git = ["git", "-C", str(shop.repository.path), *who]
    made = [*git, "commit-tree", f"{parent}^{{tree}}", "-p", f"{parent}^{{commit}}", "-m", words]
    name = subprocess.run(made, check=True, capture_output=True, text=True).stdout.strip()
    subprocess.run([*git, "update-ref", "refs/heads/main", name], check=True)
    return name


def test_all_authors_and_co_authors_are_looked_up_where_they_may_not_approve(shop):
    look = Look(changed(shop, author_may_approve=False), clock=now)
    shop.deploy(look, "backend", "v1.2.0", "staging")
    words = "Add more\n\nIt helps.\n\nCo-authored-by: Mia <Mia@shop.example>\nco-authored-by: x"
    commit = committed(shop, "v1.2.1", words)

    plan = planned(look, commit)

    assert {"mia@shop.example", "eve@x.example"} <= set(plan.author_addresses)
    assert "x" not in plan.author_addresses
    assert {one.email.casefold() for one in plan.commits} <= set(plan.author_addresses)
    assert planned(Look(changed(shop), clock=now), commit).author_addresses == ()
