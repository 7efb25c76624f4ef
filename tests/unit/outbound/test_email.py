import re
from collections.abc import Iterator
from datetime import timedelta
from email.message import EmailMessage

import pytest
from fakes import NOON, PEOPLE
from hypothesis import given, settings
from hypothesis import strategies as st
from letters import ANN, MAIL, Correspondence, parsed, raw_mail
from slack_cards import card, plan, request
from smtp_sink import SmtpSink

from deploybot.approvals import ApprovalRequest, Grant
from deploybot.errors import ConfigError, DeliveryError
from deploybot.events import EmailReceived
from deploybot.inbound.email import Unwanted, read
from deploybot.inbound.email_reply import Approve, Deny, meaning
from deploybot.next_step import Deploy, DoneForNow, RequestHumanInput
from deploybot.outbound.email import EmailChannel
from deploybot.outbound.email_letters import letters
from deploybot.outbound.email_rendering import message
from deploybot.outbound.smtp import SmtpSettings
from deploybot.outbox import tellings
from deploybot.telling import CardState, Said, Shown, Telling
from deploybot.thread import Thread

DEPLOY = Deploy(service="backend", ref="main", environment="production", reason="Ann asked")
MIA = "mia@shop.example"


class Post(Correspondence):
    """A company whose mails go through a real mail server."""

    def __init__(self, sink: SmtpSink) -> None:
        super().__init__()
        self.sink = sink
        self.channel = self.channel_to(sink.url)

    def channel_to(self, url: str) -> EmailChannel:
        return EmailChannel(
            SmtpSettings.from_url(url),
            MAIL,
            people=PEOPLE,
            url_of=lambda thread: f"https://bot.example/threads/{thread}",
            alias=self.story.store.name,
            now=self.story.clock.now,
        )

    def ann_writes(self, text: str = "deploy the backend", **options: str) -> "Post":
        taken = self.arrives(raw_mail(text, sender=ANN, subject="Backend?", **options))
        self.story.thread_id = taken.thread
        self.story.bot_works()
        return self

    def delivers(self, channel: EmailChannel | None = None) -> list[EmailMessage]:
        """Send what is to be sent, and return it."""
        before = len(self.sink.mails)
        thread, store = self.story.thread, self.story.store
        (channel or self.channel).deliver(
            thread,
            tellings(thread),
            store.sent(thread.id),
            lambda key, value: store.note_sent(thread.id, key, value),
        )
        return self.sink.mails[before:]


@pytest.fixture
def post() -> Iterator[Post]:
    with SmtpSink() as sink:
        yield Post(sink)


def test_an_approver_without_slack_gets_the_card_with_a_code_and_nobody_else_does(
    post: Post,
) -> None:
    post.story.model_will(DEPLOY)
    post.ann_writes()

    mails = {mail["To"]: mail for mail in post.delivers()}

    assert set(mails) == {MIA, ANN}
    assert f"deploybot+{post.code('mia')}@bot.example" in mails[MIA]["Reply-To"]
    assert mails[ANN]["Reply-To"] is None
    assert "asks for your approval" in parsed(mails[MIA], "plain")
    assert "waiting for an approval" in parsed(mails[ANN], "plain")


def test_who_asked_gets_no_code_for_their_own_request(post: Post) -> None:
    post.story.model_will(DEPLOY)
    post.story.thread_id = post.arrives(raw_mail("deploy the backend", sender=MIA)).thread
    post.story.bot_works()

    (mail,) = post.delivers()

    assert (mail["To"], mail["Reply-To"]) == (MIA, None)
    assert "waiting for an approval" in parsed(mail, "plain")


def test_the_card_shows_what_runs(post: Post) -> None:
    post.story.model_will(DEPLOY)
    post.ann_writes()

    text = parsed(post.delivers()[0], "plain")

    plan = post.request.plan
    for shown in (plan.sha, "Ann", "deploy the backend", "build it", "12:30 UTC", "Ben, Mia"):
        assert shown in text
    assert f"https://bot.example/threads/{post.request.thread}" in text


def flat(text: str) -> str:
    """Return a text on one line: where lines end is the layout's matter."""
    return " ".join(text.split())


def mail_to_mia(asked: ApprovalRequest) -> str:
    """Return what Mia reads of a request that she may approve."""
    shown = card(CardState.OPEN, request=asked)
    (letter,) = letters(Thread("t"), (shown,), {}, PEOPLE, MAIL)
    now = asked.expires_at
    written = message(letter, settings=MAIL, people=PEOPLE, url="https://bot.example/t", now=now)
    return f"{written['Reply-To']} {flat(parsed(written, 'plain'))}"


