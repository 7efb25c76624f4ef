"""A roll back keeps what it left as it is, until a person who may says otherwise."""

from fakes import NOON

from deploy.locks import Hold
from deploybot.events import StepFailed
from deploybot.next_step import Deploy, DoneForNow
from deploybot.outbox import Card, CardState

DEPLOY = Deploy(service="backend", ref="main", environment="production", reason="asked to")


def held(story):
    hold = Hold(
        service="backend",
        environment="production",
        owner="deploybot",
        reason="4af9ec0 was rolled back",
        at=NOON,
        made_by="rollback",
    )
    story.store.append(story.store.load("t0"), hold=hold)
    return story.verified_on_staging()


def test_a_held_service_takes_no_deploy_and_says_how_to_free_it(story):
    held(story).model_will(DEPLOY).person_says("deploy the backend")

    failed = next(event for event in story.thread.events if isinstance(event, StepFailed))

    assert failed.code == "environment_held"
    assert "unlock backend on production" in failed.error
    assert story.deployer.ran == []


def test_an_approver_frees_it_by_saying_so_and_no_model_is_asked(story):
    held(story).person_says("unlock backend on production", by="ben")

    assert story.kinds[-4:] == ["step_chosen", "hold_released", "step_chosen", "finished"]
    assert story.store.holds() == ()
    assert story.script.prompts == []


def test_somebody_else_does_not(story):
    held(story).person_says("unlock backend on production", by="eve")

    failed = next(event for event in story.thread.events if isinstance(event, StepFailed))

    assert failed.code == "not_an_approver"
    assert len(story.store.holds()) == 1


def test_a_card_that_was_approved_and_may_not_start_says_so(story):
    story.verified_on_staging().model_will(DEPLOY, DoneForNow(message="Told.")).person_says("go")
    held(story)

    story.approves()

    card = next(telling for telling in story.told if isinstance(telling, Card))
    assert card.state is CardState.FAILED
    assert "never started" in card.note
    assert story.deployer.ran == []
