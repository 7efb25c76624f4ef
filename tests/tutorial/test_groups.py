"""Approvers are people and groups of people; who is in a group is looked up whenever it counts."""

from fakes import FakeDirectory, catalog
from story import Story

from deploybot.approvals import deciding
from deploybot.next_step import Deploy
from deploybot.outbox import tellings
from deploybot.telling import Card, CardState
from deploybot.thread import Status

BACKEND = Deploy(service="backend", ref="main", environment="production", reason="Eve asked.")
GROUPS = {"leads": {"people": ["ann", "ben"]}, "security": {"people": ["ben", "mia"]}}


def company(directory: FakeDirectory | None = None, **production: object) -> Story:
    table = catalog(groups=GROUPS, **({"approvers": ["@leads"]} | production))
    story = Story(table=table, directory=directory).verified_on_staging()
    return story.model_will(BACKEND).person_says("deploy the backend to production", by="eve")


def directory(**groups: str) -> FakeDirectory:
    return FakeDirectory({name: set(people.split()) for name, people in groups.items()})


def test_a_member_of_a_group_may_approve_and_a_stranger_to_it_may_not():
    story = company()

    refused = story.approves(by="mia")

    assert refused.reason_code == "not_an_approver"
    assert "@leads (ann, ben)" in refused.text
    assert story.approves(by="ann").accepted
    assert story.deployer.ran[:1] == [f"deploy backend {story_sha(story)} production"]


def test_one_from_each_group_must_approve_and_nobody_counts_for_two():
    story = company(approvers=[], one_from_each=["leads", "security"])

    assert story.approves(by="ben").accepted  # in both, and counts for one

    assert story.thread.status is Status.AWAITING_APPROVAL
    assert story.approves(by="mia").accepted
    assert story.deployer.ran


def test_two_of_one_group_are_not_one_of_each():
    story = company(
        directory(leads="ann ben", security="mia"),
        approvers=[],
        one_from_each=["leads", "security"],
    )

    story.approves(by="ann")
    story.approves(by="ben")

    assert story.thread.status is Status.AWAITING_APPROVAL
    assert story.approves(by="mia").accepted
    assert story.deployer.ran


def test_who_joined_the_group_after_people_were_asked_may_approve():
    groups = directory(leads="ann", security="")
    story = company(groups)
    groups.groups["leads"].add("mia")

    assert story.approves(by="mia").accepted
    assert story.deployer.ran


def test_who_left_the_group_before_the_click_may_not():
    groups = directory(leads="ann ben")
    story = company(groups)
    groups.groups["leads"].remove("ben")

    assert story.approves(by="ben").reason_code == "not_an_approver"
    assert story.deployer.ran == []


def test_who_left_the_group_between_the_approval_and_the_start_starts_nothing_and_is_named():
    groups = directory(leads="ann ben")
    story = company(groups)
    story.inbox.pause("t1", by="ann", delivery="p")
    story.inbox.resume("t1", by="ann", delivery="r")
    story.bot_works = lambda: story  # type: ignore[method-assign] - the worker is slow
    assert story.approves(by="ben").accepted
    groups.groups["leads"].remove("ben")
    del story.bot_works

    story.operator.operate("t1")

    assert story.deployer.ran == []
    card = next(t for t in tellings(story.thread) if isinstance(t, Card))
    assert card.state is CardState.SUPERSEDED
    assert "ben is no longer in leads" in card.note


def test_an_account_that_may_not_answer_is_refused_in_its_own_words():
    groups = directory(leads="ann ben")
    groups.refused["ben"] = "You are a guest here, so nothing changed."
    story = company(groups)

    receipt = story.approves(by="ben")

    assert (receipt.reason_code, receipt.text) == ("account_refused", groups.refused["ben"])


def test_an_account_that_was_closed_after_its_approval_starts_nothing():
    groups = directory(leads="ann ben")
    story = company(groups)
    story.bot_works = lambda: story  # type: ignore[method-assign]
    story.approves(by="ben")
    groups.refused["ben"] = "closed"
    del story.bot_works

    story.operator.operate("t1")

    assert story.deployer.ran == []
    assert "ben may not answer any more" in str(story.thread.events[-1])


def test_when_nobody_can_tell_who_is_in_the_group_a_click_approves_nothing_and_stays_possible():
    groups = directory(leads="ann ben")
    story = company(groups)
    groups.down = "Slack does not answer"

    receipt = story.approves(by="ben")

    assert receipt.reason_code == "rights_unknown"
    assert "could not be checked: Slack does not answer. Nothing was approved" in receipt.text
    groups.down = ""
    assert story.approves(by="ben").accepted
    assert story.deployer.ran


def test_when_nobody_can_tell_at_the_start_nothing_starts_and_it_is_said():
    groups = directory(leads="ann ben")
    story = company(groups)
    story.bot_works = lambda: story  # type: ignore[method-assign]
    story.approves(by="ben")
    groups.down = "Slack does not answer"
    del story.bot_works

    story.operator.operate("t1")

    assert story.deployer.ran == []
    failed = story.thread.events[-1]
    assert (failed.kind, failed.code) == ("step_failed", "rights_unknown")
    assert "Slack does not answer. Nothing was started." in failed.error


def test_when_nobody_can_tell_who_to_ask_nobody_is_asked():
    groups = directory(leads="ann ben")
    groups.down = "Slack does not answer"

    story = company(groups)

    assert "approval_requested" not in story.kinds
    assert "rights_unknown" in [getattr(event, "code", "") for event in story.thread.events]


def test_what_is_required_of_groups_is_part_of_the_digest_and_absent_without_groups():
    with_groups = company(approvers=[], one_from_each=["leads", "security"]).request
    without = company(approvers=["ann", "ben"]).request

    assert deciding(with_groups)["rule"]["one_from_each"] == ["leads", "security"]
    assert deciding(without)["rule"].keys() == {
        "approvers",
        "quorum",
        "requester_may_approve",
        "automatic",
        "expires_seconds",
    }


def story_sha(story: Story) -> str:
    return story.deployer.live_now["backend", "production"].sha[:7]