def test_the_mail_tells_how_large_a_change_is_whose_and_what_it_touches() -> None:
    text = mail_to_mia(request())

    for part in (
        "3 files, 40 lines added, 2 removed",
        "Written by: Ann Add org routes, Ben, Cem, Dee",
        "#31 Add org routes",
        "Warning: Touches backend/migrations/Add org routes",
        "Elsewhere: staging: abc1234",
        "Checked: build passed",
    ):
        assert part in text


def test_a_mail_of_several_changes_names_them_in_their_order() -> None:
    text = mail_to_mia(request(more=(plan(service="frontend"),)))

    assert "Deploy backend, then frontend to production" in text
    assert text.index("backend: abc1234 → 4af9ec0") < text.index("frontend: abc1234 → 4af9ec0")


def to_mia(shown: Telling) -> str:
    """Return what Mia reads of a request that she was asked about before."""
    (letter,) = letters(Thread("t"), (shown,), {"card:r1@mia": "{}"}, PEOPLE, MAIL)[-1:]
    written = message(letter, settings=MAIL, people=PEOPLE, url="", now=NOON)
    return flat(parsed(written, "plain"))


def several() -> ApprovalRequest:
    return request(more=(plan(service="frontend"), plan(service="worker")))


def test_a_failure_of_several_says_what_is_live_and_what_was_not_begun() -> None:
    text = to_mia(card(CardState.FAILED, request=several(), part=1))

    assert "The deploy of frontend failed at 12:00 UTC." in text
    assert "Live under the same approval: backend 4af9ec0. Not begun: worker." in text
    assert "nothing was deployed" not in text


def test_who_may_settle_an_unknown_outcome_is_told_to_look_and_where_to_say_so() -> None:
    text = to_mia(card(CardState.UNKNOWN, "switch"))

    assert "A worker died, and the outcome is not known. Nothing was run again." in text
    assert "Have a look at what runs there, and say how it ended: over the API." in text


def test_what_is_approved_for_later_says_when_it_starts_and_how_it_is_stopped() -> None:
    later = request(start_at=NOON + timedelta(hours=14))

    text = to_mia(card(CardState.SCHEDULED, request=later))

    assert "Deploy backend to production: approved" in text
    assert "It starts 3 March 2026, 02:00 UTC, unless somebody stops it: reply with" in text


def test_what_was_stopped_after_its_approval_is_not_called_denied() -> None:
    yes = (Grant(by="ben", at=NOON),)

    text = to_mia(card(CardState.DENIED, by="ann", grants=yes))

    assert "production: stopped" in text
    assert "Stopped by Ann at 12:00 UTC, before it started; nothing was deployed." in text


def test_who_waits_in_line_is_told_so_by_one_mail() -> None:
    waits = card(CardState.IN_LINE)
    said = Said("line:backend:production", "Number 2 in line for backend on production.")
    asked = EmailReceived(
        at=NOON,
        by="eve",
        delivery="m1",
        address="eve@shop.example",
        name="Eve",
        subject="Backend?",
        text="please",
        message_id="<1@shop.example>",
    )

    sent = letters(Thread("t", (asked,)), (waits, said), {}, PEOPLE, MAIL)

    assert [letter.key for letter in sent] == ["card:r1:in_line@eve"]


@pytest.mark.parametrize("number", [1, 3])
def test_a_dry_run_by_mail_shows_the_facts_and_can_be_answered_by_nobody(number: int) -> None:
    plans = tuple(plan(service=f"service-{n}") for n in range(number))
    asked = EmailReceived(
        at=NOON,
        by="eve",
        delivery="m1",
        address="eve@shop.example",
        name="Eve",
        subject="Backend?",
        text="what if?",
        message_id="<1@shop.example>",
    )

    (letter,) = letters(Thread("t", (asked,)), (Shown("said:2", plans, NOON),), {}, PEOPLE, MAIL)

    written = message(letter, settings=MAIL, people=PEOPLE, url="", now=NOON)
    text = parsed(written, "plain")
    assert "This was a dry run, so nothing was done and nothing waits: Deploy service-0" in text
    assert "Would start: 2 March 2026, 12:00 UTC" in text
    assert "Reply-To" not in written
    assert "by reply" not in str(parsed(written, "html"))


def test_what_must_be_confirmed_on_its_own_cannot_be_approved_by_mail() -> None:
    ordinary = mail_to_mia(request())
    special = mail_to_mia(request(plan=plan(confirm=("It is older than what is live.",))))

    assert "deploybot+" in ordinary
    assert "Warning: It is older than what is live." in special
    assert "This must be confirmed on its own, so not by mail: answer on the page" in special
    assert "deploybot+" not in special


