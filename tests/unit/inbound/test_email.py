import random
from datetime import timedelta

import pytest
from fakes import NOON
from hypothesis import given
from hypothesis import strategies as st
from letters import ANN, BEN, BOT, EVE, MAIL, Correspondence, html_mail, raw_mail, vouched
from story import Story

from deploybot.errors import InboundError
from deploybot.events import AnswerRefused, ApprovalDenied, EmailReceived
from deploybot.inbound.email import Mail, Quarantined, Unwanted, read
from deploybot.inbound.email_authentication import passes_dmarc
from deploybot.inbound.email_delivery import sign, verify
from deploybot.mail import MailSettings, is_unverified, message_alias
from deploybot.next_step import DoneForNow, RequestHumanInput
from deploybot.thread import Status

PASS = "mx.bot.example; dmarc=pass header.from=shop.example"
FAIL = "mx.bot.example; dmarc=fail header.from=shop.example"


@pytest.fixture
def post() -> Correspondence:
    return Correspondence()


# -- who wrote it ------------------------------------------------------------------


@pytest.mark.parametrize(
    "header",
    [
        PASS,
        (
            "mx.bot.example 1; spf=pass smtp.mailfrom=shop.example; dkim=pass header.d=shop.example; "
            "dmarc=pass (p=reject dis=none) header.from=shop.example"
        ),
        "MX.bot.example;\r\n dmarc=PASS\r\n header.from=Shop.Example",
        "mx.bot.example; dmarc=pass action=none header.from=shop.example;",
        'mx.bot.example; dmarc=pass reason="good (enough)" header.from=shop.example',
        "mx.bot.example (ours); dmarc=pass (a (nested) comment) header.from=shop.example",
    ],
)
def test_a_pass_of_our_own_server_vouches_for_the_sender(header: str) -> None:
    assert passes_dmarc([header], "mx.bot.example", "shop.example")


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [FAIL],
        [FAIL, PASS],
        ["mx.evil.example; dmarc=pass header.from=shop.example"],
        ["mx.evil.example; dmarc=pass header.from=shop.example", FAIL],
        ["mx.bot.example.evil.example; dmarc=pass header.from=shop.example"],
        ["mx.bot.example; dmarc=pass header.from=evil.example"],
        ["mx.bot.example; dmarc=pass header.from=shop.example.evil.example"],
        ["mx.bot.example; dmarc=pass header.from=sub.shop.example"],
        ["mx.bot.example; dmarc=pass"],
        ["mx.bot.example; dmarc=pass header.d=shop.example"],
        ["mx.bot.example; dmarc=bestguesspass header.from=shop.example"],
        ["mx.bot.example; dmarc=passed header.from=shop.example"],
        ["mx.bot.example; xdmarc=pass header.from=shop.example"],
        ["mx.bot.example; dmarc=pass header.from=shop.example; dmarc=fail header.from=x.example"],
        ["mx.bot.example; dmarc=pass header.from=shop.example header.from=evil.example"],
        ["mx.bot.example; (dmarc=pass header.from=shop.example)"],
        ['mx.bot.example; spf=none smtp.mailfrom="; dmarc=pass header.from=shop.example'],
        ['mx.bot.example; spf=none smtp.mailfrom="; dmarc=pass header.from=shop.example"'],
        ['mx.bot.example; spf=none smtp.mailfrom="\\"; dmarc=pass header.from=shop.example'],
        ["mx.bot.example; spf=none (; dmarc=pass header.from=shop.example"],
        ["mx.bot.example; spf=none ); dmarc=pass header.from=shop.example"],
        ["mx.bot.example; dmarc=pass header.from=shop.example\u200b"],
        ["mx.bot.example; dmarc=pass header.from=shop.example\r\nX: y"],
        ["mx.bot.example; dmarc=pass header.from=shop.example" + " " * 9000],
        ["mx.bot.example none", PASS],
        ["mx.bot.example; none", PASS],
        ["mx.bot.example 2; dmarc=pass header.from=shop.example", PASS],
        ['"mx.bot.example"; dmarc=fail header.from=shop.example', PASS],
        ["(x) mx.bot.example (; dmarc=fail", PASS],
    ],
)
def test_anything_else_does_not(headers: list[str]) -> None:
    assert not passes_dmarc(headers, "mx.bot.example", "shop.example")


