"""Who may approve, for whom, when they are called again, and what one person may do alone."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from fakes import NOON, PEOPLE, FakeDirectory, catalog
from story import Story

from deploybot.events import ApprovalEscalated, ApprovalReminded
from deploybot.inbox import Answer, Receipt
from deploybot.next_step import Deploy
from deploybot.ports import Away, People
from deploybot.telling import Card, CardState, Said
from deploybot.thread import Status

BACKEND = Deploy(service="backend", ref="main", environment="production", reason="Eve asked.")
FROZEN = {"reason": "holidays", "begins": "2026-03-01T00:00:00", "ends": "2026-03-09T00:00:00"}


def company(
    people: People = PEOPLE,
    *,
    by: str = "eve",
    directory: FakeDirectory | None = None,
    **production: Any,
) -> Story:
    table = catalog(groups={"oncall": {"people": ["ann"]}}, **production)
    story = Story(table=table, people=people, directory=directory).verified_on_staging()
    return story.model_will(BACKEND).person_says("deploy the backend to production", by=by)


def breaks_glass(story: Story, reason: str, *, by: str = "ann") -> Receipt:
    request = story.request
    receipt = story.inbox.answer(
        Answer(
            thread="t1",
            request_id=request.id,
            digest=request.digest,
            approved=True,
            comment="",
            by=by,
            channel="api",
            address=by,
            delivery=f"glass:{by}",
            break_glass=reason,
        )
    )
    story.bot_works()
    return receipt


def said(story: Story, words: str) -> Said:
    (found,) = (one for one in story.told if isinstance(one, Said) and words in one.text)
    return found


def card(story: Story) -> Card:
    return next(one for one in story.told if isinstance(one, Card))


def away(person: str, to: str) -> People:
    today = NOON.date()
    return People(
        tuple(
            replace(one, away=(Away(today, today, to),)) if one.id == person else one
            for one in PEOPLE.known
        )
    )


# -- authors -----------------------------------------------------------------------


def test_who_wrote_what_goes_live_may_not_approve_it_where_that_is_set():
    story = Story(table=catalog(author_may_approve=False)).verified_on_staging()
    story.deployer.addresses_of["backend"] = (
        "BEN@shop.example",
        "12+ann-gh@users.noreply.github.com",
    )
    story.model_will(BACKEND).person_says("deploy the backend to production", by="eve")

    assert story.request.authors == ("ben", "ann")
    assert story.approves(by="ben").reason_code == "own_commits"
    assert story.approves(by="ann").reason_code == "own_commits"
    assert story.approves(by="mia").accepted
    assert story.deployer.ran


def test_when_all_approvers_wrote_it_nobody_is_asked():
    story = Story(table=catalog(author_may_approve=False)).verified_on_staging()
    story.deployer.addresses_of["backend"] = tuple(
        f"{who}@shop.example" for who in ("ann", "ben", "mia")
    )
    story.model_will(BACKEND).person_says("deploy the backend to production", by="eve")

    assert "approval_requested" not in story.kinds
    assert "nobody_can_approve" in [getattr(event, "code", "") for event in story.thread.events]


# -- delegates ---------------------------------------------------------------------


def test_somebody_answers_for_who_is_away_and_it_is_said_for_whom():
    story = company(away("mia", to="eve"), by="ann", approvers=["ann", "mia"])

    assert story.approves(by="eve").accepted

    assert story.deployer.ran
    (grant,) = card(story).grants
    assert [one.person for one in grant.stands_for] == ["mia"]


def test_a_delegate_gains_no_second_vote():
    story = company(away("mia", to="ben"), quorum=2)

    assert story.approves(by="ben").accepted  # his own word, or Mia's: one of them

    assert story.thread.status is Status.AWAITING_APPROVAL
    assert story.approves(by="ann").accepted
    assert story.deployer.ran


def test_who_is_away_and_their_delegate_are_one_vote():
    story = company(away("mia", to="eve"), by="ben", approvers=["ann", "ben", "mia"], quorum=2)

    assert story.approves(by="mia").accepted
    assert story.approves(by="eve").accepted

    assert story.thread.status is Status.AWAITING_APPROVAL


def test_nobody_hands_on_a_right_that_they_do_not_have_here():
    story = company(away("mia", to="eve"), by="mia", approvers=["ann", "mia"])

    assert story.approves(by="eve").reason_code == "not_an_approver"


def test_on_any_other_day_the_delegate_may_not():
    story = company(away("mia", to="eve"), by="ann", approvers=["ann", "mia"])
    story.clock.time += timedelta(days=-1)

    assert story.approves(by="eve").reason_code == "not_an_approver"


# -- being called again ------------------------------------------------------------


def test_reminders_come_after_twice_as_long_each_time_and_stop_with_the_request():
    story = company(remind_after_seconds=300, expires_seconds=1800)
    asked_at = story.thread.standing.asked_at
    assert asked_at is not None
    came = []

    while (due := story.thread.due(story.clock.time)) and not came[6:]:
        story.clock.time = due
        story.agent.advance("t1")
        last = story.thread.events[-1]
        came.append((last.kind, round((last.at - asked_at).total_seconds())))
        if last.kind == "approval_expired":
            break

    assert came == [
        ("approval_reminded", 300),
        ("approval_reminded", 600),
        ("approval_reminded", 1200),
        ("approval_expired", 1800),
    ]


def test_a_worker_that_was_away_reminds_once_and_not_for_each_time_that_passed():
    story = company(remind_after_seconds=60, expires_seconds=1800)
    story.clock.passes(seconds=1000)

    story.agent.advance("t1")
    story.agent.advance("t1")

    (reminder,) = (e for e in story.thread.events if isinstance(e, ApprovalReminded))
    assert reminder.number == 5  # after 960 s


def test_those_who_can_still_approve_are_called_and_who_wants_quiet_is_not():
    quiet = People(
        tuple(replace(one, quiet=one.id == "mia") for one in PEOPLE.known),
    )
    story = company(quiet, quorum=2, remind_after_seconds=60)
    story.approves(by="ben")
    story.clock.passes(seconds=61)

    story.agent.advance("t1")

    reminder = said(story, "Still waiting")
    assert reminder.mention == ("ann",)
    assert "1 more needed" in reminder.text
    assert story.approves(by="mia").accepted  # who may all the same


def test_when_nobody_approves_the_next_people_may_and_are_called_once():
    story = company(approvers=["ann", "ben"], escalate_to=["mia"], escalate_after_seconds=600)
    assert story.approves(by="mia").reason_code == "not_an_approver"
    story.clock.passes(seconds=601)

    story.agent.advance("t1")
    story.agent.advance("t1")

    (escalated,) = (e for e in story.thread.events if isinstance(e, ApprovalEscalated))
    assert escalated.to == ("mia",)
    assert said(story, "these may approve now, too").mention == ("mia",)
    assert story.approves(by="mia").accepted
    assert story.deployer.ran


# -- breaking the glass ------------------------------------------------------------


def test_one_person_approves_alone_in_an_emergency_and_all_are_told_and_asked_to_review_it():
    story = company(quorum=2, break_glass=["ann"])

    assert breaks_glass(story, "the shop sells nothing").accepted

    assert story.deployer.ran
    loud = said(story, "broke the glass")
    assert (loud.tone, set(loud.mention)) == ("loud", {"ben", "mia"})
    assert "“the shop sells nothing”" in loud.text
    assert "skips the other approvals and freezes, and nothing else" in loud.text
    review = said(story, "Please review")
    assert set(review.mention) == {"ben", "mia"}
    assert story.told.index(review) > story.told.index(loud)


def test_who_asked_may_break_the_glass_and_nobody_else_who_is_not_named():
    story = company(by="ann", break_glass=["ann"])

    assert breaks_glass(story, "it burns", by="ben").reason_code == "break_glass_refused"
    assert story.deployer.ran == []
    assert breaks_glass(story, "it burns").accepted
    assert story.deployer.ran


def test_a_freeze_is_passed_by_breaking_the_glass_and_by_nothing_else():
    story = company(by="ann", freezes=[FROZEN], break_glass=["ann"])

    refused = story.approves(by="ben")

    assert refused.reason_code == "frozen"
    assert "let ann break the glass" in refused.text
    assert breaks_glass(story, "it burns").accepted
    assert story.deployer.ran


def test_whoever_may_not_break_the_glass_is_not_shown_what_is_frozen():
    story = company(by="eve", freezes=[FROZEN], break_glass=["ann"])

    assert "approval_requested" not in story.kinds
    assert "in an emergency let ann break the glass" in str(story.thread.events)


def test_breaking_the_glass_skips_no_digest():
    story = company(break_glass=["ann"])
    story.deployer.main = "another"
    story.verified_on_staging("another")

    breaks_glass(story, "it burns")

    assert story.deployer.ran == []
    assert card(story).state is CardState.SUPERSEDED


def test_the_glass_that_was_broken_counts_no_more_once_its_breaker_may_not():
    directory = FakeDirectory({"oncall": {"ann"}})
    story = company(directory=directory, quorum=2, break_glass=["@oncall"])
    works, story.bot_works = story.bot_works, lambda: story  # type: ignore[method-assign]
    breaks_glass(story, "it burns")
    story.bot_works = works  # type: ignore[method-assign]
    directory.groups["oncall"] = {"ben"}

    story.operator.operate("t1")

    assert story.deployer.ran == []
    assert "ann may no longer break the glass" in card(story).note