def test_a_reply_to_the_card_approves_it(post: Post) -> None:
    post.story.model_will(DEPLOY)
    post.ann_writes()
    (card,) = (mail for mail in post.delivers() if mail["To"] == MIA)

    taken = post.arrives(raw_mail("Approve", sender=MIA, to=str(card["Reply-To"])))

    assert taken.outcome == "approved"


def test_each_mail_is_sent_once_and_the_end_is_told_once(post: Post) -> None:
    post.story.model_will(DEPLOY, DoneForNow(message="All is live."))
    post.ann_writes()
    first = post.delivers()
    post.story.approves(by="ben")

    second = post.delivers()

    assert len(first) == 2
    told = [(mail["To"], parsed(mail, "plain").partition("\n")[0]) for mail in second]
    assert (MIA, "Deploy backend to production: live") in told
    assert (ANN, "Deploy backend to production: live") in told
    assert (ANN, "All is live.") in told
    assert len({mail["Message-ID"] for mail in post.sink.mails}) == len(post.sink.mails)
    assert post.delivers() == []


def test_mails_stay_in_their_conversation(post: Post) -> None:
    post.story.model_will(DEPLOY, DoneForNow(message="All is live."))
    post.ann_writes()
    (card,) = (mail for mail in post.delivers() if mail["To"] == MIA)
    post.story.approves(by="ben")

    after = post.delivers()

    (to_mia,) = (mail for mail in after if mail["To"] == MIA)
    assert to_mia["In-Reply-To"] == card["Message-ID"]
    for mail in (mail for mail in after if mail["To"] == ANN):
        assert "<m1@shop.example>" in mail["References"]
        assert mail["Subject"] == "Re: Backend?"


def test_whoever_replies_without_a_code_is_in_the_same_thread(post: Post) -> None:
    post.story.model_will(DoneForNow(message="Nothing to do."))
    post.ann_writes()
    (answer,) = post.delivers()
    headers = (("In-Reply-To", str(answer["Message-ID"])),)

    taken = post.arrives(
        raw_mail("and now?", sender=ANN, headers=headers, message_id="<m2@shop.example>")
    )

    assert taken.thread == post.story.thread_id


def test_a_question_is_put_to_who_asked(post: Post) -> None:
    post.story.model_will(
        RequestHumanInput(question="Which?", format="multiple_choice", choices=("a", "b"))
    )
    post.ann_writes()

    (mail,) = post.delivers()

    assert "Which?" in parsed(mail, "plain")
    assert "1. a" in parsed(mail, "plain")
    assert "2. b" in parsed(mail, "plain")


def test_a_refusal_is_told_once_an_hour(post: Post) -> None:
    post.story.model_will(DEPLOY)
    post.ann_writes()
    (card,) = (mail for mail in post.delivers() if mail["To"] == MIA)
    for number in range(3):
        raw = raw_mail(
            "\n> approve", sender=MIA, to=str(card["Reply-To"]), message_id=f"<{number}@x.example>"
        )
        post.arrives(raw)

    told = post.delivers()

    assert [mail["To"] for mail in told] == [MIA]
    assert "nothing was approved" in " ".join(parsed(told[0], "plain").split())
    post.story.clock.passes(hours=2)
    post.arrives(
        raw_mail("\n> ok", sender=MIA, to=str(card["Reply-To"]), message_id="<late@x.example>")
    )
    assert len(post.delivers()) == 1


@pytest.mark.parametrize("result", ["mx.bot.example; dmarc=fail header.from=shop.example", ""])
def test_a_sender_who_may_be_anybody_gets_no_mail(post: Post, result: str) -> None:
    post.story.model_will(DoneForNow(message="hello"))
    raw = raw_mail("hi", sender=ANN, results=(result,) if result else ())
    post.story.thread_id = post.arrives(raw).thread
    post.story.bot_works()

    assert post.delivers() == []


def test_the_bots_own_mails_are_told_from_peoples(post: Post) -> None:
    post.story.model_will(DoneForNow(message="hello"))
    post.ann_writes()
    (mail,) = post.delivers()

    mail.replace_header("From", "ann@shop.example")

    assert isinstance(read(mail.as_bytes(), MAIL), Unwanted)
    assert mail["Auto-Submitted"] == "auto-generated"


def test_the_bots_own_words_sent_back_decide_nothing(post: Post) -> None:
    post.story.model_will(DEPLOY)
    post.ann_writes("approve this")
    for mail in post.delivers():
        for quoted in (
            parsed(mail, "plain"),
            re.sub("^", "> ", parsed(mail, "plain"), flags=re.MULTILINE),
        ):
            assert not isinstance(meaning(quoted), Approve | Deny)


