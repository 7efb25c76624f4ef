"""Nobody approves: those asked are called again, the next people are asked by mail, and one of them approves by replying."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from everywhere import Everywhere, everywhere, shown
from fakes import catalog
from redis_server import running_server

from deploybot.events import ApprovalGranted
from deploybot.next_step import Deploy, DoneForNow
from deploybot.thread import Status

DEPLOY = Deploy(service="backend", ref="main", environment="production", reason="It was asked for.")


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Everywhere]:
    table = catalog(
        approve_by_mail=True,
        approvers=["ann", "ben"],
        quiet=["ann"],
        remind_after_seconds=60,
        escalate_to=["mia"],
        escalate_after_seconds=150,
    )
    with running_server() as redis_url, everywhere(redis_url, tmp_path, table) as opened:
        yield opened


def passes(office: Everywhere, seconds: float) -> None:
    """Let time pass, and the clock look at the thread; once more changes nothing."""
    office.story.clock.passes(seconds=seconds)
    for _ in range(2):
        office.story.agent.advance(office.thread().id)
    office.works()


def test_who_was_asked_is_called_again_and_then_the_next_people_approve_by_mail(
    office: Everywhere,
) -> None:
    office.story.model_will(DEPLOY, DoneForNow(message="It is live."))
    office.says("eve", "deploy backend to production")
    assert "Called again at" in shown(office.card())
    assert "Mia may, too" in shown(office.card())
    assert office.mails("mia") == []

    passes(office, 61)

    reminder = shown(office.message("Still waiting for approval"))
    assert '"user_id": "U0BEN"' in reminder
    assert "U0ANN" not in reminder, "she wants quiet"
    assert office.mails("mia") == []

    passes(office, 90)

    assert [event.kind for event in office.thread().events].count("approval_reminded") == 2
    assert [event.kind for event in office.thread().events].count("approval_escalated") == 1
    assert "these may approve now, too" in shown(office.message("these may approve now, too"))
    card = office.mail("mia", "asks for your approval")

    office.replies("mia", card, "approve")

    thread = office.thread()
    (granted,) = (event for event in thread.events if isinstance(event, ApprovalGranted))
    assert (granted.by, granted.channel, granted.escalated) == ("mia", "email", True)
    assert thread.status is not Status.AWAITING_APPROVAL
    assert [event.kind for event in thread.events].count("deploy_started") == 1
