"""The GitHub Actions target, against a GitHub that forgets to answer, hides runs and says no."""

import logging
import shutil
from datetime import timedelta

import pytest
from elsewhere_orders import A, B, Yard
from github_api.server import TOKEN, GitHubApi
from loopback_api import Answer
from target_harness import followed

from deploy.connections import Connections
from deploy.errors import DeniedError, NoAnswerError, OldFenceError, SeenApprovalError
from deploy.target import Began, Ended, NeverBegan, Outcome, Running


@pytest.fixture(name="api")
def _api():
    api = GitHubApi()
    with api.serving():
        yield api
    assert api.violations == []


@pytest.fixture(name="yard")
def _yard(api, tmp_path):
    connections = Connections(github_url=api.url, github_token=TOKEN)
    table = {"kind": "github_actions", "repository": api.repository, "workflow": api.workflow}
    return Yard(tmp_path, connections, **table)


def test_the_workflow_is_given_the_commit_the_operation_and_where_to(api, yard):
    yard.set(ref="release", inputs={"region": "eu"}, tag="{service}-{date}-{n}")
    order = yard.order(A)

    assert yard.done(order).outcome == "succeeded"

    (run,) = api.runs
    (tag,) = [name.removeprefix("refs/tags/") for name in api.refs]
    assert run.ref == "release"
    assert run.inputs == {
        "region": "eu",
        "sha": A,
        "operation": order.approval_id,
        "environment": "staging",
        "service": "backend",
        "tag": tag,
    }


@pytest.mark.parametrize("kind", ["lose", "502 after"])
@pytest.mark.parametrize("details", ["given", "none", "unknown"])
def test_a_dispatch_whose_answer_was_lost_is_found_by_its_title(api, yard, kind, details):
    api.details = details
    if details != "unknown":
        api.goes_wrong("POST", "/dispatches", kind)
    order = yard.order(A)

    found = yard.done(order)

    assert found.outcome == "succeeded"
    assert found.link == "https://github.example/acme/shop/actions/runs/" + str(api.runs[0].id)
    assert len(api.of(order.approval_id)) == 1


@pytest.mark.parametrize("kind", ["drop", "500"])
def test_a_dispatch_that_may_have_been_lost_is_looked_for_and_then_told_as_unknown(api, yard, kind):
    api.goes_wrong("POST", "/dispatches", kind)
    order = yard.order(A)

    assert isinstance(yard.begun(order), Running)
    assert isinstance(yard.target.settle(order), Running)
    yard.ahead = timedelta(seconds=121)

    assert isinstance(yard.target.settle(order), Began)
    assert isinstance(yard.target.settle(order), Began)
    assert api.runs == []
    assert api.count("POST", "/dispatches") == 1


def test_a_run_that_appears_after_it_was_given_up_is_found_all_the_same(api, yard):
    api.goes_wrong("POST", "/dispatches", "lose")
    api.hidden = 2
    order = yard.order(A)
    yard.begun(order)
    yard.ahead = timedelta(seconds=121)

    assert isinstance(yard.target.settle(order), Began)

    found = followed(yard.target, order)
    assert isinstance(found, Ended)
    assert found.outcome == "succeeded"


def test_a_dispatch_that_is_refused_fails_with_the_reason_and_launches_nothing(api, yard):
    yard.set(workflow="gone.yml")
    order = yard.order(A)

    outcome = yard.begun(order)

    assert isinstance(outcome, Outcome)
    assert (outcome.outcome, outcome.step) == ("failed", "dispatch")
    assert outcome.error == (
        "GitHub refused to start gone.yml (404): Not Found. Nothing was launched."
    )
    assert isinstance(yard.target.settle(order), Ended)
    assert api.runs == []


@pytest.mark.parametrize("kind", ["429", "403 rate"])
def test_a_dispatch_waits_as_long_as_github_asks_and_is_then_made_once(api, yard, kind):
    api.goes_wrong("POST", "/dispatches", kind)
    order = yard.order(A)

    assert yard.done(order).outcome == "succeeded"

    assert api.count("POST", "/dispatches") == 2
    assert len(api.runs) == 1


