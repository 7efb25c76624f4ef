from dataclasses import replace
from typing import Any

import pytest
from fakes import NOON, PEOPLE
from letters import MAIL
from slack_cards import card, question, request

from deploybot.approvals import Grant, Rule
from deploybot.events import ApiMessageReceived, EmailReceived, Event, Forked
from deploybot.outbound.email_content import Letter
from deploybot.outbound.email_letters import letters
from deploybot.telling import Asked, CardState, Said, Telling
from deploybot.thread import Thread

ASKED_IN_SLACK = ApiMessageReceived(at=NOON, by="ann", delivery="d1", text="deploy")


def mail_of(person: str, number: int = 1, **changes: Any) -> EmailReceived:
    """Return a mail that somebody surely wrote."""
    given = {
        "at": NOON,
        "by": person,
        "delivery": f"m-{person}-{number}",
        "address": f"{person}@shop.example",
        "name": person.title(),
        "subject": f"A word of {person}",
        "text": "please",
        "message_id": f"<{person}-{number}@shop.example>",
    }
    return EmailReceived.model_validate(given | changes)


class Postbag:
    """What was sent of one thread so far."""

    def __init__(self, *events: Event) -> None:
        self.thread = Thread("t", events)
        self.sent: dict[str, str] = {}
        self.count = 0

    def tell(self, *told: Telling) -> list[Letter]:
        """Return what is sent now, and note it as a channel does."""
        found = list(letters(self.thread, told, self.sent, PEOPLE, MAIL))
        for letter in found:
            self.count += 1
            note = f'{{"id": "{letter.message_id}", "at": "2026-03-02T12:00:{self.count:02}"}}'
            self.sent[letter.key] = note
        return found

    def titles(self, *told: Telling) -> list[tuple[str, str]]:
        return [(one.reader.id, one.says.title) for one in self.tell(*told)]


@pytest.fixture
def bag() -> Postbag:
    return Postbag(ASKED_IN_SLACK)


def test_who_got_the_card_is_told_once_that_somebody_approved_it_and_once_how_it_ended(
    bag: Postbag,
) -> None:
    states = (CardState.OPEN, CardState.APPROVED, CardState.DEPLOYING, CardState.LIVE)
    told = [bag.titles(card(state)) for state in states for _ in range(2)]

    assert [one for one in told if one] == [
        [("mia", "Deploy backend to production")],
        [("mia", "Deploy backend to production: approved")],
        [("mia", "Deploy backend to production: live")],
    ]


def test_a_deploy_that_is_over_at_once_takes_one_mail_and_not_two(bag: Postbag) -> None:
    bag.tell(card(CardState.OPEN))

    assert bag.titles(card(CardState.LIVE)) == [("mia", "Deploy backend to production: live")]


@pytest.mark.parametrize(
    ("state", "word"),
    [
        (CardState.DENIED, "denied"),
        (CardState.EXPIRED, "expired"),
        (CardState.SUPERSEDED, "superseded"),
        (CardState.CLOSED, "closed"),
        (CardState.FAILED, "failed"),
        (CardState.UNKNOWN, "outcome unknown"),
        (CardState.SCHEDULED, "approved"),
        (CardState.IN_LINE, "waiting in line"),
    ],
)
def test_every_end_is_told_once_in_the_same_conversation(
    bag: Postbag, state: CardState, word: str
) -> None:
    (asking,) = bag.tell(card(CardState.OPEN))

    (end,) = bag.tell(card(state, grants=()))

    assert end.says.title == f"Deploy backend to production: {word}"
    assert end.answers[-1] == asking.message_id
    assert end.subject == f"Re: {asking.subject}"
    assert bag.tell(card(state, grants=())) == []


def test_who_was_never_asked_hears_of_no_end(bag: Postbag) -> None:
    assert bag.tell(card(CardState.DENIED)) == []


def test_what_was_approved_for_later_is_not_told_again_when_it_starts(bag: Postbag) -> None:
    bag.tell(card(CardState.OPEN))
    bag.tell(card(CardState.SCHEDULED))

    assert bag.tell(card(CardState.DEPLOYING)) == []
    assert bag.titles(card(CardState.LIVE)) == [("mia", "Deploy backend to production: live")]


def test_one_yes_of_two_is_confirmed_to_who_gave_it_and_to_nobody_else(bag: Postbag) -> None:
    two = request(rule=Rule(approvers=("ben", "mia"), quorum=2), requesters=("ann",))
    bag.tell(card(CardState.OPEN, request=two))
    by_ben = card(CardState.OPEN, request=two, grants=(Grant(by="ben", at=NOON),))
    by_mia = card(CardState.OPEN, request=two, grants=(Grant(by="mia", at=NOON),))

    assert bag.tell(by_ben) == []
    (told,) = bag.tell(by_mia)
    assert told.reader.id == "mia"
    assert "(1 more needed), and others must, too. Nothing was deployed" in told.says.paragraphs[0]
    assert bag.tell(by_mia) == []