@given(st.text(alphabet='mx.bot.example;= \t"()\\dmarcpassheader.fromshop,/1'))
def test_no_header_without_a_clear_pass_vouches(header: str) -> None:
    assert not passes_dmarc([header.replace("pass", "")], "mx.bot.example", "shop.example")


@pytest.mark.parametrize(
    "sender",
    [
        f'"{BEN}" <evil@evil.example>',
        f"<{BEN}>@evil.example",
        f"{BEN}, evil@evil.example",
        f"evil@evil.example, {BEN}",
        f"{BEN})evil@evil.example",
        f"{BEN} <evil@evil.example>",
        f"Ben <{BEN}> <evil@evil.example>",
        f"<evil@evil.example> {BEN}",
        f"Boss: {BEN};",
        f"{BEN} (really)",
        "Ben <ben@shop.example\x00>",
        "Ben <ben@shop.example\u200b>",
        "Ben <ben@sh\u043ep.example>",
        "ben@shop.example@evil.example",
        "<@evil.example:ben@shop.example>",
        "ben@localhost",
        "Ben",
        "",
        "=?utf-8?q?ben=40shop.example?= <evil@evil.example>",
        "=?utf-8?q?ben=40shop.example_=3Cben=40shop.example=3E?= <evil@evil.example>",
        f'"Ben" <{BEN}',
        f"Ben\r\n <{BEN}>\r\n <evil@evil.example>",
    ],
)
def test_a_sender_that_only_looks_like_ben_is_not_ben(post: Correspondence, sender: str) -> None:
    post.opened()
    raw = raw_mail("approve", sender=sender, to=post.address("ben"), results=(PASS,))

    mail = read(raw, MAIL)
    if isinstance(mail, Mail):
        post.desk.take(mail, NOON)

    assert post.story.thread.status is Status.AWAITING_APPROVAL


def test_two_from_headers_are_nobody(post: Correspondence) -> None:
    post.opened()
    raw = raw_mail("approve", to=post.address("ben"), headers=(("From", "evil@evil.example"),))

    assert isinstance(post.refused(raw), Quarantined)


def test_the_name_beside_the_address_is_kept_without_tricks() -> None:
    mail = read(raw_mail("hi", sender='"Ben\u202e \u200bB." <ben@shop.example>'), MAIL)

    assert isinstance(mail, Mail | Quarantined)
    if isinstance(mail, Mail):
        assert mail.name == "Ben B."


# -- what is not a person's words --------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Auto-Submitted", "auto-replied"),
        ("Auto-Submitted", "auto-generated; owner=x"),
        ("Precedence", "bulk"),
        ("Precedence", "list"),
        ("Precedence", "Auto_Reply"),
        ("Return-Path", "<>"),
        ("List-Id", "deploybot <threads.deploybot.bot.example>"),
        ("X-Auto-Response-Suppress", "All"),
        ("X-Autoreply", "yes"),
    ],
)
def test_machines_are_not_listened_to(name: str, value: str) -> None:
    raw = raw_mail("approve", headers=((name, value),))

    assert isinstance(read(raw, MAIL), Unwanted)


@pytest.mark.parametrize("sender", [BOT, "deploybot+" + "a" * 26 + "@bot.example"])
def test_the_bot_does_not_listen_to_itself(sender: str) -> None:
    assert isinstance(read(raw_mail("approve", sender=sender), MAIL), Unwanted)


