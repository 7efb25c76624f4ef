"""Editing what a card asks for: it is planned anew, and nobody can edit and approve alone."""

import pytest
from fakes import NOON, catalog, sha_of
from story import Story

from deploy.locks import Hold
from deploybot.editing import AS_SHOWN
from deploybot.events import (
    ApprovalRequested,
    ApprovalSuperseded,
    DeployStarted,
    EditRefused,
    LinedUp,
    StepChosen,
)
from deploybot.next_step import Deploy, DeployTogether, DoneForNow, Part, RollBack
from deploybot.telling import Card, CardState, Said
from deploybot.thread import Status

DEPLOY = Deploy(service="backend", ref="main", environment="production", reason="asked to")
BOTH = DeployTogether(
    parts=(Part(service="backend", ref="main"), Part(service="frontend", ref="main")),
    environment="production",
    reason="asked to",
)
DONE = DoneForNow(message="Done.")


def asked(step=DEPLOY, *, by="ann", **production) -> Story:
    """Return a story in which a card is open."""
    table = catalog(**{"verified_in": None} | production)
    story = Story(table=table).verified_on_staging("main", "v1.1.0")
    return story.model_will(step, DONE).person_says("deploy it", by=by)


def started(story: Story) -> list[str]:
    """Return the commits that were started, in order."""
    requests = {
        event.request.id: event.request
        for event in story.thread.events
        if isinstance(event, ApprovalRequested)
    }
    return [
        requests[event.request_id].plans[event.part].sha
        for event in story.thread.events
        if isinstance(event, DeployStarted)
    ]


def cards(story: Story) -> list[Card]:
    return [telling for telling in story.told if isinstance(telling, Card)]


def test_an_edit_is_planned_anew_and_what_runs_is_what_the_new_card_shows() -> None:
    story = asked()
    old = story.request

    receipt = story.edits(backend="v1.1.0", by="ben", comment="only the fix")
    new = story.request
    story.approves(by="mia")

    assert receipt.accepted
    assert (new.plan.ref, new.plan.sha) == ("v1.1.0", sha_of("v1.1.0"))
    assert new.digest != old.digest
    assert new.edited is not None
    assert (new.edited.by, new.edited.comment) == ("ben", "only the fix")
    assert started(story) == [sha_of("v1.1.0")]


def test_the_old_card_says_by_whom_and_what_changed_and_can_no_longer_be_answered() -> None:
    story = asked()
    old = story.request

    story.edits(backend="v1.1.0", by="ben")
    late = story.approves(by="mia", request=old)

    was, now = cards(story)
    assert (was.state, was.editing, now.state) == (CardState.SUPERSEDED, "ben", CardState.OPEN)
    assert was.note == f"backend main ({sha_of('main')[:7]}) → v1.1.0 ({sha_of('v1.1.0')[:7]})"
    assert late.reason_code == "superseded"
    assert "Ben edited it (backend main" in late.text
    assert started(story) == []


def test_whoever_edited_is_one_of_those_who_asked_and_cannot_approve_alone() -> None:
    story = asked()

    story.edits(backend="v1.1.0", by="ben")
    own = story.approves(by="ben")
    asker = story.approves(by="ann")

    assert story.request.requesters == ("ann", "ben")
    assert (own.reason_code, asker.reason_code) == ("own_request", "own_request")
    assert story.approves(by="mia").accepted


def test_where_the_requester_may_approve_whoever_edited_may_too() -> None:
    story = asked(requester_may_approve=True)

    story.edits(backend="v1.1.0", by="ben")

    assert story.approves(by="ben").accepted
    assert started(story) == [sha_of("v1.1.0")]


def test_nobody_edits_so_that_nobody_is_left_to_approve() -> None:
    story = asked(approvers=["ann", "ben"])

    receipt = story.edits(backend="v1.1.0", by="ben")

    assert receipt.reason_code == "nobody_can_approve"
    assert story.approves(by="ben").accepted


