from pathlib import Path

import pytest
from pydantic import ValidationError
from shop import Shop

from deploy.catalog import Catalog


@pytest.fixture(name="shop")
def _shop(tmp_path):
    return Shop(tmp_path)


def refused(tables) -> str:
    with pytest.raises(ValidationError) as error:
        Catalog.model_validate(tables)
    return str(error.value)


def test_a_sound_configuration_is_taken(shop):
    catalog = shop.catalog()

    assert sorted(catalog.environments) == ["production", "staging"]
    assert catalog.environments["production"].expires_seconds == 1800


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"quorum": 3}, "quorum is 3 and only 2 may approve"),
        ({"approvers": ["ann"]}, "nobody could approve"),
        ({"approvers": []}, "nobody may approve"),
        ({"quorum": 2}, "nobody could approve"),
        ({"approvers": ["ann", "ann"]}, "named twice"),
    ],
    ids=["quorum too high", "one without self-approval", "none", "two of two", "twice"],
)
def test_a_policy_that_nobody_can_meet_is_refused_with_the_reason(shop, change, says):
    tables = shop.tables()
    tables["environments"]["production"] |= change

    assert says in refused(tables)


def test_one_approver_suffices_where_people_may_approve_what_they_asked_for(shop):
    tables = shop.tables()
    tables["environments"]["production"] |= {"approvers": ["ann"], "requester_may_approve": True}

    assert Catalog.model_validate(tables).environments["production"].approvers == ("ann",)


@pytest.mark.parametrize("word", ["user", "sha.__class__", "sha!r", "sha:>99", "0", ""])
def test_an_unknown_placeholder_is_refused_by_name(shop, word):
    tables = shop.tables()
    tables["services"]["backend"]["target"]["build"] = [["make", f"{{{word}}}"]]

    assert f"unknown placeholder {{{word.split(':')[0].split('!')[0]}}}" in refused(tables)


@pytest.mark.parametrize(
    "name", ["API", "-api", "api_1", "a/b", "", "a" * 64, "api\n", "../api", "api;id", "{sha}"]
)
def test_a_name_that_could_mean_something_else_is_refused(shop, name):
    tables = shop.tables()
    tables["services"][name] = tables["services"]["backend"]

    assert "services" in refused(tables)


@pytest.mark.parametrize("path", ["/etc", "..", "a/../b", "a//b", "-x", "a:b", "./a"])
def test_a_folder_outside_the_repository_is_refused(shop, path):
    tables = shop.tables()
    tables["services"]["backend"]["path"] = path

    assert "services.backend.path" in refused(tables)


@pytest.mark.parametrize(
    "url",
    [
        "ext::sh -c id",
        "http://host/x",
        "https://user:secret@host/x",
        "ssh://-oProxyCommand=id/x",
        "/tmp/x",
    ],
)
def test_a_repository_address_that_could_run_or_leak_something_is_refused(shop, url):
    tables = shop.tables()
    tables["repositories"]["shop"]["url"] = url

    assert "repositories.shop.url" in refused(tables)


def test_a_misspelt_setting_is_refused(shop):
    tables = shop.tables()
    tables["environments"]["staging"]["aproval"] = True

    assert "aproval" in refused(tables)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"verified_in": "canary"}, "no environment 'canary'"),
        ({"order": 0}, "must come earlier"),
        ({"services": {"worker": {}}}, "no service 'worker'"),
    ],
    ids=["unknown", "later", "unknown service"],
)
def test_environments_must_fit_together(shop, change, says):
    tables = shop.tables()
    tables["environments"]["production"] |= change

    assert says in refused(tables)


def test_waiting_for_an_environment_that_verifies_nothing_is_refused(shop):
    tables = shop.tables()
    tables["environments"]["staging"]["tests"] = None

    assert "nothing would ever be verified" in refused(tables)


@pytest.mark.parametrize(
    ("after", "says"),
    [
        ({"backend": ["billing"]}, "no service 'billing'"),
        ({"backend": ["backend"]}, "come after itself"),
        ({"backend": ["frontend"], "frontend": ["backend"]}, "come after itself"),
    ],
    ids=["unknown", "itself", "a circle"],
)
def test_an_order_that_cannot_be_kept_is_refused(shop, after, says):
    tables = shop.tables()
    for service, names in after.items():
        tables["services"][service]["after"] = names

    assert says in refused(tables)


def test_checks_can_be_required_only_of_a_repository_that_github_knows(shop):
    tables = shop.tables()
    tables["environments"]["production"]["required_checks"] = ["build"]

    assert "owner/name in repositories.shop.github" in refused(tables)
    tables["repositories"]["shop"]["url"] = "https://git.example.com/example/shop.git"
    assert Catalog.model_validate(tables).repositories["shop"].github_name == "example/shop"


def test_a_freeze_is_read_in_the_time_zone_of_its_environment(shop):
    tables = shop.tables()
    weekend = {"begins": "fri 15:00", "ends": "mon 08:00", "reason": "rest"}
    place = tables["environments"]["production"]
    place["time_zone"] = "Europe/Berlin"
    place["freezes"] = [weekend, weekend | {"time_zone": "UTC"}]

    freezes = Catalog.model_validate(tables).environments["production"].freezes

    assert [freeze.time_zone for freeze in freezes] == ["Europe/Berlin", "UTC"]
    place["freezes"] = [weekend | {"except_services": ["billing"]}]
    assert "no service 'billing' there" in refused(tables)


def test_rules_that_are_asked_again_before_a_start_make_no_open_request_stale(shop):
    before = shop.catalog().config_hash("backend", "production")
    tables = shop.tables()
    tables["services"]["backend"]["risky"] = ["**/migrations/**"]
    tables["environments"]["production"] |= {
        "freezes": [{"begins": "18:00", "ends": "08:00", "reason": "nights"}],
        "max_commits": 5,
        "over_max_commits": "refuse",
    }

    assert Catalog.model_validate(tables).config_hash("backend", "production") == before
    tables["environments"]["production"]["confirm"] = True
    assert Catalog.model_validate(tables).config_hash("backend", "production") != before


def test_the_hash_changes_with_everything_that_decides_and_with_nothing_else(shop):
    before = shop.catalog().config_hash("backend", "production")

    def after(change) -> str:
        tables = shop.tables()
        change(tables)
        return Catalog.model_validate(tables).config_hash("backend", "production")

    def build(tables):
        tables["services"]["backend"]["target"]["build"].append(["make"])

    def people(tables):
        tables["environments"]["production"]["approvers"].append("eve")

    def port(tables):
        tables["environments"]["production"]["services"]["backend"]["port"] = 80

    def elsewhere(tables):
        tables["environments"]["staging"]["order"] = -5
        tables["environments"]["production"]["services"]["frontend"]["port"] = 80
        tables["environments"]["production"]["tests_timeout_seconds"] = 5

    assert len({before, after(build), after(people), after(port)}) == 4
    assert after(elsewhere) == before


def test_relative_paths_are_read_from_where_the_configuration_is(shop):
    tables = shop.tables()
    tables["repositories"]["shop"]["path"] = "shop.git"
    tables["services"]["backend"]["target"]["base"] = "releases"

    catalog = Catalog.model_validate(tables).within(Path("/srv/bot"))

    assert catalog.repositories["shop"].path == Path("/srv/bot/shop.git")
    assert catalog.services["backend"].target.base == Path("/srv/bot/releases")
