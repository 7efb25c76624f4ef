"""One from each group, over Slack and by mail: the company's own processes, and one deploy."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis_server import wait_until

from deploybot.bootstrap import now
from deploybot.demo import configuration
from deploybot.demo.company import Company
from deploybot.demo.hands import Hands, buttons_of

pytestmark = pytest.mark.slow

RULE = {
    "approvers": [],
    "one_from_each": ["leads", "security"],
    "approve_by_mail": True,
    "allowed_branches": ["main"],
}
GROUPS = {"leads": {"people": ["ann", "eve"]}, "security": {"people": ["ben", "eve"]}}
SECONDS = 90.0


@pytest.fixture
def company(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Company]:
    monkeypatch.setitem(configuration.RULES, "production", RULE)
    tables = configuration.catalog_tables
    grouped = lambda *given: tables(*given) | {"groups": GROUPS}  # noqa: E731
    # the demo has no groups, and its company writes its own file
    monkeypatch.setattr(configuration, "catalog_tables", grouped)
    with Company(tmp_path / "company", now=now) as running:
        yield running


def test_approvals_over_slack_and_by_mail_of_one_from_each_group_start_one_deploy(
    company: Company,
) -> None:
    hands = Hands(company.access)
    sha = company.repository.merge_good(now())
    hands.say("eve", "@deploybot deploy backend main to production")
    wait_until(hands.threads, seconds=SECONDS)
    (thread,) = hands.threads()
    wait_until(lambda: hands.thread(thread)["request"], seconds=SECONDS)
    request = hands.thread(thread)["request"]["id"]
    wait_until(lambda: hands.card(request), seconds=SECONDS)
    wait_until(lambda: mails_to(hands, "ben"), seconds=SECONDS)

    hands.click("ann", card(hands, request)["ts"], "approve")

    wait_until(lambda: hands.events(thread, "approval_granted"), seconds=SECONDS)
    assert hands.thread(thread)["status"] == "awaiting_approval"
    missing = "Still missing: security"
    wait_until(lambda: missing in hands.read(card(hands, request)), seconds=SECONDS)

    # Ben answers twice at the same moment: his mail and his click.
    (mail,) = mails_to(hands, "ben")
    button = buttons_of(card(hands, request))["approve"]
    ts = str(card(hands, request)["ts"])
    both = [
        threading.Thread(target=hands.reply_mail, args=("ben", mail["id"], "approve")),
        threading.Thread(target=hands.click_again, args=("ben", button, ts)),
    ]
    for one in both:
        one.start()
    for one in both:
        one.join()

    wait_until(lambda: hands.events(thread, "deploy_succeeded"), seconds=SECONDS)
    wait_until(lambda: hands.thread(thread)["status"] == "done", seconds=SECONDS)
    assert [one["by"] for one in hands.events(thread, "approval_granted")] == ["ann", "ben"]
    assert len(hands.events(thread, "deploy_started")) == 1
    assert hands.live("production", "backend") == sha
    granted = hands.events(thread, "approval_granted")
    assert [one["groups"] for one in granted] == [["leads"], ["security"]]


def card(hands: Hands, request: str) -> dict:
    found = hands.card(request)
    assert found is not None
    return found


def mails_to(hands: Hands, person: str) -> list:
    return [mail for mail in hands.mails() if person in str(mail["to"])]
