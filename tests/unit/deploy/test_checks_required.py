"""Required checks, from the configuration over GitHub's API to a plan or a refusal."""

from collections.abc import Iterator
from typing import Any

import pytest
from github_api.server import TOKEN, GitHubApi
from shop import Shop, now, quick

from deploy.catalog import Catalog
from deploy.connections import Connections
from deploy.errors import RefusedError
from deploy.look import Look

RUN = {"name": "build", "head_sha": "", "html_url": "https://ci.example/7", "status": "completed"}


@pytest.fixture(name="api")
def _api() -> Iterator[GitHubApi]:
    api = GitHubApi()
    with api.serving():
        yield api
    assert api.violations == []


@pytest.fixture(name="look")
def _look(api, tmp_path) -> Look:
    shop = Shop(tmp_path)
    tables = quick(shop).model_dump()
    tables["repositories"]["shop"]["github"] = "acme/shop"
    tables["environments"]["staging"]["required_checks"] = ["build"]
    connections = Connections(github_url=api.url, github_token=TOKEN)
    return Look(Catalog.model_validate(tables), clock=now, connections=connections)


def outcome(look: Look) -> str:
    try:
        plan = look.plan("deploy", "backend", "main", "staging")
    except RefusedError as error:
        return error.reason_code
    return ", ".join(f"{check.name} {check.state} {check.link}" for check in plan.required)


def ran(look: Look, api: GitHubApi, **run: Any) -> None:
    """Let the check of what would be deployed stand so."""
    sha = look.repository("backend").resolve("main").sha
    api.checks[sha] = [RUN | {"id": 7, "head_sha": sha, "check_suite": {"id": 5}} | run]


def test_a_commit_that_nobody_checked_is_refused(look):
    assert outcome(look) == "checks_missing"


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        ({"conclusion": "success"}, "build success https://ci.example/7"),
        ({"conclusion": "skipped"}, "build success https://ci.example/7"),
        ({"conclusion": "failure"}, "checks_failed"),
        ({"conclusion": "timed_out"}, "checks_failed"),
        ({"status": "in_progress", "conclusion": None}, "checks_pending"),
    ],
)
def test_a_check_counts_as_github_tells_it(look, api, run, expected):
    ran(look, api, **run)

    assert outcome(look) == expected


@pytest.mark.parametrize("kind", ["500", "429", "drop"])
def test_while_github_does_not_answer_nothing_is_deployed(look, api, kind):
    ran(look, api, conclusion="success")
    api.goes_wrong("GET", "check-runs", kind)

    assert outcome(look) == "facts_unavailable"
    assert outcome(look) == "build success https://ci.example/7"