def test_a_person_who_says_so_is_no_machine() -> None:
    assert isinstance(read(raw_mail("hi", headers=(("Auto-Submitted", "no"),)), MAIL), Mail)


# -- what cannot be read -----------------------------------------------------------


def nested(depth: int) -> bytes:
    head = b"From: ben@shop.example\r\n"
    for level in range(depth):
        head += b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (level, level)
    return head


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xff" * 1000,
        raw_mail("x" * 5_000_001),
        nested(5000),
        nested(50),
        raw_mail("hi") + b"\r\n--b\r\nContent-Type: text/plain\r\n\r\nx" * 5000,
        raw_mail("hi").replace(b"utf-8", b"no-such-charset"),
        raw_mail("hi").replace(b"utf-8", b"zlib"),
        raw_mail("hi").replace(b"text/plain", b"text/plain/x; ;; =;"),
        raw_mail("hi").replace(b"text/plain", b"message/rfc822"),
        raw_mail("hi").replace(b"text/plain", b"multipart/mixed"),
        raw_mail("hi", message_id=""),
        raw_mail("hi", subject="=?utf-8?q?=FF?= =?x?x?x?="),
        raw_mail("hi", headers=(("Content-Transfer-Encoding", "base64"),)),
        raw_mail("hi", headers=(("X", "y" * 500_000),)),
        raw_mail("hi", to=f"{BOT}, " * 30_000),
        b"From ben\n" + raw_mail("hi"),
        raw_mail("\ud800 \x00 half", subject="\x00"),
    ],
)
def test_bad_mail_is_read_or_put_aside_and_never_an_error(raw: bytes) -> None:
    assert isinstance(read(raw, MAIL), Mail | Quarantined)


@pytest.mark.parametrize("seed", range(100))
def test_a_mangled_mail_approves_nothing_that_its_sender_could_not(
    post: Correspondence, seed: int
) -> None:
    chance = random.Random(seed)
    post.opened()
    mangled = bytearray(raw_mail("approve", sender=EVE, to=post.address("ben")))
    for _ in range(chance.randint(1, 40)):
        where = chance.randrange(len(mangled))
        mangled[where : where + chance.randint(0, 3)] = chance.randbytes(chance.randint(0, 3))

    mail = read(bytes(mangled), MAIL)
    if isinstance(mail, Mail):
        post.desk.take(mail, NOON)

    assert post.story.thread.status is Status.AWAITING_APPROVAL


def test_mail_that_cannot_be_read_leaves_a_note_with_its_hash(post: Correspondence) -> None:
    put_aside = read(raw_mail("x" * 5_000_001), MAIL)
    assert isinstance(put_aside, Quarantined)

    taken = post.desk.quarantine(put_aside, NOON)
    again = post.desk.quarantine(put_aside, NOON)

    (note,) = post.story.store.load(taken.thread).events
    assert again.thread == taken.thread
    assert isinstance(note, AnswerRefused)
    assert put_aside.digest in note.text
    assert "larger than 5000000 bytes" in note.text


# -- the mail server's signature ---------------------------------------------------


def test_a_signed_delivery_is_taken_and_one_flipped_byte_is_not() -> None:
    raw = raw_mail("hi")
    headers = list(sign("secret", int(NOON.timestamp()), raw).items())

    verify(["old", "secret"], raw, headers, NOON)

    with pytest.raises(InboundError, match="does not fit"):
        verify(["secret"], raw[:-1] + b"!", headers, NOON)


@pytest.mark.parametrize("seconds", [-301, 301])
def test_an_old_delivery_is_refused(seconds: int) -> None:
    raw = raw_mail("hi")
    headers = list(sign("secret", int(NOON.timestamp()), raw).items())

    with pytest.raises(InboundError, match="old"):
        verify(["secret"], raw, headers, NOON + timedelta(seconds=seconds))


