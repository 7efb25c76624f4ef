"""What is asked of GitHub beside deploys: checks, and the ends of logs."""

import pytest
from github_api.server import TOKEN, GitHubApi
from loopback_api import Answer

from deploy.answers import busy
from deploy.checks import Check
from deploy.connections import Connections
from deploy.errors import BusyError, DeniedError, NoAnswerError
from deploy.github import GitHub

SHA = "a" * 40


@pytest.fixture(name="api")
def _api():
    api = GitHubApi()
    with api.serving():
        yield api
    assert api.violations == []


@pytest.fixture(name="github")
def _github(api):
    return GitHub(Connections(github_url=api.url, github_token=TOKEN))


def run(name: str, state: str, conclusion: str | None) -> dict[str, object]:
    told = {"id": 1, "name": name, "status": state, "conclusion": conclusion}
    return {**told, "html_url": "https://x", "check_suite": {"id": 5}}


def status(name: str, state: str) -> dict[str, object]:
    return {"context": name, "state": state, "target_url": "https://y"}


def test_check_runs_and_statuses_are_told_alike(api, github):
    api.checks[SHA] = [
        run("build", "completed", "success"),
        run("lint", "completed", "skipped"),
        run("e2e", "in_progress", None),
        run("scan", "completed", "action_required"),
        run("late", "completed", "timed_out"),
    ]
    api.commit_statuses[SHA] = [status("ci/old", "error"), status("ci/new", "pending")]

    checks = github.checks("acme/shop", SHA)

    assert [(check.name, check.state) for check in checks] == [
        ("build", "success"),
        ("lint", "success"),
        ("e2e", "pending"),
        ("scan", "failure"),
        ("late", "failure"),
        ("ci/old", "failure"),
        ("ci/new", "pending"),
    ]
    assert checks[0] == Check(name="build", state="success", link="https://x")


def test_a_commit_without_checks_has_none(github):
    assert github.checks("acme/shop", SHA) == ()


def test_checks_that_cannot_be_had_are_no_checks_that_passed(api, github):
    api.goes_wrong("GET", "/check-runs", "500")
    with pytest.raises(NoAnswerError):
        github.checks("acme/shop", SHA)

    api.goes_wrong("GET", "/status", "429")
    with pytest.raises(BusyError) as asked:
        github.checks("acme/shop", SHA)
    assert asked.value.retry_after == 1

    with pytest.raises(DeniedError, match="404"):
        github.checks("acme/other", SHA)


def test_the_end_of_a_log_is_read_where_github_points_and_the_token_stays_here(api, github):
    lines = b"".join(b"line %d\n" % number for number in range(5000))
    answer = api.answer
    api.answer = lambda asked: (
        Answer(200, lines) if asked.path.startswith("/blob/") else answer(asked)
    )

    tail = github.log_tail(f"{api.url}/repos/acme/shop/actions/jobs/7/logs", 3)

    assert tail == (b"line 4997", b"line 4998", b"line 4999")
    (asked,) = [one for one in api.asked if one.path.startswith("/blob/")]
    assert "authorization" not in asked.headers


def test_a_log_that_is_gone_is_said(api, github):
    answer = api.answer
    api.answer = lambda asked: (
        Answer(410, {"message": "Gone"}) if asked.path.endswith("/logs") else answer(asked)
    )

    with pytest.raises(DeniedError, match="gave no log"):
        github.log_tail(f"{api.url}/repos/acme/shop/actions/jobs/7/logs", 3)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "30"}, 30),
        ({"x-ratelimit-reset": "1790000100", "date": "Mon, 21 Sep 2026 14:13:20 GMT"}, 100),
        ({"x-ratelimit-reset": "5", "date": "Mon, 21 Sep 2026 14:13:20 GMT"}, 1),
        ({"x-ratelimit-reset": "1790000100"}, 60),
        ({"retry-after": "tomorrow"}, 60),
        ({}, 60),
    ],
)
def test_how_long_to_wait_is_told_by_the_others_clock(headers, seconds):
    assert busy("GitHub", "list", headers).retry_after == seconds
