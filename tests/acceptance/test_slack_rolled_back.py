"""What is clicked in Slack on a card whose thread lacks what it showed, since older data are in use."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from fakes import catalog
from slack_bot import bot, served
from slack_office import DEPLOY, Office, opened

from deploybot.anchors import KEEPER
from deploybot.demo.workspace import interactions
from deploybot.events import ApprovalDenied, DeployStarted, DeploySucceeded
from deploybot.inbound.slack_buttons import Reference
from deploybot.next_step import DoneForNow
from deploybot.ports import Operation

BREAKABLE = catalog(quorum=2, break_glass=["ann"])


@pytest.fixture
def office() -> Iterator[Office]:
    slow = {"patience": 60, "delivery_timeout": 60.0, "trigger_seconds": 120.0}  # a busy machine
    with opened(table=BREAKABLE, **slow) as office, served(bot(office.desk)) as url:
        office.server.bot_url = url
        yield office


def loses(office: Office, events: int) -> None:
    """Let the store forget the last events of the thread."""
    kept = office.story.store._threads["t1"]
    del kept.entries[len(kept.entries) - events :]


def begins(office: Office) -> None:
    """Let the approved change have begun in some other worker."""
    request, store = office.story.request, office.story.store
    fence = store.next_fence("backend", "production")
    operation = Operation(request.id, "backend", "production", request.thread, request.id, fence)
    started = DeployStarted(
        at=office.story.clock.now(), by="worker", request_id=request.id, digest=request.digest,
        operation=request.id, fence=fence,
    )  # fmt: skip
    store.append(office.story.thread, started, claim=operation)


def held(office: Office) -> list[tuple[str | None, str, str]]:
    return [(one.service, one.environment, one.owner) for one in office.story.store.holds()]


def carried(office: Office, ts: str) -> set[str]:
    """Return what the buttons of a message carry."""
    message = office.server.conversations.by_id["C0DEPLOYS"].messages[ts]
    return {
        element["value"]
        for block in message.blocks
        if block["type"] == "actions"
        for element in block["elements"]
    }


def test_a_card_says_where_its_thread_stood_and_where_it_would_run(office: Office) -> None:
    office.proposed()

    (button,) = carried(office, office.card("r1"))

    about = Reference.loads(button)
    assert about.head == office.story.thread.head
    assert about.environment == "production"


def test_each_message_says_where_its_thread_stood(office: Office) -> None:
    office.proposed()

    messages = office.server.conversations.by_id["C0DEPLOYS"].messages.values()

    payloads = [message.metadata["event_payload"] for message in messages if message.metadata]
    assert [one["key"] for one in payloads] == ["opening", "card:r1", "card:r1:detail"]
    assert {one["head"] for one in payloads} == {office.story.thread.head}


def test_a_card_is_not_drawn_anew_because_its_thread_went_on_and_counts_all_the_same(
    office: Office,
) -> None:
    office.proposed()
    ts = office.card("r1")
    (before,) = carried(office, ts)

    office.click("eve", "approve", ts)  # refused, and kept
    office.tell()
    office.click("ben", "approve", ts)
    office.tell()
    (after,) = carried(office, ts)

    assert office.story.kinds[-2:] == ["answer_refused", "approval_granted"]
    assert [e["args"]["ts"] for e in office.server.ledger.entries(0, method="chat.update")] == [ts]
    assert Reference.loads(before).head != Reference.loads(after).head == office.story.thread.head
    assert (held(office), office.alarms) == ([], [])


@pytest.mark.parametrize("action", ["approve", "deny", "edit", "break_glass"])
def test_a_button_of_a_card_that_the_store_has_lost_pauses_production_and_tells_who_pressed_it(
    office: Office, action: str
) -> None:
    office.proposed()
    ts = office.card("r1")
    office.story.store._threads.clear()

    office.click("ann", action, ts)
    office.works()

    assert office.story.kinds == []
    assert office.story.deployer.ran == []
    assert office.view("U0ANN") is None
    assert held(office) == [(None, "production", KEEPER)]
    (alarm,) = office.alarms
    assert "The store has lost what it had acknowledged" in alarm
    assert "The answer changed nothing" in alarm
    (whisper,) = office.whispers()
    assert "your answer changed nothing and nothing was approved" in whisper
    assert "Nothing is deployed to production until an approver" in whisper
    assert "“unlock production”" in whisper


def test_a_thread_that_lost_its_end_takes_no_answer_though_it_knows_the_request(
    office: Office,
) -> None:
    office.proposed()
    ts = office.card("r1")
    office.click("ben", "approve", ts)
    office.tell()

    loses(office, 1)
    office.click("ann", "approve", ts)
    office.works()

    assert "approval_granted" not in office.story.kinds
    assert office.story.deployer.ran == []
    assert held(office) == [(None, "production", KEEPER)]
    assert len(office.alarms) == 1


def test_a_change_that_the_store_forgot_to_have_begun_is_not_stopped_but_noticed(
    office: Office,
) -> None:
    office.proposed()
    ts = office.card("r1")
    office.click("ben", "approve", ts)
    office.click("ann", "approve", ts)
    begins(office)
    office.tell()

    loses(office, 1)
    office.click("eve", "stop", ts)

    assert "deploy_started" not in office.story.kinds
    assert "stop_requested" not in office.story.kinds
    assert held(office) == [(None, "production", KEEPER)]


@pytest.mark.parametrize(
    ("button", "block", "values"),
    [
        ("deny", "denial", {"words": "not today"}),
        ("break_glass", "break_glass", {"words": "it burns"}),
        ("edit", "ref:0", {"ref:0": "v1.0.0"}),
    ],
)
def test_a_dialog_that_is_sent_off_once_the_store_has_lost_its_request_says_so(
    office: Office, button: str, block: str, values: dict[str, Any]
) -> None:
    office.proposed()
    office.click("ann", button, office.card("r1"))
    view = office.view("U0ANN")
    assert view is not None, office.whispers()

    office.story.store._threads.clear()
    sent = interactions.submit(office.server, "ann", view["id"], values)

    assert sent["outcome"] == "errors"
    assert "your answer changed nothing" in sent["errors"][block]
    assert office.story.kinds == []
    assert held(office) == [(None, "production", KEEPER)]


def test_a_dialog_of_a_thread_that_went_on_counts(office: Office) -> None:
    office.proposed()
    office.click("ann", "deny", office.card("r1"))
    view = office.view("U0ANN")
    assert view is not None
    office.click("eve", "approve", office.card("r1"))  # refused, and kept

    sent = interactions.submit(office.server, "ann", view["id"], {"words": "not today"})

    assert sent["outcome"] == "closed"
    assert any(isinstance(event, ApprovalDenied) for event in office.story.thread.events)
    assert (held(office), office.alarms) == ([], [])


def test_once_an_approver_has_freed_production_the_lost_card_holds_it_no_more(
    office: Office,
) -> None:
    office.proposed()
    ts = office.card("r1")
    office.story.store._threads.clear()
    office.click("ben", "approve", ts)
    (hold,) = office.story.store.holds()

    office.story.store.append(office.story.store.load("t9"), free=hold)
    office.click("ben", "approve", ts)

    assert held(office) == []
    assert len(office.alarms) == 1
    assert office.whispers()[-1].endswith("Ask again to get a new card.")
    assert "unlock" not in office.whispers()[-1]


def test_a_new_request_is_approved_and_runs_as_ever(office: Office) -> None:
    office.proposed()
    office.story.store._threads.clear()
    office.click("ben", "approve", office.card("r1"))
    (hold,) = office.story.store.holds()
    office.story.store.append(office.story.store.load("t9"), free=hold)

    office.story.model_will(DEPLOY, DoneForNow(message="Done."))
    office.story.person_says("deploy backend again", by="eve", key="once more")
    office.tell()
    ts = office.card(office.story.request.id)
    office.click("ben", "approve", ts)
    office.click("ann", "approve", ts)
    office.works()

    assert any(isinstance(event, DeploySucceeded) for event in office.story.thread.events)


def test_a_lost_card_of_an_earlier_version_is_an_alarm_and_holds_nothing(office: Office) -> None:
    office.proposed()
    ts = office.card("r1")
    _as_before_the_upgrade(office, ts)
    office.click("ben", "approve", ts)
    assert office.story.kinds[-1] == "approval_granted"
    assert office.alarms == []

    office.story.store._threads.clear()
    office.click("ann", "approve", ts)

    (alarm,) = office.alarms
    assert "The store has lost what it had acknowledged" in alarm
    assert "The answer changed nothing" in alarm
    assert office.story.kinds == ["answer_refused"]
    assert held(office) == []


def _as_before_the_upgrade(office: Office, ts: str) -> None:
    """Take out of a card's buttons what earlier versions did not write there."""
    where = office.server.conversations.by_id["C0DEPLOYS"]
    message = where.messages[ts]
    blocks = json.loads(json.dumps(message.blocks))
    for block in blocks:
        for element in block["elements"] if block["type"] == "actions" else ():
            about = json.loads(element["value"])
            element["value"] = json.dumps({name: about[name] for name in ("t", "r", "d")})
    where.messages[ts] = replace(message, blocks=tuple(blocks))