def test_what_cannot_be_asked_does_not_begin(yard, tmp_path):
    order = yard.order(A)
    away = Yard(tmp_path, Connections(github_url="http://127.0.0.1:9"), **yard.table)

    with pytest.raises(DeniedError, match="GitHub cannot be reached, so it was not asked"):
        away.begun(order)

    assert yard.target.probe(order.approval_id) == NeverBegan()


def test_a_wrong_token_is_said_and_nothing_begins(api, tmp_path, yard):
    connections = Connections(github_url=api.url, github_token="ghp_other")
    wrong = Yard(tmp_path, connections, **yard.table)

    with pytest.raises(DeniedError, match=r"refused to list the deployments \(401\)") as refused:
        wrong.target.current()

    assert "ghp_other" not in str(refused.value)


def test_while_github_is_down_the_run_counts_as_running(api, yard):
    api.takes = 3
    order = yard.order(A)
    running = yard.begun(order)
    api.goes_wrong("GET", "/actions", "500", times=3)
    api.goes_wrong("GET", "/actions", "drop", times=2)

    looks = [yard.target.settle(order) for _ in range(5)]

    assert isinstance(running, Running)
    assert all(isinstance(look, Running) and look.link == running.link for look in looks)
    assert followed(yard.target, order).outcome == "succeeded"


def test_when_github_asks_to_wait_the_next_look_waits(api, yard):
    api.takes = 5
    order = yard.order(A)
    yard.begun(order)
    api.goes_wrong("GET", "/actions", "429")

    look = yard.target.settle(order)

    assert isinstance(look, Running)
    assert look.look_again_seconds == 1


@pytest.mark.parametrize(("minutes", "again"), [(0, 5), (1, 5), (4, 12), (40, 60)])
def test_what_has_run_for_long_is_looked_at_less_often(api, yard, minutes, again):
    yard.set(look_again_seconds=5)
    api.takes = 1000
    order = yard.order(A)
    yard.begun(order)
    yard.ahead = timedelta(minutes=minutes)

    look = yard.target.settle(order)

    assert look.look_again_seconds == pytest.approx(again, abs=1)


def test_the_step_that_runs_is_told_with_a_link(api, yard):
    api.takes = 4
    order = yard.order(A)
    yard.begun(order)

    looks = [yard.target.settle(order) for _ in range(2)]

    assert [look.step for look in looks] == ["deploy / Roll out"] * 2
    assert {look.link for look in looks} == {looks[0].link}


def test_a_run_of_another_order_is_not_taken_for_ours(api, yard):
    api.details = "none"
    one, ten = yard.order(A), yard.order(A, approval_id="approval-10")
    api.ends_as = "failure"
    yard.done(ten)
    api.ends_as = "success"

    assert yard.done(one.model_copy(update={"fence": 7})).outcome == "succeeded"


def test_a_stop_asked_before_the_run_appears_reaches_it_when_it_does(api, yard):
    api.hidden, api.takes, api.details = 2, 1000, "none"
    order = yard.order(A)
    yard.begun(order)

    yard.target.cancel(order)
    found = followed(yard.target, order)

    assert isinstance(found, Ended)
    assert found.outcome == "failed"
    assert found.error == "a person stopped it; the run was cancelled on GitHub"
    assert api.runs[0].conclusion == "cancelled"


def test_a_stop_that_was_not_heard_is_asked_again(api, yard):
    api.takes = 1000
    order = yard.order(A)
    yard.begun(order)
    api.goes_wrong("POST", "/cancel", "drop")

    yard.target.cancel(order)
    found = followed(yard.target, order)

    assert isinstance(found, Ended)
    assert api.count("POST", "/cancel") == 2


def test_what_does_not_stop_in_its_time_is_told_as_unknown(api, yard):
    api.takes = 1000
    order = yard.order(A)
    yard.begun(order)
    api.goes_wrong("POST", "/cancel", "500", times=1000)

    yard.target.cancel(order)
    first = yard.target.settle(order)
    yard.ahead = timedelta(seconds=121)

    assert isinstance(first, Running)
    assert isinstance(yard.target.settle(order), Began)


