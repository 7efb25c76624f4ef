"""Whatever is tried, in whatever order: nothing starts that people have not approved."""

from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from oracle import violations
from strategies import histories, walk

from deploybot import thread as threads
from deploybot.events import (
    ApiMessageReceived,
    ApprovalDenied,
    ApprovalGranted,
    ApprovalRequested,
    DeployStarted,
    StepChosen,
)
from deploybot.thread import Status, fold


@given(histories)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_nothing_starts_without_an_open_granted_unexpired_request(history):
    assert violations(history) == []


@given(histories)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_an_accepted_history_folds_again_without_error(history):
    half = len(history) // 2

    assert fold(history) == fold(history[half:], fold(history[:half]))


MISTAKES = {
    "a word leaves the request open": (Status.AWAITING_APPROVAL, ApiMessageReceived, None),
    "a no is a yes": (Status.AWAITING_APPROVAL, ApprovalDenied, Status.APPROVED),
    "a request starts before it is granted": (
        Status.AWAITING_APPROVAL,
        DeployStarted,
        Status.DEPLOYING,
    ),
    "what is being edited can be approved": (Status.EDITING, ApprovalGranted, Status.APPROVED),
    "a deploy may start twice": (Status.DEPLOYING, DeployStarted, Status.DEPLOYING),
    "the agent works while a deploy runs": (Status.DEPLOYING, StepChosen, Status.DEPLOYING),
    "a second request takes the place of one that was granted": (
        Status.APPROVED,
        ApprovalRequested,
        Status.APPROVED,
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_seeded_mistake_in_the_table_is_caught(mistake, monkeypatch):
    status, event, leads_to = MISTAKES[mistake]
    monkeypatch.setitem(threads.TRANSITIONS[status], event, leads_to or status)

    assert any(violations(walk(Random(seed))) for seed in range(20_000))
