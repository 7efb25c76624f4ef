"""Where answers go: back where it was asked; and everybody sees one state, whichever way they are reached."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from everywhere import Everywhere, everywhere, flat, shown
from fakes import catalog

from deploybot.events import Answered, AnswerRefused, ApprovalGranted
from deploybot.next_step import Deploy, DoneForNow, RequestHumanInput
from deploybot.thread import Status

DEPLOY = Deploy(service="backend", ref="main", environment="production", reason="It was asked for.")
NONE = Deploy(service="backend", ref="v9.9.9", environment="production", reason="It was asked for.")
DONE = DoneForNow(message="The backend is live on production, as you wished.")
WHERE = RequestHumanInput(
    question="Where to?", format="multiple_choice", choices=("staging", "production")
)
TITLE = "Deploy backend to production"


@pytest.fixture
def office(redis_url: str, tmp_path: Path) -> Iterator[Everywhere]:
    with everywhere(redis_url, tmp_path) as opened:
        yield opened


@contextmanager
def office_of(redis_url: str, folder: Path, **production: Any) -> Iterator[Everywhere]:
    with everywhere(redis_url, folder, catalog(approve_by_mail=True, **production)) as opened:
        yield opened


def kinds(office: Everywhere) -> list[str]:
    return [event.kind for event in office.thread().events]


# -- begun in Slack --------------------------------------------------------------------


def test_what_was_asked_in_slack_is_approved_by_mail_and_the_card_in_slack_says_so(
    office: Everywhere,
) -> None:
    office.story.model_will(DEPLOY, DONE)
    office.says("ann", "deploy backend to production")
    card = office.mail("mia", "asks for your approval")

    office.replies("mia", card, "ship it\n\n> approve?")

    assert kinds(office).count("deploy_started") == 1
    in_slack = shown(office.card())
    assert "Mia" in in_slack
    assert "action_id" not in in_slack
    assert "as you wished" in shown(office.message("as you wished"))
    assert office.mails("ann") == [], "Ann asked in Slack"
    ended = office.mails("mia")[-1]
    assert f"{TITLE}: live" in ended.text
    assert ended.headers["In-Reply-To"] == card.id


def test_what_mia_says_by_mail_is_heard_in_slack_and_answered_in_both(office: Everywhere) -> None:
    office.story.model_will(DEPLOY, DoneForNow(message="It adds the org routes."))
    office.says("ann", "deploy backend to production")
    card = office.mail("mia", "asks for your approval")

    office.replies("mia", card, "what does it change?")

    assert "Mia" in shown(office.card()), "her words closed it"
    assert office.message("It adds the org routes.")
    answer = office.mail("mia", "It adds the org routes.")
    assert answer.headers["Auto-Submitted"] == "auto-generated"
    assert card.id in answer.headers["References"]
    assert office.mails("ann") == []


def test_a_no_in_slack_is_told_to_whoever_was_asked_by_mail_and_their_late_yes_is_answered(
    office: Everywhere,
) -> None:
    office.story.model_will(DEPLOY, DoneForNow(message="Not today, then."))
    office.says("ann", "deploy backend to production")
    card = office.mail("mia", "asks for your approval")
    office.presses("ben", "deny", office.card())
    office.fills("ben", words="not today")
    office.works()

    denied = office.mail("mia", f"{TITLE}: denied")
    office.replies("mia", card, "approve")

    assert "not today" in denied.text
    told = office.mail("mia", "already denied by Ben")
    assert "Not taken as an answer" in told.text
    assert "deploy_started" not in kinds(office)
    assert office.whispers() == [], "the refusal goes where the answer came from"


# -- begun by mail ---------------------------------------------------------------------


def test_what_was_asked_by_mail_is_approved_in_slack_and_all_of_it_is_told_by_mail(
    office: Everywhere,
) -> None:
    office.story.model_will(DEPLOY, DONE)
    office.writes("eve", "Please deploy the backend to production.", subject="Backend?")
    waiting = office.mail("eve", "Your request is waiting for an approval")

    office.clicks("ben", "approve", office.card())

    told = office.mails("eve")
    assert [one.subject for one in told] == ["Re: Backend?"] * 3
    assert "approved by Ben" in flat(told[1].text)
    assert "as you wished" in told[2].text
    first = waiting.headers["References"].split()[0]
    assert all(first in one.headers["References"] for one in told)
    assert f"{TITLE}: live" in office.mails("mia")[-1].text
    assert kinds(office).count("deploy_started") == 1


def test_refusals_and_errors_of_a_thread_by_mail_are_told_by_mail(office: Everywhere) -> None:
    office.story.model_will(NONE, NONE, NONE)
    office.writes("eve", "Please deploy v9.9.9 of the backend.", subject="Backend?")

    assert office.thread().standing.status is Status.AWAITING_INPUT
    assert "v9.9.9" in office.mails("eve")[-1].text
    assert office.mails("mia") == []


def test_who_asked_by_mail_cannot_approve_it_by_mail_and_is_told_so(office: Everywhere) -> None:
    office.story.model_will(DEPLOY)
    office.writes("mia", "Please deploy the backend to production.", subject="Backend?")
    waiting = office.mail("mia", "Your request is waiting")

    office.replies("mia", waiting, "approve")

    refused = [e for e in office.thread().events if isinstance(e, AnswerRefused)]
    assert [one.by for one in refused] == ["mia"]
    assert "nothing was approved" in flat(office.mails("mia")[-1].text)
    assert office.thread().standing.status is Status.AWAITING_APPROVAL


# -- begun elsewhere -------------------------------------------------------------------


def test_what_was_asked_over_the_api_is_answered_there_and_mailed_to_nobody_who_must_not_act(
    office: Everywhere,
) -> None:
    office.story.model_will(DEPLOY, DONE)
    made = office.call("ann", "POST", "/api/threads", text="deploy backend to production")
    office.replies("mia", office.mail("mia", "asks for your approval"), "approve")

    seen = office.call("ann", "GET", f"/api/threads/{made['id']}")

    assert seen["status"] == "done"
    assert seen["events"][-1]["message"] == DONE.message
    assert [office.mails(one) for one in ("ann", "ben", "eve")] == [[], [], []]
    assert "Mia" in shown(office.card())


def test_one_from_each_group_over_slack_and_mail_starts_it_once(
    redis_url: str, tmp_path: Path
) -> None:
    groups = {"leads": {"people": ["ann", "ben"]}, "security": {"people": ["mia", "ben"]}}
    rule = {"approvers": [], "one_from_each": ["leads", "security"], "groups": groups}
    with office_of(redis_url, tmp_path, **rule) as office:
        office.story.model_will(DEPLOY, DONE)
        office.says("eve", "deploy backend to production")
        card = office.mail("mia", "asks for your approval")

        office.replies("mia", card, "lgtm")
        half = office.mails("mia")[-1]
        assert "deploy_started" not in kinds(office)
        office.clicks("ben", "approve", office.card())

        granted = [e for e in office.thread().events if isinstance(e, ApprovalGranted)]
        assert [(one.by, one.channel) for one in granted] == [("mia", "email"), ("ben", "slack")]
        assert kinds(office).count("deploy_started") == 1
        assert "others must, too. Nothing was deployed yet" in flat(half.text)
        assert f"{TITLE}: live" in office.mails("mia")[-1].text


# -- questions -------------------------------------------------------------------------


def test_a_question_is_answered_by_number_by_mail_and_the_message_in_slack_says_so(
    office: Everywhere,
) -> None:
    office.story.model_will(WHERE, DONE)
    office.call("mia", "POST", "/api/threads", text="deploy the backend")
    asked = office.mail("mia", "Where to?")

    office.replies(
        "mia",
        asked,
        "2\n\nOn Mon, 2 Mar 2026 at 12:00, deploybot <deploybot@bot.example> wrote:\n> 1. staging\n> 2. production",
    )

    assert "2. production" in asked.text
    assert "number of your choice" in flat(asked.text)
    answers = [(e.by, e.answer) for e in office.thread().events if isinstance(e, Answered)]
    assert answers == [("mia", "production")]
    assert "Mia answered" in shown(office.message("Where to?"))


def test_who_answers_by_mail_after_somebody_in_slack_is_told_who_was_first(
    office: Everywhere,
) -> None:
    office.story.model_will(WHERE, DONE)
    office.writes("mia", "deploy the backend", subject="Backend?")
    asked = office.mail("mia", "Where to?")
    office.clicks("eve", "choose:0", office.message("Where to?"))
    before = kinds(office)

    office.replies("mia", asked, "production")

    assert "Eve answered: staging" in office.mail("mia", "You need not answer").text
    assert "Eve answered this" in flat(office.mails("mia")[-1].text)
    assert kinds(office) == [*before, "answer_refused"]


def test_words_in_reply_to_an_answered_question_are_not_lost(office: Everywhere) -> None:
    office.story.model_will(WHERE, DONE, DoneForNow(message="I hear you."))
    office.writes("mia", "deploy the backend", subject="Backend?")
    asked = office.mail("mia", "Where to?")
    office.clicks("eve", "choose:0", office.message("Where to?"))

    office.replies("mia", asked, "wait until tomorrow, please")

    assert "email_received" in kinds(office)[3:]
    assert office.mail("mia", "I hear you.")
