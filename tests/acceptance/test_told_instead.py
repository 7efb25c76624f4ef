"""Slack refuses the bot, or is silent for minutes: those who must act are told by mail, and can act."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from everywhere import Everywhere, everywhere

from deploybot.demo.workspace import Fault
from deploybot.errors import DeliveryError
from deploybot.fallback import PATIENCE
from deploybot.next_step import Deploy, DoneForNow

BACKEND = Deploy(service="backend", ref="main", environment="production", reason="It is tested.")


@pytest.fixture
def office(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Everywhere]:
    with everywhere(redis_url, tmp_path_factory.mktemp("told")) as opened:
        yield opened


def fails(office: Everywhere, kind: Any, **more: Any) -> None:
    """Let Slack take no message from now on."""
    for method in ("chat.postMessage", "chat.update"):
        fault = Fault(method=method, kind=kind, count=1000, **more)
        office.workspace.workspace.faults.add(fault)


def asked(office: Everywhere) -> None:
    """Let Eve ask over the API, and the bot propose; nobody is told yet."""
    office.story.model_will(BACKEND, DoneForNow(message="The backend is live."))
    office.story.person_says("deploy the backend to production", by="eve")


def delivers(office: Everywhere) -> None:
    """Tell people, as the deliveries do; what a channel does not take is tried again later."""
    with pytest.raises(DeliveryError):
        office.bot.deliver(office.story.thread_id)


@pytest.mark.parametrize("error", ["token_revoked", "missing_scope", "is_archived"])
def test_whom_slack_cannot_reach_gets_the_card_by_mail_and_approves_there(
    office: Everywhere, error: str
) -> None:
    fails(office, "error", error=error)
    asked(office)

    delivers(office)

    assert office.mails("ann", "Deploy backend to production")
    assert office.mails("ben", "Deploy backend to production")
    assert office.mails("eve", "Deploy backend to production") == []
    office.story.approves(by="ben")
    delivers(office)
    assert office.story.deployer.ran
    assert office.mails("ann", "is live")


def test_a_slack_that_only_fails_is_waited_for_and_then_mail_stands_in(office: Everywhere) -> None:
    fails(office, "status", status=503)
    asked(office)

    delivers(office)
    before = office.mails("ben", "Deploy backend")
    office.story.clock.time += PATIENCE + timedelta(seconds=1)
    delivers(office)

    assert before == []
    assert len(office.mails("ben", "Deploy backend")) == 1


def test_a_slack_that_works_again_is_told_everything(office: Everywhere) -> None:
    fails(office, "error", error="token_revoked")
    asked(office)
    delivers(office)

    office.workspace.workspace.faults.clear()
    office.bot.deliver(office.story.thread_id)

    assert "Deploy backend to production" in office.card().text
    assert len(office.mails("ben", "Deploy backend")) == 1
