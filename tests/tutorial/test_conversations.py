"""Read me first: what deploybot is, one idea a test."""

import pytest
from fakes import sha_of

from deploybot.errors import IllegalEventError
from deploybot.events import ApprovalGranted, ApprovalRequested, StepFailed
from deploybot.next_step import CheckDeployments, Deploy, DoneForNow, RequestHumanInput, RollBack
from deploybot.telling import Card, CardState, Private, Said
from deploybot.thread import Status

DEPLOY = Deploy(service="backend", ref="main", environment="production", reason="asked to")
DEPLOY_FRONTEND = Deploy(service="frontend", ref="main", environment="production", reason="next")


def test_a_thread_is_a_list_of_events_and_its_status_is_their_fold(story):
    story.model_will(DoneForNow(message="Hello.")).person_says("hi")

    assert story.kinds == ["api_message_received", "step_chosen", "finished"]
    assert story.thread.status is Status.DONE


def test_reads_run_at_once(story):
    story.model_will(CheckDeployments()).person_says("what's live?")

    assert story.kinds == [
        "api_message_received",
        "step_chosen",
        "read_returned",
        "step_chosen",
        "finished",
    ]


def test_nothing_ships_before_a_person_approves(story):
    story.verified_on_staging().model_will(DEPLOY).person_says("deploy the backend")

    assert story.thread.status is Status.AWAITING_APPROVAL
    assert story.deployer.ran == []


def test_what_was_shown_is_what_runs(story):
    story.verified_on_staging().model_will(DEPLOY).person_says("deploy the backend")
    shown = story.request.plan.sha

    story.approves()

    assert story.deployer.ran == [f"deploy backend {shown[:7]} production", "test production"]
    assert story.deployer.live("backend", "production").sha == shown


def test_a_no_goes_back_to_the_model_with_its_reason(story):
    story.verified_on_staging().model_will(DEPLOY_FRONTEND, DEPLOY).person_says("deploy it all")

    story.denies("can you deploy the backend first?")

    assert story.kinds[-3:] == ["approval_denied", "step_chosen", "approval_requested"]
    assert story.request.plan.service == "backend"
    assert story.deployer.ran == []


def test_a_word_closes_the_open_request(story):
    story.verified_on_staging().model_will(DEPLOY, DEPLOY).person_says("deploy the backend")
    first = story.request

    story.person_says("wait, is that the right one?", by="ben")
    receipt = story.approves(by="ben", request=first)

    assert not receipt.accepted
    assert "Ben wrote in the thread" in receipt.text
    assert story.deployer.ran == []


def test_whoever_asked_cannot_approve(story):
    story.verified_on_staging().model_will(DEPLOY).person_says("deploy the backend", by="ann")

    receipt = story.approves(by="ann")

    assert receipt.reason_code == "own_request"
    assert story.deployer.ran == []
    assert any(isinstance(telling, Private) for telling in story.told)


def test_the_second_of_two_approvals_is_told_who_was_first(story):
    story.verified_on_staging().model_will(DEPLOY).person_says("deploy the backend")
    request = story.request
    story.approves(by="ben")

    late = story.approves(by="mia", request=request)

    assert "already approved by Ben" in late.text
    assert story.deployer.ran.count(f"deploy backend {request.plan.sha[:7]} production") == 1


def test_silence_never_approves(story):
    story.verified_on_staging().model_will(DEPLOY).person_says("deploy the backend")

    story.clock.passes(minutes=31)
    story.agent.advance(story.thread_id)

    assert story.kinds[-1] == "approval_expired"
    assert story.deployer.ran == []


def test_a_request_whose_commit_moved_is_shown_anew(story):
    story.verified_on_staging().model_will(DEPLOY).person_says("deploy the backend")
    story.deployer.main = "main-later"
    story.verified_on_staging("main-later")

    story.approves()

    card = next(telling for telling in story.told if isinstance(telling, Card))
    assert card.state is CardState.SUPERSEDED
    assert story.request.plan.sha == sha_of("main-later")
    assert story.deployer.ran == []


def test_an_error_is_read_by_the_agent_and_people_are_not_bothered(story):
    bad = Deploy(service="apii", ref="main", environment="production", reason="typo")
    ask = RequestHumanInput(question="Did you mean backend?")

    story.model_will(bad, ask).person_says("deploy apii")

    failed = next(event for event in story.thread.events if isinstance(event, StepFailed))
    assert failed.code == "unknown_service"
    assert story.thread.status is Status.AWAITING_INPUT


def test_three_errors_in_a_row_go_to_people(story):
    bad = Deploy(service="apii", ref="main", environment="production", reason="typo")

    story.model_will(bad, bad, bad, bad).person_says("deploy apii")

    assert story.kinds[-1] == "escalated"
    assert "nothing is running" in next(t.text for t in story.told if isinstance(t, Said))


def test_a_moved_branch_goes_to_staging_and_its_tests_before_any_agent(story):
    story.branch_moves(sha_of("new"))

    assert story.deployer.ran == [
        f"deploy backend {sha_of('new')[:7]} staging",
        f"deploy frontend {sha_of('new')[:7]} staging",
        "test staging",
    ]
    assert story.thread.status is Status.DONE
    assert len(story.script.prompts) == 1  # the deploy agent's, in its own thread


def test_failed_tests_hand_the_thread_to_the_rollback_agent_which_must_ask_too(story):
    story.verified_on_staging().model_will(DEPLOY, DoneForNow(message="Live.")).person_says("go")
    story.deployer.put_live("backend", "production", sha_of("old"))
    story.deployer.failing_tests.add("production")
    story.approves()  # what was live has changed since the card: shown anew
    story.model_will(RollBack(service="backend", environment="production", reason="tests fail"))

    story.approves()

    assert "handed_over" in story.kinds
    assert story.thread.standing.agent == "rollback"
    assert story.request.plan.action == "roll_back"
    assert story.request.plan.sha == sha_of("old")


def test_a_rolled_back_environment_is_held(story):
    test_failed_tests_hand_the_thread_to_the_rollback_agent_which_must_ask_too(story)
    story.deployer.failing_tests.clear()

    story.approves()

    assert [hold.service for hold in story.store.holds()] == ["backend"]
    assert story.deployer.live("backend", "production").sha == sha_of("old")
    assert story.thread.status is Status.DONE


def test_what_cannot_happen_is_refused_and_nothing_is_written(story):
    story.person_says("hi")
    length = len(story.thread.events)
    granted = ApprovalGranted(
        at=story.clock.now(),
        by="ben",
        delivery="x",
        request_id="r1",
        digest="",
        channel="api",
    )

    with pytest.raises(IllegalEventError, match="cannot happen"):
        story.store.append(story.thread, granted)

    assert len(story.thread.events) == length


def test_the_same_delivery_is_heard_once(story):
    story.person_says("hi", key="same").person_says("hi", key="same")

    assert story.kinds.count("api_message_received") == 1


def test_the_card_is_drawn_from_the_object_that_was_digested(story):
    story.verified_on_staging().model_will(DEPLOY).person_says("deploy the backend")

    card = next(telling for telling in story.told if isinstance(telling, Card))
    requested = next(e for e in story.thread.events if isinstance(e, ApprovalRequested))
    assert card.request == requested.request
    assert card.request.digest == card.request.sealed().digest