def test_foreign_text_is_text_in_html_and_headers(post: Post) -> None:
    nasty = "<script>alert(1)</script> <img src=x> \u202e \u200b"
    post.story.model_will(DEPLOY)
    post.ann_writes(f"deploy the backend {nasty}")
    card = post.delivers()[0]

    html = parsed(card, "html")

    assert "<script" not in html
    assert "<img" not in html
    assert "&lt;script&gt;" in html
    assert not set("\u202e\u200b") & set(html)
    assert re.findall(r'(?:src|href)="(?!mailto:|https://bot\.example/)', html) == []


@settings(max_examples=30, deadline=None)
@given(st.text())
def test_no_subject_breaks_a_mail(subject: str) -> None:
    with SmtpSink() as sink:
        post = Post(sink)
        post.story.model_will(DoneForNow(message=subject))
        raw = raw_mail("hi", sender=ANN, subject=" ".join(subject.split()) or "x")
        post.story.thread_id = post.arrives(raw).thread
        post.story.bot_works()

        assert len(post.delivers()) == 1


# -- when the mail server does not take them ---------------------------------------


def test_what_is_not_taken_now_is_sent_later_and_keeps_nobody_elses_mail_back(post: Post) -> None:
    post.story.model_will(DEPLOY)
    post.ann_writes()
    post.sink.answers[MIA] = "451 greylisted"

    with pytest.raises(DeliveryError) as refused:
        post.delivers()

    assert refused.value.retry_after == 30
    assert post.sink.recipients == [ANN]
    post.sink.answers.clear()
    assert [mail["To"] for mail in post.delivers()] == [MIA]


def test_whatever_else_wakes_the_thread_meanwhile_makes_nobody_wait_longer(post: Post) -> None:
    post.story.model_will(DoneForNow(message="Nothing to do."))
    post.ann_writes()
    post.sink.answers[ANN] = "452 the mailbox is full"

    for _ in range(6):
        with pytest.raises(DeliveryError) as refused:
            post.delivers()

    assert refused.value.retry_after == 30


def test_each_try_waits_longer_and_after_days_it_is_the_last(post: Post) -> None:
    post.story.model_will(DoneForNow(message="Nothing to do."))
    post.ann_writes()
    post.sink.answers[ANN] = "452 the mailbox is full"

    waits = []
    for _ in range(9):
        with pytest.raises(DeliveryError) as refused:
            post.delivers()
        waits.append(refused.value.retry_after)
        post.story.clock.passes(seconds=refused.value.retry_after)

    assert waits == pytest.approx([30, 30, 60, 120, 240, 480, 960, 1920, 3600], abs=1)
    post.story.clock.passes(days=4)
    with pytest.raises(DeliveryError) as last:
        post.delivers()
    assert last.value.retry_after is None or last.value.retry_after > 0
    assert post.delivers() == []


def test_an_address_that_is_refused_for_good_keeps_no_other_mail_back(post: Post) -> None:
    post.story.model_will(DEPLOY)
    post.ann_writes()
    post.sink.answers[MIA] = "550 no such person"

    with pytest.raises(DeliveryError, match="for good") as refused:
        post.delivers()

    assert refused.value.retry_after is None
    assert post.sink.recipients == [ANN]
    assert post.delivers() == []


def test_a_server_that_is_away_is_tried_again(post: Post) -> None:
    post.story.model_will(DEPLOY)
    post.ann_writes()
    with SmtpSink() as gone:
        away = post.channel_to(gone.url)

    with pytest.raises(DeliveryError) as refused:
        post.delivers(away)

    assert refused.value.retry_after == 30
    assert post.story.store.sent(post.story.thread_id) == {}


def test_a_password_is_never_sent_in_the_clear(post: Post) -> None:
    post.story.model_will(DEPLOY)
    post.ann_writes()
    clear = post.channel_to(post.sink.url.replace("smtp://", "smtp://bot:secret@"))

    with pytest.raises(DeliveryError) as refused:
        post.delivers(clear)

    assert refused.value.retry_after is not None
    assert "secret" not in str(refused.value)
    assert post.sink.mails == []


@pytest.mark.parametrize("url", ["", "http://x", "smtp://", "smtp://host:abc", "smtp://host:0"])
def test_a_wrong_address_of_the_server_is_named(url: str) -> None:
    with pytest.raises(ConfigError, match="DEPLOYBOT_SMTP_URL"):
        SmtpSettings.from_url(url)


def test_the_address_of_the_server_says_how_to_speak_to_it() -> None:
    read_back = [
        (settings.host, settings.port, settings.tls, settings.password.get_secret_value())
        for settings in map(
            SmtpSettings.from_url,
            ["smtp://h", "smtp://u:p%40ss@h:2525", "smtps://u:p@h"],
        )
    ]

    assert read_back == [
        ("h", 587, "offered", ""),
        ("h", 2525, "starttls", "p@ss"),
        ("h", 465, "implicit", "p"),
    ]