@pytest.mark.parametrize("stamp", ["", "abc", "1.5", "-1", "9" * 5000, "\u0661", " 1"])
@pytest.mark.parametrize("claim", ["", "sha256=", "sha1=" + "0" * 40, "sha256=é", "v0=1"])
def test_garbled_signatures_are_refused_and_never_an_error(stamp: str, claim: str) -> None:
    headers = [("X-Deploybot-Timestamp", stamp), ("X-Deploybot-Signature", claim)]

    with pytest.raises(InboundError) as refused:
        verify(["secret"], b"\xff", headers, NOON)

    assert refused.value.status == 401


def test_no_secret_opens_nothing() -> None:
    headers = list(sign("", int(NOON.timestamp()), b"").items())

    for secrets in ([], [""]):
        with pytest.raises(InboundError):
            verify(secrets, b"", headers, NOON)


# -- what it does ------------------------------------------------------------------


def test_a_reply_with_the_code_approves_once(post: Correspondence) -> None:
    post.opened()
    raw = raw_mail("approve\n\nlooks good", to=post.address("ben"))

    taken = post.arrives(raw)
    again = post.arrives(raw)

    assert (taken.outcome, again.outcome) == ("approved", "duplicate")
    post.story.model_will(DoneForNow(message="live")).bot_works()
    assert post.story.kinds.count("approval_granted") == 1
    assert post.story.kinds.count("deploy_started") == 1


def test_a_no_reaches_the_agent_with_its_words(post: Correspondence) -> None:
    post.opened()
    address = post.address("ben")

    post.arrives(raw_mail("Deny: the frontend first\n\n> approve", to=f"deploybot <{address}>"))

    denied = post.story.thread.events[-1]
    assert isinstance(denied, ApprovalDenied)
    assert (denied.by, denied.feedback) == ("ben", "the frontend first")


def test_html_alone_can_answer_too(post: Correspondence) -> None:
    post.opened()

    taken = post.arrives(
        html_mail("<p>Approve</p><blockquote>x</blockquote>", to=post.address("ben"))
    )

    assert taken.outcome == "approved"


def test_other_words_close_the_request_and_go_to_the_agent(post: Correspondence) -> None:
    post.opened()
    raw = raw_mail("No, don't deploy\n\n> approve\n", to=post.address("ben"))

    taken = post.arrives(raw)

    assert taken.outcome == "heard"
    assert [mail.text for mail in post.mails_in(taken.thread)] == ["No, don't deploy"]
    assert post.story.thread.status is Status.WORKING


@pytest.mark.parametrize("text", ["> yes?\napprove", "\n\n> approve\n"])
def test_an_answer_that_cannot_be_made_out_is_asked_for_again(
    post: Correspondence, text: str
) -> None:
    post.opened()

    post.arrives(raw_mail(text, to=post.address("ben")))

    refused = post.story.thread.events[-1]
    assert isinstance(refused, AnswerRefused)
    assert (refused.reason_code, refused.address) == ("unreadable", BEN)
    assert post.story.thread.status is Status.AWAITING_APPROVAL


@pytest.mark.parametrize(
    ("sender", "results"),
    [
        ("evil@evil.example", None),
        (EVE, None),
        (BEN, (FAIL,)),
        (BEN, ()),
        (BEN, ("mx.evil.example; dmarc=pass header.from=shop.example",)),
    ],
    ids=["a stranger", "a colleague", "dmarc fails", "nobody vouches", "a forged vouch"],
)
def test_somebody_elses_code_is_refused_told_to_its_owner_and_ended(
    post: Correspondence, sender: str, results: tuple[str, ...] | None
) -> None:
    post.opened()
    address = post.address("ben")

    taken = post.arrives(raw_mail("approve", sender=sender, to=address, results=results))
    later = post.arrives(raw_mail("approve", to=address, message_id="<m2@shop.example>"))

    stolen, revoked = post.story.thread.events[-2:]
    assert isinstance(stolen, AnswerRefused)
    assert isinstance(revoked, AnswerRefused)
    assert (taken.outcome, stolen.address) == ("code_misused", BEN)
    assert (later.outcome, revoked.address) == ("code_revoked", BEN)
    assert post.story.thread.status is Status.AWAITING_APPROVAL
    assert post.story.approves(by="mia").accepted