def test_a_second_request_of_the_thread_is_in_the_conversation_of_the_first(bag: Postbag) -> None:
    (first,) = bag.tell(card(CardState.OPEN))
    (end,) = bag.tell(card(CardState.DENIED))

    (second,) = bag.tell(card(CardState.OPEN, key="card:r2", request=request(id="r2")))

    assert second.answers == (first.message_id, end.message_id)


def test_who_is_reminded_can_answer_the_reminder_like_the_card(bag: Postbag) -> None:
    open_card = card(CardState.OPEN)
    (asking,) = bag.tell(replace(open_card))
    reminder = Said("said:4", "Still waiting.", mention=("ben", "mia"), calls_to="card:r1")

    (call,) = bag.tell(open_card, reminder)

    assert (call.reader.id, call.code) == ("mia", asking.code)
    assert (call.subject, call.answers[-1]) == (f"Re: {asking.subject}", asking.message_id)
    assert bag.tell(open_card, reminder) == []


def test_who_is_called_for_the_first_time_gets_the_card_and_no_second_mail(bag: Postbag) -> None:
    call = Said("said:4", "These may approve now, too.", mention=("mia",), calls_to="card:r1")

    told = bag.tell(card(CardState.OPEN), call)

    assert [one.key for one in told] == ["card:r1@mia"]


def test_nobody_is_reminded_by_mail_of_what_was_answered_meanwhile(bag: Postbag) -> None:
    bag.tell(card(CardState.OPEN))
    reminder = Said("said:4", "Still waiting.", mention=("mia",), calls_to="card:r1")

    told = bag.titles(card(CardState.DENIED), reminder)

    assert told == [("mia", "Deploy backend to production: denied")]


# -- where answers go ----------------------------------------------------------------


def test_whoever_wrote_by_mail_hears_what_is_said_from_then_on(bag: Postbag) -> None:
    bag.thread = Thread("t", (mail_of("eve"), ASKED_IN_SLACK, ASKED_IN_SLACK, mail_of("zoe")))

    before = bag.tell(Said("said:3", "One."))
    after = bag.tell(Said("said:5", "Two."))

    assert [one.reader.id for one in before] == ["eve"]
    assert [(one.reader.id, one.subject) for one in after] == [
        ("eve", "Re: A word of eve"),
        ("zoe", "Re: A word of zoe"),
    ]


def test_nobody_is_mailed_for_a_mail_that_may_come_from_anybody(bag: Postbag) -> None:
    bag.thread = Thread("t", (mail_of("email:eve@x.example (unverified)"),))

    assert bag.tell(Said("said:2", "One."), question()) == []


def test_of_a_fork_nothing_goes_to_whoever_wrote_before_it(bag: Postbag) -> None:
    forked = Forked(at=NOON, by="ben", from_thread="t0", length=1)
    bag.thread = Thread("t", (mail_of("eve"), forked))

    assert bag.tell(Said("said:3", "One.")) == []


def test_who_is_called_to_notice_something_and_has_no_slack_gets_it_by_mail(bag: Postbag) -> None:
    told = bag.tell(
        Said("said:2", "Still needed?", mention=("ben", "mia", "email:mia@shop.example"))
    )

    assert [(one.reader.id, one.subject) for one in told] == [("mia", "Still needed?")]


def test_all_mails_of_a_person_are_named_in_what_answers_them() -> None:
    bag = Postbag(mail_of("eve"), mail_of("eve", 2))

    (letter,) = bag.tell(Said("said:3", "One."))

    assert letter.answers == ("<eve-1@shop.example>", "<eve-2@shop.example>")
    assert letter.subject == "Re: A word of eve"


# -- questions -----------------------------------------------------------------------


def asked(*to: str, **changes: Any) -> Asked:
    return replace(question("Which?", format="yes_no", urgency="high"), to=to, **changes)


def test_a_question_goes_to_who_is_to_answer_it_if_they_have_no_slack(bag: Postbag) -> None:
    assert bag.tell(asked("ann", "mia")) == [], "Ann is asked in Slack"

    (letter,) = bag.tell(asked("slack:U0STRANGER", "mia", "ann"))

    assert letter.reader.id == "mia"
    assert letter.subject == "Urgent question: Which?"
    assert bag.tell(asked("mia")) == []


def test_whoever_was_asked_hears_who_answered_and_whoever_answered_does_not(bag: Postbag) -> None:
    (question_,) = bag.tell(asked("mia"))

    assert bag.tell(asked("mia", answer="Yes", by="mia")) == []
    (over,) = bag.tell(asked("mia", answer="Yes", by="ben"))
    assert over.says.paragraphs == ("Ben answered: Yes\n\nYou need not answer any more.",)
    assert (over.subject, over.answers[-1]) == (f"Re: {question_.subject}", question_.message_id)
    assert bag.tell(asked("mia", answer="Yes", by="ben")) == []


def test_who_was_not_asked_by_mail_hears_of_no_answer(bag: Postbag) -> None:
    assert bag.tell(asked("mia", answer="Yes", by="ben")) == []
