from datetime import timedelta
from typing import Any

import pytest
from fakes import NOON
from slack_cards import BEFORE, SHA, plan, request

from deploybot.events import (
    ApprovalDenied,
    ApprovalGranted,
    ApprovalRequested,
    ApprovalSuperseded,
    Cancelled,
    DeployFailed,
    DeployStarted,
    DeploySucceeded,
    Event,
    LinedUp,
    StepFailed,
    StopRequested,
    TurnCame,
)
from deploybot.outbox import tellings
from deploybot.telling import Card, CardState, Said
from deploybot.thread import Thread

ASKED = request(
    plan=plan(service="backend"), more=(plan(service="frontend"), plan(service="worker"))
)
WHERE = {"service": "backend", "environment": "production"}


def _fact(kind: type[Any], **what: Any) -> Event:
    given: dict[str, Any] = {"at": NOON, "by": "worker"}
    if "request_id" in kind.model_fields:
        given["request_id"] = "r1"
    if "digest" in kind.model_fields:
        given["digest"] = ASKED.digest
    if "delivery" in kind.model_fields:
        given["delivery"] = "d1"
    fact: Event = kind(**(given | what))
    return fact


REQUESTED = _fact(ApprovalRequested, request=ASKED)
GRANTED = _fact(ApprovalGranted, by="ben", channel="slack")
STARTED = _fact(DeployStarted, operation="r1", fence=1)
ONE_LIVE = _fact(DeploySucceeded, sha=SHA, seconds=2.0, link="https://ci.example/1")


def _card(*events: Event) -> Card:
    told = tellings(Thread("t1", (REQUESTED, GRANTED, *events)))
    (card,) = (telling for telling in told if isinstance(telling, Card))
    return card


def _services(plans: tuple[Any, ...]) -> list[str]:
    return [plan.service for plan in plans]


def test_between_two_changes_one_is_live_and_the_others_are_not_begun() -> None:
    card = _card(STARTED, ONE_LIVE)

    assert card.state is CardState.DEPLOYING
    assert card.operation == ""
    assert _services(card.done) == ["backend"]
    assert _services(card.left) == ["frontend", "worker"]


def test_a_failure_leaves_what_went_live_before_and_begins_nothing_after() -> None:
    second = _fact(DeployStarted, operation="r1.1", fence=2, part=1)
    failed = _fact(DeployFailed, step="build", error="no", live=BEFORE, part=1)

    card = _card(STARTED, ONE_LIVE, second, failed)

    assert card.state is CardState.FAILED
    assert card.link == ""  # the first change's page is not this one's
    assert _services(card.done) == ["backend"]
    assert _services(card.left) == ["worker"]


@pytest.mark.parametrize(
    ("end", "state"),
    [
        (_fact(StepFailed, by="agent:code", intent="start", code="c", error="e"), CardState.FAILED),
        (_fact(Cancelled, by="ann"), CardState.CLOSED),
        (_fact(ApprovalDenied, by="ann", channel="api", feedback="no"), CardState.DENIED),
        (_fact(ApprovalSuperseded, changes=("sha",)), CardState.SUPERSEDED),
    ],
)
def test_an_end_between_two_changes_is_told_on_the_card(end: Event, state: CardState) -> None:
    card = _card(STARTED, ONE_LIVE, end)

    assert card.state is state
    assert _services(card.done) == ["backend"]
    assert _services(card.left) == ["frontend", "worker"]


def test_a_stop_that_comes_too_late_for_one_change_ends_it_before_the_next() -> None:
    card = _card(STARTED, _fact(StopRequested, by="ann"), ONE_LIVE)

    assert (card.state, card.by) == (CardState.CLOSED, "ann")
    assert _services(card.left) == ["frontend", "worker"]


def test_whoever_waits_in_line_is_told_in_one_message_however_long_it_takes() -> None:
    first = _fact(LinedUp, position=2, why="Eve deploys there.", **WHERE)
    second = _fact(LinedUp, position=1, why="Ann locked it.", **WHERE)
    turn = _fact(TurnCame, at=NOON + timedelta(minutes=3), **WHERE)

    for events, begins in (
        ((first,), "Number 2 in line for backend on production: Eve deploys there."),
        ((first, second), "Number 1 in line for backend on production: Ann locked it."),
        ((first, second, turn), "Your turn: backend on production is free now"),
    ):
        (said,) = (one for one in tellings(Thread("t1", events)) if isinstance(one, Said))
        assert said.key == "line:backend:production"
        assert said.text.startswith(begins)