@pytest.mark.parametrize("by", ["ann", "ben"])
def test_who_asked_and_who_may_approve_may_edit(by: str) -> None:
    assert asked().edits(backend="v1.1.0", by=by).accepted


@pytest.mark.parametrize(
    ("by", "code"), [("eve", "not_an_approver"), ("slack:U1", "unknown_person")]
)
def test_nobody_else_may(by: str, code: str) -> None:
    story = asked()

    receipt = story.edits(backend="v1.1.0", by=by)

    assert (receipt.accepted, receipt.reason_code) == (False, code)
    assert "nothing changed" in receipt.text
    assert "edit_requested" not in story.kinds


def test_an_edit_that_comes_to_the_same_changes_nothing_and_says_so() -> None:
    story = asked()
    before = story.request

    at_once = story.edits(backend="main", by="ben")
    # The same commit by another name: only git knows.
    looked_up = story.edits(backend=sha_of("main")[:10], by="ben", resolves=True)

    assert (at_once.reason_code, at_once.text) == ("unchanged", AS_SHOWN)
    assert looked_up.accepted
    assert story.request == before
    (refused,) = (event for event in story.thread.events if isinstance(event, EditRefused))
    assert refused.reason_code == "unchanged"
    assert story.told[-1] == Said(
        story.told[-1].key, f"ben edited the request. {AS_SHOWN}", by="ben"
    )
    assert story.approves(by="mia").accepted


def test_what_cannot_be_had_is_said_in_the_thread_and_the_card_is_open_as_it_was() -> None:
    story = asked(quorum=2, approvers=["ann", "ben", "mia", "eve"])
    story.approves(by="ben")
    before = story.thread.standing

    story.edits(backend="v9.9.9", by="mia")

    after = story.thread.standing
    assert (after.status, after.request, after.grants) == (
        Status.AWAITING_APPROVAL,
        before.request,
        before.grants,
    )
    (card,) = cards(story)
    assert (card.state, card.editing) == (CardState.OPEN, "")
    said = story.told[-1]
    assert isinstance(said, Said)
    assert "No 'v9.9.9'" in said.text
    assert said.mention == ("mia",)
    assert after.requesters == ("ann",)
    assert story.approves(by="mia").accepted
    assert started(story) == [sha_of("main")]


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"backend": "--upload-pack=x"}, "ref_malformed"),
        ({"backend": ""}, "ref_malformed"),
        ({"start": "25:99"}, "time_refused"),
        ({"start": "2025-01-01 10:00"}, "time_refused"),
        ({"orders": "main"}, "not_in_request"),
    ],
)
def test_what_can_be_known_at_once_is_refused_at_once(changed: dict, code: str) -> None:
    story = asked()

    receipt = story.edits(by="ben", **changed)

    assert (receipt.accepted, receipt.reason_code) == (False, code)
    assert story.kinds[-1] == "approval_requested"


def test_until_an_edit_is_planned_nobody_can_approve_and_a_no_still_counts() -> None:
    story = asked()

    story.edits(backend="v1.1.0", by="ben", works=False)
    early = story.answers(by="mia")
    second = story.edits(backend="v1.0.0", by="mia", works=False)

    assert story.thread.status is Status.EDITING
    assert early.reason_code == second.reason_code == "being_edited"
    assert "Ben edited this request" in early.text
    assert story.answers(approved=False, by="mia").accepted
    story.bot_works()
    assert started(story) == []
    assert story.thread.status is not Status.EDITING


def test_a_word_while_an_edit_is_planned_closes_both() -> None:
    story = asked()
    old = story.request

    story.edits(backend="v1.1.0", by="ben", works=False)
    story.model_will(DONE).person_says("leave it for today", by="mia")

    assert story.thread.standing.request is None
    assert not story.approves(by="mia", request=old).accepted