def test_a_code_is_good_for_its_own_request_only(post: Correspondence) -> None:
    post.opened()
    old = post.address("ben")
    post.story.denies("not now", by="ben")
    second = Correspondence(post.story).opened()

    taken = second.arrives(raw_mail("approve", to=old))

    assert taken.outcome == "closed"
    assert second.story.thread.status is Status.AWAITING_APPROVAL


def test_who_asked_cannot_approve_by_mail_either(post: Correspondence) -> None:
    post.opened()

    taken = post.arrives(raw_mail("approve", sender=ANN, to=post.address("ann")))

    assert taken.outcome == "own_request"
    assert post.story.thread.status is Status.AWAITING_APPROVAL


def test_an_expired_request_cannot_be_approved(post: Correspondence) -> None:
    post.opened()
    post.story.clock.passes(hours=1)

    assert post.arrives(raw_mail("approve", to=post.address("ben"))).outcome == "expired"


def test_what_must_be_confirmed_on_its_own_is_denied_by_mail_and_never_approved() -> None:
    story = Story()
    story.deployer.confirms = ("It is older than what is live.",)
    post = Correspondence(story).opened()

    approved = post.arrives(raw_mail("approve", to=post.address("ben")))
    denied = post.arrives(raw_mail("deny: not now", to=post.address("ben"), message_id="<m2@x>"))

    assert approved.outcome == "not_by_mail"
    assert not story.thread.standing.grants
    assert denied.outcome == "denied"


def test_an_environment_may_be_closed_to_mail() -> None:
    settings = MailSettings(BOT, "mx.bot.example", b"s" * 32, frozenset({"staging"}))
    post = Correspondence(settings=settings).opened()

    taken = post.arrives(raw_mail("approve", to=post.address("ben")))

    assert taken.outcome == "not_by_mail"
    assert post.story.thread.status is Status.AWAITING_APPROVAL


@pytest.mark.parametrize("to", [BOT, f"deploybot+{'a' * 26}@bot.example"])
def test_a_yes_without_a_good_code_is_answered_with_what_to_do(
    post: Correspondence, to: str
) -> None:
    post.opened()

    taken = post.arrives(raw_mail("approve", to=to))

    (note,) = post.story.store.load(taken.thread).events
    assert isinstance(note, AnswerRefused)
    assert note.address == BEN
    assert "nothing was approved" in note.text
    assert post.story.thread.status is Status.AWAITING_APPROVAL


def test_a_yes_in_the_thread_without_a_code_leaves_the_request_open(post: Correspondence) -> None:
    post.opened()
    post.story.store.name(message_alias("<card@bot.example>"), post.request.thread)

    taken = post.arrives(raw_mail("yes", headers=(("In-Reply-To", "<card@bot.example>"),)))

    assert (taken.thread, taken.outcome) == (post.request.thread, "no_code")
    assert post.story.thread.status is Status.AWAITING_APPROVAL


def test_a_question_is_answered_by_a_reply(post: Correspondence) -> None:
    ask = RequestHumanInput(question="Which one?", format="yes_no")
    post.story.model_will(ask).person_says("deploy", by="ann")
    post.story.store.name(message_alias("<q@bot.example>"), post.story.thread.id)

    taken = post.arrives(raw_mail("Yes\n\n> Which", headers=(("References", "<q@bot.example>"),)))

    assert taken.outcome == "answered"
    assert post.story.kinds[-1] == "answered"


