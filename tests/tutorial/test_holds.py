"""A roll back, or a person, keeps a place as it is, until somebody who may says otherwise."""

from datetime import timedelta

from fakes import NOON, sha_of

from deploy.locks import Hold
from deploybot.events import ApiMessageReceived, DeployFailed, StepFailed
from deploybot.next_step import Deploy, DoneForNow, RollBack
from deploybot.telling import Card, CardState, Said
from deploybot.thread import Status

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


def test_a_roll_back_that_fails_leaves_the_place_held_and_its_approvers_are_called(story):
    back = RollBack(service="backend", environment="production", reason="it is slow")
    story.deployer.put_live("backend", "production", sha_of("old"))
    story.deployer.put_live("backend", "production", sha_of("new"))
    story.model_will(back, DoneForNow(message="No.")).person_says("go back")
    story.deployer.fails["backend"] = "exit code 3"

    story.approves()

    (hold,) = story.store.holds()
    assert hold.reason == f"the roll back to {sha_of('old')[:7]} failed"
    (told,) = (one for one in story.told if isinstance(one, Said) and "failed at" in one.text)
    assert "only a roll back goes there until an approver has looked" in told.text
    assert told.mention == ("ann", "ben", "mia")


def test_a_deploy_whose_way_back_fails_leaves_the_place_held_and_any_other_does_not(story):
    story.verified_on_staging().model_will(DEPLOY, DoneForNow(message="No.")).person_says("go")
    story.deployer.fails["backend"] = "exit code 3"
    story.approves()
    free = story.store.holds()

    story.model_will(DEPLOY, DoneForNow(message="No.")).person_says("once more")
    story.deployer.stranded.add("backend")
    story.approves()

    assert free == ()
    (hold,) = story.store.holds()
    assert (hold.service, hold.made_by) == ("backend", "rollback")
    assert "and so did the way back" in hold.reason
    assert [event.held for event in story.thread.events if isinstance(event, DeployFailed)] == [
        False,
        True,
    ]


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
    story.deployer.put_live("backend", "staging", sha_of("v1.0.0"))

    story.approves()

    card = next(telling for telling in story.told if isinstance(telling, Card))
    assert card.state is CardState.FAILED
    assert "never started" in card.note
    assert story.deployer.ran == []


def test_what_is_held_after_a_roll_back_cannot_be_approved_until_it_is_free(story):
    story.verified_on_staging().model_will(DEPLOY, DoneForNow(message="Told.")).person_says("go")
    held(story)

    refused = story.approves()
    story.store.release_hold("backend", "production")
    taken = story.approves()

    assert refused.reason_code == "environment_held"
    assert "The request stays open" in refused.text
    assert taken.accepted
    assert story.deployer.live_now["backend", "production"].sha == sha_of("main")


def hold_of(story):
    return next(iter(story.store.holds()), None)


def test_somebody_locks_a_place_in_words_and_no_model_is_asked(story):
    story.person_says("lock backend on production for 2h: schema migration", by="eve")

    hold = hold_of(story)
    assert (hold.owner, hold.reason, hold.thread) == ("eve", "schema migration", "t1")
    assert hold.expires == hold.at + timedelta(hours=2)
    assert story.script.prompts == []
    said = [telling for telling in story.told if isinstance(telling, Said)]
    assert [one.text for one in said] == [
        "eve locked backend on production until 2026-03-02 14:00 UTC: schema migration."
    ]
    assert story.thread.status is Status.DONE


def test_a_lock_is_extended_handed_over_taken_over_and_freed_in_words(story):
    story.person_says("lock backend on production for 2h", by="eve")
    story.person_says("extend the lock of backend on production by 1h", by="eve")
    story.person_says("hand backend on production to Ann", by="eve")
    assert hold_of(story).owner == "ann"
    story.person_says("take over backend on production", by="ben")
    assert hold_of(story).owner == "ben"

    told_owner = [one for one in story.told if isinstance(one, Said) and one.mention][-1]
    assert told_owner.mention == ("ann",)
    story.person_says("locks?", by="mia")
    assert "ben holds backend on production since" in story.told[-1].text

    story.person_says("unlock backend on production", by="ben")

    assert hold_of(story) is None
    assert story.script.prompts == []
    assert story.told[-1].text.startswith("backend on production is free again, by ben.")


def test_whoever_had_locked_it_is_told_who_freed_it(story):
    story.person_says("lock backend on production", by="eve")
    story.person_says("unlock backend on production", by="ben")

    assert story.told[-1].mention == ("eve",)


def test_the_second_hears_whose_lock_it_is(story):
    story.person_says("lock backend on production: schema migration", by="eve")
    story.person_says("lock backend on production", by="ben")

    assert hold_of(story).owner == "eve"
    assert "eve has locked backend on production: schema migration" in story.told[-1].text
    assert story.thread.status is Status.DONE


def test_a_near_miss_locks_nothing_and_asks_no_model(story):
    story.person_says("lock the backend on prod please", by="eve")

    assert hold_of(story) is None
    assert "Did you mean production?" in story.told[-1].text
    assert story.script.prompts == []


def test_a_stranger_locks_nothing(story):
    story.person_says("lock backend on production", by="slack:U0ZOE")

    assert hold_of(story) is None
    assert "I do not know you" in story.told[-1].text


def test_a_dry_run_locks_nothing(story):
    said = ApiMessageReceived(
        at=NOON, by="ann", delivery="dry", text="lock backend on production", dry_run=True
    )
    story.inbox.hear("t1", said)
    story.bot_works()

    assert hold_of(story) is None
    assert "dry run" in story.told[-1].text


def test_what_is_said_of_a_lock_while_a_deploy_runs_is_done_when_it_has_ended(story):
    story.verified_on_staging().model_will(DEPLOY, DoneForNow(message="Told."))
    story.person_says("deploy the backend")
    story.deployer.on_switch = lambda: story.inbox.hear(
        "t1",
        ApiMessageReceived(
            at=NOON, by="ben", delivery="m9", text="lock backend on production: look first"
        ),
    )

    story.approves()

    assert hold_of(story).owner == "ben"
    assert story.kinds.index("hold_placed") > story.kinds.index("deploy_succeeded")
    assert "tests_passed" in story.kinds
    assert story.thread.status is Status.DONE


def test_a_lock_in_the_way_lets_others_wait_and_its_owner_pass(story):
    story.verified_on_staging().person_says("lock backend on production", by="eve")
    story.model_will(DEPLOY).person_says("deploy the backend", by="ann")
    assert story.thread.status is Status.IN_LINE

    story.thread_id = "t2"
    story.model_will(DEPLOY).person_says("unlock backend on production", by="eve")

    assert story.store.load("t1").status is Status.AWAITING_APPROVAL


def test_freeing_everything_wakes_those_who_wait_for_any_part(story):
    story.verified_on_staging().person_says("lock production: sale", by="eve")
    for thread, service in (("t2", "backend"), ("t3", "frontend")):
        story.thread_id = thread
        change = DEPLOY.model_copy(update={"service": service})
        story.model_will(change).person_says(f"deploy the {service}", by="ann")
        assert story.thread.status is Status.IN_LINE

    story.thread_id = "t1"
    story.person_says("unlock production", by="eve")

    assert {story.store.load(name).status for name in ("t2", "t3")} == {Status.AWAITING_APPROVAL}


def test_a_lock_that_only_warns_stops_nobody(story):
    story.verified_on_staging().person_says("lock backend on production warn only", by="eve")

    story.model_will(DEPLOY).person_says("deploy the backend", by="ann")

    assert story.thread.status is Status.AWAITING_APPROVAL
