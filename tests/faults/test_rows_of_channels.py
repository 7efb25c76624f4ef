"""Rows 24 to 28 and 37 of the matrix: Slack, the model and the mail server fail in their own ways."""

import json

import pytest
from faults.matrix import in_full
from faults.whole_company import WholeCompany
from model_server import Reply, completion

from deploybot.demo.workspace.faults import Fault
from deploybot.events import DeployStarted, DeploySucceeded, StepChosen
from deploybot.queue import due_key

pytestmark = pytest.mark.slow


def _slack(company: WholeCompany, *faults: Fault) -> None:
    for fault in faults:
        company.workspace.workspace.faults.add(fault)


@pytest.mark.row(24)
def test_slack_asks_for_fewer_calls_and_everything_is_told_late_and_in_order(
    company: WholeCompany,
) -> None:
    _slack(company, Fault(method="chat.postMessage", kind="ratelimit", seconds=0.5, count=3))

    thread_id = company.asks_for()
    company.ends(thread_id)
    company.comes_to_rest()

    shown = [m for n, m in company.messages().items() if n.startswith(thread_id)]
    assert company.workspace.workspace.faults.waiting() == []
    assert all(len(messages) == 1 for messages in shown)
    times = [float(m[0]["ts"]) for m in shown]
    assert times == sorted(times)


@pytest.mark.row(25)
@pytest.mark.parametrize("fault", ["status", "drop_before"])
def test_a_failing_slack_is_tried_again(company: WholeCompany, fault: str) -> None:
    _slack(company, Fault(method="chat.postMessage", kind=fault, count=2))

    thread_id = company.asks_for()

    assert isinstance(company.ends(thread_id), DeploySucceeded)
    company.until_told(thread_id, "live")


@pytest.mark.row(25)
@pytest.mark.parametrize("error", ["channel_not_found", in_full("token_revoked")])
def test_what_slack_refuses_for_good_is_told_by_mail_and_nobody_can_approve_it(
    company: WholeCompany, error: str
) -> None:
    company.forget_alarms()
    mails = len(company.sink.mails)
    _slack(company, Fault(kind="error", error=error, count=10_000))

    thread_id = company.asks_for("backend", "production")
    company.until(lambda: company.open_request(thread_id), "people are asked")
    company.until(lambda: f"({error})" in company.mailed(mails), "those who may approve are told")
    request = company.open_request(thread_id)
    shown = company.messages()
    company.workspace.workspace.faults.clear()

    assert request is not None
    assert f"{thread_id}/card:{request.id}" not in shown
    assert company.of(thread_id, DeployStarted) == []
    company.connection.zadd(due_key("deliver"), {thread_id: 0})
    company.card_of(request, patience=150.0)


@pytest.mark.row(26)
def test_a_message_that_slack_took_unsaid_is_not_posted_twice(company: WholeCompany) -> None:
    _slack(company, Fault(method="chat.postMessage", kind="drop_after"))
    company.failing.arm("slack.post.after:drop@2,slack.post.after:kill@4")

    thread_id = company.asks_for("backend", "production")
    request = company.request_of(thread_id)

    assert len(company.messages()[f"{thread_id}/card:{request.id}"]) == 1
    company.comes_to_rest()
    mine = {n: len(m) for n, m in company.messages().items() if n.startswith(thread_id)}
    assert set(mine.values()) == {1}, mine


@pytest.mark.row(27)
@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(Reply({}, status=500), id="500"),
        pytest.param(
            Reply({}, status=429, headers={"Retry-After": "60"}), id="429", marks=pytest.mark.long
        ),
        pytest.param(Reply(b"", hang=True), id="hangs"),
        pytest.param(Reply(b"x" * 2_000_000), id="garbage", marks=pytest.mark.long),
    ],
)
def test_without_the_model_rules_choose_and_it_is_said_why(
    company: WholeCompany, reply: Reply
) -> None:
    company.model_says = lambda _: reply

    thread_id = company.says("ann", "what is live, please, and where?")
    plain = company.asks_for()
    company.until_told(thread_id, "Live now")

    chosen = [step for step in company.of(thread_id, StepChosen) if step.model == "offline"]
    assert "gpt-5-mini" in chosen[0].note
    assert isinstance(company.ends(plain), DeploySucceeded)


@pytest.mark.row(28)
@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(completion("Sure! I have deployed it."), id="prose"),
        pytest.param(completion('{"step": {"intent": "deploy_ba', finish="length"), id="cut"),
        pytest.param(
            completion(None, refusal="I cannot do that."), id="refusal", marks=pytest.mark.long
        ),
        pytest.param(
            completion(json.dumps({"step": {"intent": "drop_table", "name": "x"}})), id="unknown"
        ),
        pytest.param(
            completion(
                json.dumps(
                    {
                        "step": {
                            "intent": "deploy_backend",
                            "ref": "v1.0.0",
                            "environment": "moon",
                            "reason": "x",
                            "approved": True,
                        }
                    }
                )
            ),
            id="extra",
        ),
    ],
)
def test_what_is_no_step_runs_nothing(company: WholeCompany, reply: Reply) -> None:
    company.model_says = lambda _: reply
    asked = len(company.model.requests)

    thread_id = company.says("ann", "do what you think best with the moon, please")
    company.until(
        lambda: company.thread(thread_id).status in ("awaiting_input", "done"), "it comes to rest"
    )
    company.until(lambda: company.told(thread_id), "people are told")

    assert company.of(thread_id, DeployStarted) == []
    assert 1 <= len(company.model.requests) - asked <= 6


@pytest.mark.row(37)
def test_a_mail_server_that_refuses_now_is_tried_again_and_slack_tells_all_the_same(
    company: WholeCompany,
) -> None:
    mails = len(company.sink.mails)
    company.sink.answers["ben@harbour.test"] = "450 later"

    thread_id = company.asks_for("backend", "production")
    company.request_of(thread_id)
    refused = company.mailed(mails)
    company.sink.answers.clear()
    company.until(
        lambda: (
            company.connection.zadd(due_key("deliver"), {thread_id: 0}) is not None
            and "production" in company.mailed(mails)
        ),
        "the mail is sent",
    )

    assert refused == ""


@pytest.mark.row(37)
def test_a_mail_that_is_refused_for_good_holds_nothing_up(company: WholeCompany) -> None:
    company.sink.answers["ben@harbour.test"] = "550 no such person"

    thread_id = company.approved()

    assert isinstance(company.ends(thread_id), DeploySucceeded)
    company.until_told(thread_id, "live")