def test_a_known_person_starts_a_thread_and_goes_on_in_it(post: Correspondence) -> None:
    first = post.arrives(raw_mail("deploy backend", sender=ANN, subject="Please"))
    post.story.model_will(DoneForNow(message="done")).bot_works()
    headers = (("In-Reply-To", "<m1@shop.example>"),)
    second = post.arrives(
        raw_mail("and the frontend?", sender=ANN, headers=headers, message_id="<m2@shop.example>")
    )

    assert first.thread == second.thread
    assert [mail.by for mail in post.mails_in(first.thread)] == ["ann", "ann"]


def test_a_subject_alone_is_enough_to_begin_with(post: Correspondence) -> None:
    taken = post.arrives(raw_mail("", sender=ANN, subject="What's live?"))

    assert [mail.text for mail in post.mails_in(taken.thread)] == ["What's live?"]


def test_nobody_else_is_taken_for_somebody_known(post: Correspondence) -> None:
    stranger = post.arrives(raw_mail("deploy backend", sender="bob@else.example"))
    forged = post.arrives(raw_mail("deploy frontend", sender=ANN, results=(FAIL,)))

    (by_stranger,) = post.mails_in(stranger.thread)
    (by_forger,) = post.mails_in(forged.thread)
    assert by_stranger.by == "email:bob@else.example"
    assert is_unverified(by_forger.by)
    assert by_forger.by != "ann"


def test_a_forged_yes_gets_no_answer_that_would_reach_somebody_else(post: Correspondence) -> None:
    taken = post.arrives(raw_mail("approve", sender=ANN, results=(FAIL,)))

    (note,) = post.story.store.load(taken.thread).events
    assert isinstance(note, AnswerRefused)
    assert note.address == ""


def test_a_forged_mail_cannot_speak_in_a_thread(post: Correspondence) -> None:
    post.opened()
    post.story.store.name(message_alias("<card@bot.example>"), post.request.thread)
    headers = (("In-Reply-To", "<card@bot.example>"),)

    taken = post.arrives(raw_mail("stop it", sender=ANN, results=(FAIL,), headers=headers))

    assert taken.thread != post.request.thread
    assert post.story.thread.status is Status.AWAITING_APPROVAL


def test_a_stranger_cannot_speak_in_a_thread_of_others(post: Correspondence) -> None:
    post.opened()
    post.story.store.name(message_alias("<card@bot.example>"), post.request.thread)
    headers = (("In-Reply-To", "<card@bot.example>"),)

    taken = post.arrives(raw_mail("stop it", sender="bob@else.example", headers=headers))

    assert taken.thread != post.request.thread
    assert post.story.thread.status is Status.AWAITING_APPROVAL


def test_a_message_id_sent_before_takes_nobodys_place(post: Correspondence) -> None:
    post.arrives(raw_mail("hello", sender=ANN, results=(FAIL,), message_id="<guessed@x.example>"))
    post.arrives(raw_mail("hello", sender="bob@else.example", message_id="<guessed@x.example>"))

    real = post.arrives(raw_mail("hello", sender=ANN, message_id="<guessed@x.example>"))

    assert real.outcome == "heard"
    assert [mail.by for mail in post.mails_in(real.thread)] == ["ann"]


def test_the_same_mail_by_two_ways_is_heard_once(post: Correspondence) -> None:
    one = raw_mail("deploy backend", sender=ANN, headers=(("Received", "from a"),))
    two = raw_mail("deploy backend", sender=ANN, headers=(("Received", "from b"),))

    taken = post.arrives(one), post.arrives(two)

    assert [each.outcome for each in taken] == ["heard", "duplicate"]
    events = post.story.store.load(taken[0].thread).events
    assert [type(event) for event in events] == [EmailReceived]


def test_vouching_is_for_the_senders_domain_only() -> None:
    mail = read(raw_mail("hi", sender=BEN, results=(vouched("x@else.example"),)), MAIL)

    assert isinstance(mail, Mail)
    assert not mail.verified
