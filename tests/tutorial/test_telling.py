"""What people are told: what needs them, once, and nothing that goes well by itself."""

from fakes import PEOPLE, sha_of

from deploybot.next_step import Deploy, DoneForNow, RollBack
from deploybot.outbound.slack_blocks import Look, draw
from deploybot.telling import Card, Opening, Said

DEPLOY = Deploy(service="backend", ref="main", environment="production", reason="asked to")


def said(story) -> list[str]:
    return [telling.text for telling in story.told if isinstance(telling, Said)]


def opening(story) -> Opening:
    return next(telling for telling in story.told if isinstance(telling, Opening))


def test_a_commit_that_goes_well_through_staging_speaks_in_one_message_only(story):
    story.branch_moves(sha_of("new"))

    assert said(story) == []
    assert "End-to-end tests passed on staging" in opening(story).lines[2]
    assert opening(story).lines[-1].startswith("Handed to the deploy agent: deploy SHA")


def test_whoever_writes_below_it_is_answered_there(story):
    story.branch_moves(sha_of("new")).person_says("what is this?")

    assert said(story) == ["Done for now."]  # the agent's answer; staging's lines stay above


def test_a_commit_that_goes_badly_is_told_aloud(story):
    story.deployer.failing_tests.add("staging")

    story.branch_moves(sha_of("new"))

    assert said(story)[0].startswith("End-to-end tests failed on staging")


def test_a_roll_back_says_what_is_held_and_how_it_is_freed(story):
    story.deployer.put_live("backend", "production", sha_of("old"))
    story.verified_on_staging().model_will(DEPLOY, DoneForNow(message="Live.")).person_says("go")
    story.deployer.failing_tests.add("production")
    story.model_will(
        RollBack(service="backend", environment="production", reason="tests fail"),
        DoneForNow(message="Rolled back."),
    )
    story.approves()
    story.deployer.failing_tests.clear()

    story.approves()

    held = "`backend` on production is held until an approver says “unlock backend on production”."
    assert said(story)[-1] == f"Rolled back. {held}"


def test_who_asked_elsewhere_is_named_as_people_know_them(story):
    story.person_says("what's live?")

    drawing = draw(opening(story), Look(PEOPLE, "t1"))

    assert drawing.text.startswith("Ann asked over the API:\n")


def test_the_card_of_a_deploy_that_needs_nobody_is_a_few_lines(story):
    story.branch_moves(sha_of("new"))

    card = next(telling for telling in story.told if isinstance(telling, Card))
    blocks = draw(card, Look(PEOPLE, "t1")).blocks

    assert [block["type"] for block in blocks] == ["section", "section"]
