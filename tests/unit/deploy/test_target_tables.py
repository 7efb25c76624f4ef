from pathlib import Path

import pytest
from pydantic import ValidationError
from shop import Shop, quick

from deploy.catalog import Catalog
from deploy.target_tables import AnyTarget, CommandTable, ReleasesTable, place_in_file

DOCUMENT = (Path(__file__).parents[3] / "docs/targets.md").read_text(encoding="utf-8")


def catalog(tmp_path, *, url: str | None = None, **target: object) -> Catalog:
    tmp_path.mkdir(exist_ok=True)
    tables = quick(Shop(tmp_path)).model_dump()
    tables["services"]["backend"]["target"] = {"base": "b", **target}
    tables["environments"]["staging"]["services"]["backend"]["url"] = url
    return Catalog.model_validate(tables)


@pytest.mark.parametrize("table", [AnyTarget, ReleasesTable, CommandTable])
def test_every_setting_of_a_target_is_in_the_document(table):
    missing = [name for name in table.model_fields if f"`{name}`" not in DOCUMENT]

    assert missing in ([], ["kind"])


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ({"kind": "releases", "build": [["x", "{operation}"]]}, "kind command"),
        ({"kind": "command", "deploy": ["x", "{release}"]}, "kind releases"),
        ({"kind": "command", "deploy": ["x"], "current": ["y", "{sha}"]}, "current: only"),
        ({"kind": "command", "deploy": ["x"], "probe": ["y", "{previous_sha}"]}, "probe: "),
        ({"kind": "command", "deploy": ["x", "{secret}"]}, "unknown placeholder {secret}"),
        ({"kind": "command", "deploy": []}, "at least 1 item"),
        ({"kind": "command"}, "Field required"),
        ({"kind": "command", "deploy": ["x"], "variables": {"a b": "c"}}, "pattern"),
        ({"kind": "command", "deploy": ["x"], "timeout_seconds": 0}, "greater than 0"),
        ({"kind": 7}, "say which kind"),
        ({}, "say which kind"),
    ],
)
def test_a_table_that_makes_no_sense_is_refused_with_the_reason(tmp_path, target, says):
    with pytest.raises(ValidationError) as refused:
        catalog(tmp_path, **target)

    assert says in str(refused.value)


def test_an_address_that_a_command_needs_has_to_be_there(tmp_path):
    command = {"kind": "command", "deploy": ["x", "{url}"]}

    with pytest.raises(ValidationError, match=r"its target needs \{url\}, so set url"):
        catalog(tmp_path / "without", **command)
    assert catalog(tmp_path / "with", **command, url="http://127.0.0.1:1").services


def test_folders_are_those_beside_the_configuration(tmp_path):
    found = catalog(tmp_path, kind="command", deploy=["x"], directory="scripts")
    table = found.within(Path("/srv/bot")).services["backend"].target

    assert isinstance(table, CommandTable)
    assert (table.base, table.directory) == (Path("/srv/bot/b"), Path("/srv/bot/scripts"))


def test_a_mistake_is_placed_where_it_stands_in_the_file():
    assert place_in_file(("services", "backend", "target", "releases", "build", 0)) == (
        "services.backend.target.build.0"
    )
    assert place_in_file(("services", "backend", "target")) == "services.backend.target"
