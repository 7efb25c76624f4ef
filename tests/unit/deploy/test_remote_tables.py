"""The tables of what runs elsewhere: what they refuse, and that no two of them lead to one place."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from deploy.catalog import Catalog
from deploy.target_tables import TargetTable

TABLE: TypeAdapter[Any] = TypeAdapter(TargetTable)
GITHUB = {
    "kind": "github_actions",
    "base": "/j",
    "repository": "acme/shop",
    "workflow": "deploy.yml",
}
VERCEL = {"kind": "vercel", "base": "/j", "project": "shop"}
KUBERNETES = {
    "kind": "kubernetes",
    "base": "/j",
    "deployment": "backend",
    "container": "web",
    "image": "registry.example/backend:{sha}",
}


@pytest.mark.parametrize("table", [GITHUB, VERCEL, KUBERNETES], ids=lambda t: t["kind"])
def test_a_table_needs_little(table):
    read = TABLE.validate_python(table)

    assert read.kind == table["kind"]
    assert (read.timeout_seconds, read.silence_seconds) == (3600, 900)


@pytest.mark.parametrize(
    ("table", "change", "says"),
    [
        (GITHUB, {"repository": "shop"}, "repository"),
        (GITHUB, {"workflow": "../deploy.yml"}, "workflow"),
        (GITHUB, {"ref": "--main"}, "ref"),
        (GITHUB, {"inputs": {"sha": "x"}}, "sha is filled in by deploybot"),
        (GITHUB, {"tag": "v{version}-{n}"}, "only {date}, {n}, {service} and {environment}"),
        (GITHUB, {"tag": "{date.year}-{n}"}, "only {date}"),
        (GITHUB, {"tag": "production-{date}"}, "without {n}"),
        (VERCEL, {"project": "a/../b c"}, "project"),
        (VERCEL, {"project": "{sha}"}, "project"),
        (KUBERNETES, {"image": "registry.example/backend:latest"}, "it must hold {sha}"),
        (KUBERNETES, {"image": "r/{sha}:{sha}"}, "once"),
        (KUBERNETES, {"image": "r/{team}:{sha}"}, "only {sha}, {digest}"),
        (KUBERNETES, {"image": "r/x@{digest}"}, "set the command that prints it"),
        (KUBERNETES, {"digest": ["crane", "digest", "x"]}, "if image holds {digest}"),
        (
            KUBERNETES,
            {"image": "r/x@{digest}", "digest": ["crane", "{url}"]},
            "only {sha}, {service} and {environment}",
        ),
        (KUBERNETES, {"server": "https://c.example", "context": "c"}, "set either it"),
        (KUBERNETES, {"server": "https://me:secret@c.example"}, "server"),
        (VERCEL, {"token": "t"}, "token"),
    ],
)
def test_a_table_that_cannot_be_meant_is_refused(table, change, says):
    with pytest.raises(ValidationError) as refused:
        TABLE.validate_python(table | change)

    assert says in str(refused.value)


def catalog(target: dict[str, Any]) -> Catalog:
    place = {"automatic": True, "services": {"backend": {}}}
    return Catalog.model_validate(
        {
            "repositories": {"shop": {"path": "shop.git"}},
            "services": {"backend": {"repository": "shop", "target": target}},
            "environments": {"staging": place, "production": place},
        }
    )


@pytest.mark.parametrize("table", [VERCEL, KUBERNETES], ids=lambda t: t["kind"])
def test_two_environments_that_are_one_place_are_refused(table):
    with pytest.raises(ValidationError, match="staging and backend on production are both the"):
        catalog(table)


@pytest.mark.parametrize(
    ("table", "change"),
    [
        (VERCEL, {"project": "shop-{environment}"}),
        (KUBERNETES, {"namespace": "{environment}"}),
        (KUBERNETES, {"context": "eu-{environment}"}),
        (GITHUB, {}),
    ],
)
def test_environments_that_are_told_apart_are_fine(table, change):
    assert catalog(table | change).environments.keys() == {"staging", "production"}


def test_relative_files_are_read_from_beside_the_configuration(tmp_path):
    change = {"base": "journals", "kubeconfig": "kube/config", "context": "{environment}"}
    read = catalog(KUBERNETES | change).within(tmp_path).services["backend"].target

    assert (read.base, read.kubeconfig) == (tmp_path / "journals", tmp_path / "kube/config")
