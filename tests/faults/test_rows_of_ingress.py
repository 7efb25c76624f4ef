"""Rows 1 to 5, 8 and 30 of the matrix: what comes in, and the wake-ups that follow it."""

import pytest
from faults.matrix import in_full
from faults.whole_company import WholeCompany

from deploybot.demo.hands import buttons_of
from deploybot.events import (
    AnswerRefused,
    ApprovalGranted,
    DeployStarted,
    DeploySucceeded,
    SlackMessageReceived,
)
from deploybot.inbound.slack_buttons import APPROVE, DENY
from deploybot.queue import QUEUES, flag_key

pytestmark = pytest.mark.slow


@pytest.mark.row(1)
@pytest.mark.parametrize("point", ["store.append.before", in_full("web.request.before")])
def test_killed_before_it_is_stored_slack_delivers_it_again_and_it_is_one_event(
    company: WholeCompany, point: str
) -> None:
    company.web.failing.arm(f"{point}:kill@1")

    thread_id = company.asks_for()
    company.until(lambda: company.web.has_died, "the web process dies")
    stored = company.kinds(thread_id)
    company.web_again()
    company.slack_delivers_again()

    assert stored == []
    assert isinstance(company.ends(thread_id), DeploySucceeded)
    assert len(company.of(thread_id, SlackMessageReceived)) == 1


@pytest.mark.row(2)
@pytest.mark.parametrize("point", ["web.answer.before", in_full("store.append.after")])
def test_killed_when_it_is_stored_the_second_delivery_is_known(
    company: WholeCompany, point: str
) -> None:
    company.web.failing.arm(f"{point}:kill@1")

    thread_id = company.asks_for()
    company.until(lambda: company.web.has_died, "the web process dies")
    stored = company.kinds(thread_id)[:1]
    company.web_again()
    company.slack_delivers_again()

    assert stored == ["slack_message_received"]
    assert isinstance(company.ends(thread_id), DeploySucceeded)
    assert len(company.of(thread_id, SlackMessageReceived)) == 1


@pytest.mark.row(3)
def test_killed_when_it_has_answered_and_the_wake_up_is_lost_the_clock_wakes_the_thread(
    company: WholeCompany,
) -> None:
    company.web.failing.arm("web.answer.after:kill@1")

    with company.wake_ups_get_lost():
        thread_id = company.asks_for()
        company.until(lambda: company.web.has_died, "the web process dies")
        stored = company.kinds(thread_id)
    company.web_again()
    company.slack_delivers_again()

    assert stored == ["slack_message_received"]
    assert isinstance(company.ends(thread_id), DeploySucceeded)


@pytest.mark.row(4)
@pytest.mark.parametrize("action", ["raise", "power", "lost"])
def test_a_wake_up_that_fails_or_is_stuck_or_lost_is_made_again(
    company: WholeCompany, action: str
) -> None:
    if action == "lost":
        with company.wake_ups_get_lost():
            thread_id = company.asks_for()
            company.until(lambda: company.kinds(thread_id), "it is stored")
    else:
        company.failing.arm(f"job.begin.before:{action}@1")
        thread_id = company.asks_for()

    assert isinstance(company.ends(thread_id), DeploySucceeded)


@pytest.mark.row(5)
def test_wake_ups_that_come_twice_or_late_change_nothing(company: WholeCompany) -> None:
    def wake_ups(thread_id: str) -> None:
        for job in ("advance", "operate", "deliver"):
            for _ in range(3):
                company.connection.delete(flag_key(job, thread_id))
                company.store.queues.wake(job, thread_id)
        company.until(
            lambda: sum(company.store.queues.depths()[name] for name in QUEUES.values()) == 0,
            "every wake-up is taken",
        )

    thread_id = company.asks_for("backend", "production")
    request = company.request_of(thread_id)
    before = company.kinds(thread_id)
    wake_ups(thread_id)
    asked = company.kinds(thread_id)
    company.clicks("ben", request, APPROVE)
    company.ends(thread_id)
    company.comes_to_rest()
    done = company.kinds(thread_id)
    wake_ups(thread_id)

    assert asked == before
    assert company.kinds(thread_id) == done
    assert len(company.of(thread_id, DeployStarted)) == 1
    twice = [n for n, m in company.messages().items() if n.startswith(thread_id) and len(m) > 1]
    assert twice == []


@pytest.mark.row(8)
@pytest.mark.parametrize("side", ["before", "after"])
def test_a_click_is_stored_before_it_is_answered_or_slack_shows_that_it_failed(
    company: WholeCompany, side: str
) -> None:
    thread_id = company.asks_for("backend", "production")
    request = company.request_of(thread_id)
    company.web.failing.arm(f"store.append.{side}:kill@1")

    lost = company.clicks("ben", request, APPROVE)
    company.until(lambda: company.web.has_died, "the web process dies")
    stored = len(company.of(thread_id, ApprovalGranted))
    company.web_again()
    if side == "before":
        assert company.clicks("ben", request, APPROVE) == 200

    assert (lost, stored) == (0, 0 if side == "before" else 1)
    assert isinstance(company.ends(thread_id), DeploySucceeded)
    assert len(company.of(thread_id, ApprovalGranted)) == 1
    assert company.begun()[request.id] == 1


@pytest.mark.row(30)
def test_a_no_that_comes_after_the_start_is_told_who_was_first_and_when(
    company: WholeCompany,
) -> None:
    hold = company.set("hold")
    thread_id = company.asks_for("backend", "production")
    request = company.request_of(thread_id)
    card = company.card_of(request)
    no = buttons_of(card)[DENY]

    company.clicks("ben", request, APPROVE)
    company.until(lambda: company.of(thread_id, DeployStarted), "it starts")
    company.hands.click_again("ann", no, card["ts"])
    company.until(lambda: company.of(thread_id, AnswerRefused), "the no is refused")
    hold.unlink()

    (refused,) = company.of(thread_id, AnswerRefused)
    (granted,) = company.of(thread_id, ApprovalGranted)
    assert f"approved by Ben at {granted.at:%H:%M} UTC" in refused.text
    assert isinstance(company.ends(thread_id), DeploySucceeded)
