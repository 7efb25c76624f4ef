"""Bounces: believed only about our own mails, never anybody's words, and told where people are."""

from dataclasses import dataclass, field
from email.message import EmailMessage

import pytest
from fakes import PEOPLE, FakeMailNotes
from letters import BEN, BOT, MAIL, Correspondence, raw_mail, room_of
from smtp_sink import SmtpSink

from deploybot.errors import DeliveryError
from deploybot.events import MailBounced
from deploybot.inbound.email_intake import Taken
from deploybot.inbound.email_returns import Returns
from deploybot.outbound.email import EmailChannel
from deploybot.outbound.smtp import SmtpSettings
from deploybot.outbox import tellings
from deploybot.telling import Said
from deploybot.thread import Status

MIA = "mia@shop.example"


@dataclass
class Post:
    """A request that Mia was asked about by mail."""

    sink: SmtpSink
    post: Correspondence = field(default_factory=lambda: Correspondence().opened())
    notes: FakeMailNotes = field(default_factory=FakeMailNotes)

    def __post_init__(self) -> None:
        story = self.post.story
        self.returns = Returns(story.inbox, story.store, PEOPLE, self.notes)
        self.channel = EmailChannel(
            SmtpSettings.from_url(self.sink.url),
            MAIL,
            people=PEOPLE,
            url_of=lambda thread: f"https://bot.example/threads/{thread}",
            alias=story.store.name,
            now=story.clock.now,
            notes=self.notes,
            came_back=lambda *what: self.returns.refused(*what, story.clock.now()),
        )

    def delivers(self) -> list[str]:
        """Send what is to be sent now, and return to whom it went."""
        thread, store = self.post.story.thread, self.post.story.store
        before = len(self.sink.recipients)
        prefixed = {k: v for k, v in store.sent(thread.id).items() if k.startswith("email:")}
        sent = {key.removeprefix("email:"): value for key, value in prefixed.items()}
        self.channel.deliver(
            thread,
            tellings(thread),
            sent,
            lambda key, value: store.note_sent(thread.id, f"email:{key}", value),
        )
        return self.sink.recipients[before:]

    def takes(self, raw: bytes) -> Taken:
        room = room_of(self.post.story)
        return type(room)(room.desk, self.returns, room.settings, room.look_up).take(
            raw, self.post.story.clock.now()
        )

    @property
    def bounces(self) -> list[MailBounced]:
        events = self.post.story.thread.events
        return [event for event in events if isinstance(event, MailBounced)]


@pytest.fixture
def post() -> Post:
    with SmtpSink() as sink:
        yield Post(sink)


def report(
    message_id: str,
    *,
    to: str = MIA,
    action: str = "failed",
    sender: str = "MAILER-DAEMON@mx.example",
) -> bytes:
    """Return a report about a mail, as a mail server writes it."""
    return f"""Return-Path: <>
From: {sender}
To: {BOT}
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

approve

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example

Final-Recipient: rfc822; {to}
Action: {action}
Status: 5.1.1

--b
Content-Type: text/rfc822-headers

From: {BOT}
To: {to}
Message-ID: {message_id}

--b--
""".replace("\n", "\r\n").encode()


def sent_to(post: Post, address: str) -> EmailMessage:
    return next(mail for mail in post.sink.mails if mail["To"] == address)


@pytest.mark.row(37)
def test_a_mail_that_came_back_is_told_in_the_thread_and_no_more_go_there(post: Post) -> None:
    assert post.delivers() == [MIA]

    taken = post.takes(report(str(sent_to(post, MIA)["Message-ID"])))

    assert (taken.thread, taken.outcome) == (post.post.story.thread.id, "bounced")
    (bounce,) = post.bounces
    assert (bounce.person, bounce.address) == ("mia", MIA)
    said = next(one for one in post.post.story.told if isinstance(one, Said))
    assert said.mention == ("mia",)
    assert MIA in said.text
    assert "please answer here" in said.text
    assert post.post.story.thread.status is Status.AWAITING_APPROVAL
    post.post.story.denies("later", by="ben")
    assert MIA not in post.delivers()


def test_the_same_bounce_again_changes_nothing(post: Post) -> None:
    post.delivers()
    raw = report(str(sent_to(post, MIA)["Message-ID"]))

    post.takes(raw)
    post.takes(raw)

    assert len(post.bounces) == 1


def test_mail_goes_there_again_after_a_while(post: Post) -> None:
    post.delivers()
    post.takes(report(str(sent_to(post, MIA)["Message-ID"])))

    post.notes.bad.clear()  # as when its time is over
    post.post.story.denies("later", by="ben")

    assert MIA in post.delivers()


@pytest.mark.parametrize(
    ("message_id", "to"),
    [
        (f"<{'a' * 32}@bot.example>", MIA),
        ("<other@shop.example>", MIA),
        ("", MIA),
        ("its own", BEN),
        ("its own", "nobody@else.example"),
    ],
    ids=["a guessed name", "another's mail", "no name", "somebody else", "a stranger"],
)
def test_nobody_else_can_stop_somebodys_mail(post: Post, message_id: str, to: str) -> None:
    post.delivers()
    own = str(sent_to(post, MIA)["Message-ID"])

    taken = post.takes(report(own if message_id == "its own" else message_id, to=to))

    assert taken.outcome.startswith("ignored: ")
    assert post.bounces == []
    assert post.notes.bad == set()


def test_a_mail_that_is_only_late_changes_nothing(post: Post) -> None:
    post.delivers()

    taken = post.takes(report(str(sent_to(post, MIA)["Message-ID"]), action="delayed"))

    assert taken.outcome == "ignored: a delay"
    assert post.bounces == []


def test_a_bounce_is_never_words_whoever_seems_to_send_it(post: Post) -> None:
    post.delivers()
    own = str(sent_to(post, MIA)["Message-ID"])

    for sender in ("MAILER-DAEMON@mx.example", "postmaster@shop.example", BEN):
        taken = post.takes(report(own, sender=sender))
        assert taken.outcome in ("bounced", "ignored: a bounce: it has no sender")
    kinds = [event.kind for event in post.post.story.thread.events]
    assert "approval_granted" not in kinds
    assert "email_received" not in kinds


def test_an_automatic_answer_that_quotes_our_mail_is_no_bounce(post: Post) -> None:
    post.delivers()
    headers = (
        ("Auto-Submitted", "auto-replied"),
        ("In-Reply-To", str(post.sink.mails[0]["Message-ID"])),
    )

    taken = post.takes(raw_mail("I am away.", sender=MIA, headers=headers))

    assert taken.outcome.startswith("ignored: an automatic answer")
    assert post.bounces == []


def test_an_address_that_the_mail_server_refuses_for_good_counts_as_one(post: Post) -> None:
    post.sink.answers[MIA] = "550 5.1.1 no such user"

    with pytest.raises(DeliveryError):
        post.delivers()

    assert [bounce.person for bounce in post.bounces] == ["mia"]
    assert post.notes.is_bad(MIA)
    assert post.delivers() == []


def test_one_that_is_refused_for_now_is_tried_again_and_is_no_bounce(post: Post) -> None:
    post.sink.answers[MIA] = "451 4.3.0 later"
    with pytest.raises(DeliveryError):
        post.delivers()
    assert post.bounces == []

    post.sink.answers.clear()

    assert post.delivers() == [MIA]
