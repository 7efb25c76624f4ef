"""One person alone in an emergency: from Slack, a page, the API and a terminal, and never by mail; all are told."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from everywhere import Everywhere, everywhere, shown
from fakes import catalog

from deploybot.events import AnswerRefused, ApprovalGranted
from deploybot.next_step import Deploy, DoneForNow
from deploybot.thread import Status

DEPLOY = Deploy(service="backend", ref="main", environment="production", reason="It was asked for.")
REASON = "the shop sells nothing"


@pytest.fixture
def office(redis_url: str, tmp_path: Path) -> Iterator[Everywhere]:
    table = catalog(
        approve_by_mail=True,
        quorum=2,
        break_glass=["ann", "mia"],
        fresh_sign_in=False,
    )
    with everywhere(redis_url, tmp_path, table) as opened:
        opened.story.model_will(DEPLOY, DoneForNow(message="It is live."))
        opened.says("ann", "deploy backend to production")
        yield opened


def broken(office: Everywhere, channel: str) -> None:
    """Hold that Ann alone let it start, and that everybody was told why and asked to review it."""
    events = office.thread().events
    (granted,) = (event for event in events if isinstance(event, ApprovalGranted))
    assert (granted.by, granted.channel, granted.break_glass) == ("ann", channel, REASON)
    assert [event.kind for event in events].count("deploy_started") == 1
    loud = shown(office.message("broke the glass to"))
    assert REASON in loud
    assert '"user_id": "U0BEN"' in loud
    assert "Please review" in shown(office.message("Please review"))
    assert REASON in shown(office.card())
    assert office.mail("mia", "broke the glass")
    assert office.mail("mia", "Please review")


def test_in_slack_a_dialog_asks_why_and_says_what_is_skipped(office: Everywhere) -> None:
    office.clicks("ann", "break_glass", office.card())
    view = office.workspace.workspace.views.stacks["U0ANN"][-1]
    assert "skips the other approvals and freezes, and nothing else" in str(view)

    silent = office.fills("ann", words="  ")
    assert silent["outcome"] in {"errors", "invalid"}
    assert office.thread().status is Status.AWAITING_APPROVAL
    assert office.fills("ann", words=REASON)["outcome"] == "closed"
    office.works()

    broken(office, "slack")


def test_in_slack_whoever_may_not_gets_no_dialog_and_is_told_why(office: Everywhere) -> None:
    office.clicks("ben", "break_glass", office.card())

    assert not office.workspace.workspace.views.stacks.get("U0BEN")
    assert "You may not break the glass for production" in office.whispers()[-1]
    assert office.thread().status is Status.AWAITING_APPROVAL


def test_on_the_page_it_takes_a_reason_and_only_who_may_sees_the_form(office: Everywhere) -> None:
    page = f"/threads/{office.thread().id}"
    ann, ben = office.browser("ann"), office.browser("ben")
    assert "Emergency: break the glass" not in ben.get(page).text

    silent = ann.sends(page, f"{page}/decision", answer="break_glass", comment=" ")
    assert silent.status_code == 422
    sent = ann.sends(page, f"{page}/decision", answer="break_glass", comment=REASON)
    office.works()

    assert sent.status_code == 303
    shown_after = ann.get(page).text
    assert "broke the glass, and approved alone on a page" in shown_after
    assert REASON in shown_after
    broken(office, "page")


def test_over_the_api_the_reason_goes_with_the_decision(office: Everywhere) -> None:
    thread = office.thread()
    request = office.call("ann", "GET", f"/api/threads/{thread.id}")["request"]
    decision = {"request": request["id"], "digest": request["digest"], "approved": True}

    office.call("ann", "POST", f"/api/threads/{thread.id}/decision", **decision, break_glass=REASON)

    broken(office, "api")


def test_at_a_terminal_the_reason_is_an_option(office: Everywhere) -> None:
    thread = office.thread()
    request = thread.standing.request
    assert request is not None
    command = ["approve", thread.id, "--digest", request.digest, "--yes", "--break-glass", REASON]
    environ = {"PATH": "/usr/bin:/bin", "DEPLOYBOT_URL": office.url}
    environ |= {"DEPLOYBOT_TOKEN": "the-token-of-ann"}

    ran = subprocess.run(
        [sys.executable, "-m", "deploybot", *command],
        env=environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    office.works()

    assert ran.returncode == 0, ran.stderr
    broken(office, "api")


def test_no_mail_breaks_the_glass(office: Everywhere) -> None:
    card = office.mail("mia", "asks for your approval")

    office.replies("mia", card, f"approve, break the glass: {REASON}")

    events = office.thread().events
    assert not any(isinstance(one, ApprovalGranted) and one.break_glass for one in events)
    assert "deploy_started" not in [event.kind for event in events]


def test_a_stranger_to_the_glass_is_refused_on_record_over_the_api(office: Everywhere) -> None:
    request = office.thread().standing.request
    assert request is not None
    answer = office.browser("ben")
    page = f"/threads/{request.thread}"

    sent = answer.sends(page, f"{page}/decision", answer="break_glass", comment=REASON)

    assert sent.status_code == 403
    refused = office.thread().events[-1]
    assert isinstance(refused, AnswerRefused)
    assert refused.reason_code == "break_glass_refused"