def test_a_run_that_was_cancelled_on_github_has_failed(api, yard):
    api.ends_as = "cancelled"

    found = yard.done(yard.order(A))

    assert (found.outcome, found.error) == ("failed", "the run was cancelled on GitHub")


def test_each_deployment_is_told_how_it_went(api, yard):
    yard.done(yard.order(A))
    api.ends_as = "failure"
    yard.done(yard.order(B))

    told = [[s["state"] for s in api.statuses[made["id"]]] for made in api.deployments]
    assert told == [["in_progress", "success"], ["in_progress", "failure"]]
    assert yard.target.current().sha == A


def test_a_status_that_was_not_heard_is_told_again_before_the_end_is_recorded(api, yard):
    order = yard.order(A)
    yard.begun(order)
    api.goes_wrong("POST", "/statuses", "drop")

    first = yard.target.settle(order)
    found = followed(yard.target, order)

    assert isinstance(first, Running)
    assert isinstance(found, Ended)
    assert [s["state"] for s in api.statuses[api.deployments[0]["id"]]][-1] == "success"


def test_a_lost_journal_makes_no_approval_good_again_and_hides_nothing_that_is_live(api, yard):
    order = yard.order(A)
    yard.done(order)
    shutil.rmtree(yard.folder / "journals")

    live = yard.target.current()
    again = order.plan.model_copy(update={"previous_sha": A})

    assert (live.sha, live.approval_id) == (A, order.approval_id)
    with pytest.raises(SeenApprovalError):
        yard.begun(order.model_copy(update={"fence": 99, "plan": again}))
    with pytest.raises(OldFenceError):
        yard.begun(order.model_copy(update={"approval_id": "other", "plan": again}))
    assert len(api.runs) == 1


def test_without_deployments_the_runs_bear_witness(api, yard):
    yard.set(deployments=False)
    order = yard.order(A)
    yard.done(order)
    shutil.rmtree(yard.folder / "journals")

    with pytest.raises(SeenApprovalError):
        yard.begun(order)

    assert api.deployments == []
    assert len(api.runs) == 1


def test_tags_of_a_day_are_numbered_on(api, yard):
    yard.set(tag="backend-{date}.{n}")

    for sha in (A, B):
        yard.done(yard.order(sha))

    names = [name.removeprefix(f"refs/tags/backend-{yard.clock():%Y-%m-%d}") for name in api.refs]
    assert names == [".1", ".2"]
    assert [api.tags[sha]["object"] for sha in api.refs.values()] == [A, B]


@pytest.mark.parametrize(("kind", "outcome"), [("lose", "succeeded"), ("drop", "failed")])
def test_a_tag_whose_answer_was_lost_is_looked_up_not_made_again(api, yard, kind, outcome):
    yard.set(tag="{date}-{n}")
    api.goes_wrong("POST", "/git/refs", kind)

    assert yard.done(yard.order(A)).outcome == outcome

    assert len(api.refs) == (kind == "lose")
    assert len(api.runs) == (kind == "lose")


def test_a_deployment_that_may_not_have_been_recorded_fails_before_anything_runs(api, yard):
    api.goes_wrong("POST", "/deployments", "500")

    outcome = yard.begun(yard.order(A))

    assert (outcome.outcome, outcome.step) == ("failed", "record")
    assert outcome.error.endswith("Nothing was launched.")
    assert api.runs == []


def test_the_token_is_in_nothing_that_is_kept_or_said(api, yard, caplog):
    caplog.set_level(logging.DEBUG)
    api.ends_as = "failure"
    order = yard.order(A)

    found = yard.done(order)

    kept = (yard.folder / "journals/staging/backend/journal.jsonl").read_text()
    assert TOKEN not in kept + caplog.text + found.model_dump_json() + repr(yard.connections)
    assert caplog.records


@pytest.mark.parametrize("body", [b"<html>a proxy's page</html>", {"a": {"url": 1}}, [1], {}])
def test_an_answer_that_is_no_answer_of_github_is_told_as_none(yard, api, body):
    api.answer = lambda _: Answer(200, body)

    with pytest.raises(NoAnswerError):
        yard.target.current()
