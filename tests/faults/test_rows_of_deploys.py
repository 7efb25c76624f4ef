"""Rows 18, 19, 35 and 40 of the matrix: steps and ways back that fail, crashes, and settings that change."""

import pytest
from faults.lean_company import token_of
from faults.whole_company import WholeCompany

from deploybot.events import (
    ApprovalRequested,
    ApprovalSuperseded,
    DeployFailed,
    DeployStarted,
    DeploySucceeded,
    Escalated,
)
from deploybot.inbound.slack_buttons import APPROVE

pytestmark = pytest.mark.slow


@pytest.mark.row(18)
def test_a_step_that_fails_is_told_with_its_code_and_its_last_lines_and_without_secrets(
    company: WholeCompany,
) -> None:
    live = company.live("production", "backend")
    company.set("broken")

    thread_id = company.approved()
    end = company.ends(thread_id)

    assert isinstance(end, DeployFailed)
    told = company.until_told(thread_id, "Deploy failed at build", "exit code 3", "no such file")
    assert token_of("ann") not in told
    assert company.live("production", "backend") == live == (end.live or "")


@pytest.mark.row(19)
def test_a_way_back_that_fails_is_told_and_nothing_is_tried_again(company: WholeCompany) -> None:
    if not company.live("production", "backend"):
        company.ends(company.approved())
    live = company.live("production", "backend")
    company.set("deaf")
    before = company.effects()

    thread_id = company.approved()
    end = company.ends(thread_id)

    assert isinstance(end, DeployFailed)
    assert end.step == "activate"
    company.until_told(
        thread_id,
        f"{live[:7]}, is live again, but the service could not be told",
        "is held: only a roll back goes there",
    )
    assert company.effects() == before + 1
    assert len(company.of(thread_id, DeployStarted)) == 1
    assert company.live("production", "backend") == live

    company.says("ann", "deploy backend v1.1.0 to production")
    company.until(lambda: "backend on production is held by deploybot" in company.channel(), "no")
    company.says("ann", "unlock backend on production")
    company.until(lambda: not company.store.holds(), "an approver frees it")
    (company.folder / "deaf").unlink()
    assert isinstance(company.ends(company.approved()), DeploySucceeded)


@pytest.mark.row(35)
def test_a_thread_that_crashes_whoever_works_on_it_is_parked_and_goes_on_with_the_next_word(
    company: WholeCompany,
) -> None:
    company.failing.arm("model.call.before:raise")

    thread_id = company.says("ann", "what is live, please, and where?")
    company.until(lambda: company.of(thread_id, Escalated), "the thread is parked")
    told = company.until_told(thread_id, "crashed 3 times", "Write here")
    company.until(
        lambda: f"Thread {thread_id} crashed" in company.channel(), "those who run it hear"
    )
    crashes = company.failing.visits().counts["model.call.before"]
    company.failing.arm()
    company.replies("ann", thread_id, "try again, please: what is live?")
    company.until_told(thread_id, "Live now")

    assert "Nothing was deployed" in told
    assert crashes >= 3


@pytest.mark.row(40)
def test_what_is_configured_anew_before_the_start_is_shown_anew(company: WholeCompany) -> None:
    config = company.folder / "deploybot.toml"
    text = config.read_text()
    thread_id = company.asks_for("backend", "production")
    request = company.request_of(thread_id)

    try:
        config.write_text(text.replace("touch built", "touch built-otherwise"))
        company.renew_workers()
        company.clicks("ben", request, APPROVE)
        company.until(lambda: company.of(thread_id, ApprovalSuperseded), "the card is taken back")
        company.until(lambda: len(company.of(thread_id, ApprovalRequested)) == 2, "asked anew")
    finally:
        config.write_text(text)
        company.renew_workers()

    (superseded,) = company.of(thread_id, ApprovalSuperseded)
    assert any("build" in change or "steps" in change for change in superseded.changes)
    company.until_told(thread_id, "What you saw has changed")
    assert company.of(thread_id, DeployStarted) == []
