"""Several people, several requests: what each of them may rely on."""

from dataclasses import replace

from fakes import NOON, PEOPLE, catalog, sha_of
from story import Story

from deploy.plan import Commit
from deploybot.events import ApprovalSuperseded, DeployFailed, DeployStarted, LinedUp, StepFailed
from deploybot.next_step import Deploy, DoneForNow, RollBack
from deploybot.ports import People
from deploybot.telling import Said, Yours
from deploybot.thread import Status
from deploybot.yours import told_to

DEPLOY = Deploy(service="backend", ref="main", environment="production", reason="asked to")
OLDER = Deploy(service="backend", ref="v1.0.0", environment="production", reason="asked to")
DONE = DoneForNow(message="Done.")


def started(story: Story) -> int:
    """Return how many deploys of the thread in hand have begun."""
    return sum(isinstance(event, DeployStarted) for event in story.thread.events)


def test_where_two_must_approve_the_second_of_them_starts_it() -> None:
    story = Story(table=catalog(quorum=2)).verified_on_staging()
    story.model_will(DEPLOY, DONE).person_says("deploy the backend", by="ann")

    first = story.approves(by="ben")
    assert story.thread.status is Status.AWAITING_APPROVAL
    again = story.approves(by="ben")
    assert again.reason_code == "already_approved"
    assert started(story) == 0
    second = story.approves(by="mia")

    assert (first.accepted, second.accepted) == (True, True)
    assert started(story) == 1


def test_one_no_ends_it_however_many_said_yes() -> None:
    story = Story(table=catalog(quorum=2)).verified_on_staging()
    story.model_will(DEPLOY, DONE).person_says("deploy the backend", by="ann")
    request = story.request

    story.approves(by="ben")
    story.denies("not during the sale", by="mia")
    late = story.approves(by="mia", request=request)

    assert late.reason_code == "closed"
    assert started(story) == 0


def test_an_older_request_that_is_approved_late_runs_over_nothing_unseen() -> None:
    """Two requests are open at once; the newer one is approved first."""
    story = Story(table=catalog(verified_in=None))
    story.model_will(OLDER).person_says("deploy v1.0.0")
    older = story.request
    story.thread_id = "t2"
    story.model_will(DEPLOY, DONE).person_says("deploy main")
    story.approves()
    assert story.deployer.live("backend", "production").sha == sha_of("main")

    story.thread_id = "t1"
    receipt = story.approves(request=older)

    assert receipt.accepted
    (closed,) = (e for e in story.thread.events if isinstance(e, ApprovalSuperseded))
    assert any("previous sha" in change for change in closed.changes)
    assert started(story) == 0
    assert story.request.id != older.id
    assert story.request.plan.previous_sha == sha_of("main")


def test_whoever_waits_hears_the_number_for_whom_and_when_it_is_their_turn(story: Story) -> None:
    story.verified_on_staging()
    story.person_says("lock backend on production: schema migration", by="ann")
    story.thread_id = "t2"
    story.model_will(DEPLOY).person_says("deploy the backend", by="eve")
    waiting = said(story)
    story.thread_id = "t3"
    story.person_says("unlock backend on production", by="ann")
    story.thread_id = "t2"

    assert any("Number 1 in line" in text and "schema migration" in text for text in waiting)
    assert any(text.startswith("Your turn: backend on production") for text in said(story))
    assert story.thread.status is Status.AWAITING_APPROVAL


def said(story: Story) -> list[str]:
    return [one.text for one in story.told if isinstance(one, Said)]


def test_what_went_live_while_it_waited_is_not_deployed_again(story: Story) -> None:
    story.verified_on_staging()
    story.person_says("lock backend on production: schema migration", by="ann")
    story.thread_id = "t2"
    story.model_will(DEPLOY).person_says("deploy the backend", by="eve")
    assert isinstance(story.thread.events[-1], LinedUp)
    story.deployer.put_live("backend", "production", sha_of("main"))

    story.model_will(DONE)
    story.thread_id = "t3"
    story.person_says("unlock backend on production", by="ann")

    story.thread_id = "t2"
    failed = [event.code for event in story.thread.events if isinstance(event, StepFailed)]
    assert failed == ["already_live"]
    assert story.thread.status is Status.DONE
    assert started(story) == 0


def test_a_deploy_that_failed_is_not_tried_again_by_itself(story: Story) -> None:
    story.verified_on_staging()
    story.deployer.fails["backend"] = "the build failed: no space left"
    story.model_will(DEPLOY, DEPLOY).person_says("deploy the backend")

    story.approves()

    assert sum(isinstance(event, DeployFailed) for event in story.thread.events) == 1
    assert started(story) == 1
    assert story.thread.status is Status.AWAITING_APPROVAL


def test_the_authors_of_what_a_person_rolled_back_are_told_and_nobody_else(story: Story) -> None:
    commits = tuple(
        Commit(sha=sha_of(word), author=word, email=f"{word}@shop.example", at=NOON, subject=word)
        for word in ("mia", "ann", "mia")
    )
    story.deployer.commits_of["backend"] = commits
    story.deployer.put_live("backend", "production", sha_of("v1.0.0"))
    story.deployer.put_live("backend", "production", sha_of("main"))
    step = RollBack(service="backend", environment="production", reason="it is slow")
    story.model_will(step, DONE).person_says("roll back backend on production", by="eve")

    story.approves()

    (said,) = (one for one in story.told if isinstance(one, Said) and "Written by" in one.text)
    assert said.text.endswith("Written by mia, ann.")
    assert said.mention == ()
    (yours,) = (one for one in story.told if isinstance(one, Yours))
    wanting = tuple(replace(one, tell_me_live=("production",)) for one in PEOPLE.known)
    told = list(told_to(yours, People(wanting)))
    assert {one.person.id for one in told} == {"mia", "ann"}
    assert list(told_to(yours, PEOPLE)) == []