def test_the_order_of_several_is_what_was_wished_and_one_can_be_left_out() -> None:
    story = asked(BOTH)

    story.edits(frontend="main", backend="main", by="ben")
    (first, second) = story.request.plans
    assert (first.service, second.service) == ("frontend", "backend")
    assert story.request.edited is not None
    assert story.request.edited.changes == ("order backend, frontend → frontend, backend",)

    story.edits(frontend="v1.1.0", by="ben")
    assert [plan.service for plan in story.request.plans] == ["frontend"]
    assert set(story.request.edited.changes[1:]) == {"backend left out"}


def test_the_order_stays_when_it_is_planned_anew() -> None:
    story = asked(BOTH)
    story.edits(frontend="main", backend="main", by="ben")

    story.deployer.main = "main-2"
    story.approves(by="mia")

    assert [plan.service for plan in story.request.plans] == ["frontend", "backend"]
    assert story.request.plan.sha == sha_of("main-2")


def test_a_start_is_given_taken_back_and_kept() -> None:
    story = asked()

    story.edits(start="14:00", by="ben")
    assert story.request.start_at == NOON.replace(hour=14)
    assert story.request.edited is not None
    assert story.request.edited.changes == ("start at once → 2026-03-02 14:00 UTC",)

    story.edits(backend="v1.1.0", by="ben")
    assert story.request.start_at == NOON.replace(hour=14)

    story.edits(start="now", by="ben")
    assert story.request.start_at is None


def test_a_roll_back_can_be_pointed_at_another_release() -> None:
    story = Story(table=catalog(verified_in=None))
    for ref in ("v1.0.0", "v1.1.0", "main"):
        story.deployer.put_live("backend", "production", sha_of(ref))
    step = RollBack(service="backend", environment="production", reason="it broke")
    story.model_will(step, DONE).person_says("roll it back")

    receipt = story.edits(backend="v1.0.0", by="ben")

    assert receipt.accepted
    chosen = [event.step for event in story.thread.events if isinstance(event, StepChosen)]
    assert chosen[-1] == step  # the fake target rolls back to the last one, whatever is named
    assert story.kinds[-1] == "edit_refused"


def test_what_was_edited_waits_in_line_when_its_place_is_taken() -> None:
    story = asked()
    hold = Hold(service="backend", environment="production", owner="eve", reason="a look", at=NOON)
    story.store.append(story.store.load("t0"), hold=hold)

    story.edits(backend="v1.1.0", by="ben")

    assert isinstance(story.thread.events[-1], LinedUp)
    assert story.thread.status is Status.IN_LINE
    (card,) = cards(story)
    assert card.state is CardState.SUPERSEDED
    story.thread_id = "t2"
    story.person_says("unlock backend on production", by="eve")
    story.thread_id = "t1"
    assert story.request.plan.ref == "v1.1.0"
    assert "ben" in story.request.requesters


def test_an_edit_of_a_card_that_is_gone_changes_nothing() -> None:
    story = asked()
    old = story.request
    story.edits(backend="v1.1.0", by="ben")

    late = story.edits(backend="v1.0.0", by="mia", request=old)
    story.clock.passes(minutes=31)
    over = story.edits(backend="v1.0.0", by="mia")

    assert (late.reason_code, over.reason_code) == ("superseded", "expired")


def test_many_edits_do_not_count_as_plans_that_kept_changing() -> None:
    story = asked()
    for ref in ("v1.1.0", "v1.0.0", "v1.1.0", "v1.0.0", "main"):
        assert story.edits(backend=ref, by="ben").accepted

    story.deployer.main = "main-2"
    story.approves(by="mia")

    assert story.request.plan.sha == sha_of("main-2")
    superseded = [e for e in story.thread.events if isinstance(e, ApprovalSuperseded)]
    assert [event.edited_by for event in superseded] == ["ben"] * 5 + [""]


def test_the_same_edit_delivered_twice_is_one() -> None:
    story = asked()

    first = story.edits(backend="v1.1.0", by="ben", key="once")
    again = story.edits(backend="v1.1.0", by="ben", key="once")

    assert first.accepted
    assert again.reason_code == "duplicate"
    assert story.kinds.count("edit_requested") == 1
