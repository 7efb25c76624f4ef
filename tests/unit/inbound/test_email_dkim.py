from dataclasses import replace
from datetime import timedelta

import pytest
from fakes import NOON
from letters import BEN, BOT, MAIL, Correspondence, raw_mail, room_of, vouched
from signed_mail import COVERED, Keys, key_pair, signed, unvouched

from deploybot.errors import KeyLookupError
from deploybot.events import AnswerRefused
from deploybot.inbound.email_dkim import signature_of
from deploybot.inbound.email_intake import Taken
from deploybot.mail import MailSettings
from deploybot.thread import Status

ALONE = replace(MAIL, authserv_id="", dkim=True)
"""Settings without a mail server of ours that vouches."""


def is_verified(raw: bytes, keys: Keys | None = None) -> bool:
    return signature_of(raw, "shop.example", (keys or Keys()).look_up, NOON).verified


def takes(
    post: Correspondence, raw: bytes, keys: Keys | None = None, settings: MailSettings = ALONE
) -> Taken:
    room = room_of(post.story, settings, (keys or Keys()).look_up)
    return room.take(raw, post.story.clock.now())


def test_a_good_signature_of_the_senders_domain_verifies() -> None:
    assert is_verified(signed(unvouched("approve")))


def test_a_reply_that_its_domain_signed_approves() -> None:
    post = Correspondence(settings=ALONE).opened()

    taken = takes(post, signed(unvouched("approve", to=post.address("ben"))))

    assert taken.outcome == "approved"
    assert post.story.thread.status is Status.APPROVED


GOOD = unvouched("approve", headers=(("Date", "Mon, 2 Mar 2026 12:00:00 +0000"),))
LATER = str(int((NOON + timedelta(days=3650)).timestamp())).encode()
BAD = {
    "no signature": GOOD,
    "another domain's": signed(GOOD, domain=b"evil.example"),
    "the domain above": signed(GOOD, domain=b"example"),
    "a domain below": signed(GOOD, domain=b"mail.shop.example"),
    "changed words": signed(GOOD).replace(b"\r\n\r\napprove", b"\r\n\r\nyes"),
    "a changed subject": signed(GOOD).replace(b"Re: Deploy backend", b"Re: Deploy frontend"),
    "a changed recipient": signed(GOOD).replace(b"To: deploybot@", b"To: deploybot+x@"),
    "words behind the signed length": signed(GOOD, length=True) + b"\r\nmore",
    "a signed length": signed(GOOD, length=True),
    "a second From": signed(GOOD).replace(b"From: ", b"From: eve@shop.example\r\nFrom: ", 1),
    "a second From below": signed(GOOD).replace(b"Subject: ", b"From: eve@shop.example\r\nSubject: "),
    "a second To": signed(GOOD).replace(b"To: ", b"To: other@bot.example\r\nTo: ", 1),
    "a second Subject": signed(GOOD).replace(b"Subject: ", b"Subject: approve\r\nSubject: ", 1),
    "expired": signed(GOOD, tags=((b"x", str(int(NOON.timestamp()) - 1).encode()),)),
    "expires now": signed(GOOD, tags=((b"x", str(int(NOON.timestamp())).encode()),)),
    "an expiry that is no number": signed(GOOD, tags=((b"x", b"soon"),)),
    "an old algorithm": signed(GOOD, algorithm=b"rsa-sha1"),
    "garbage": b"DKIM-Signature: v=1; a=rsa-sha256; d=shop.example; h=from; b=!!; s=s1\r\n" + GOOD,
    "no tags": b"DKIM-Signature: \r\n" + GOOD,
    "cut off": signed(GOOD)[:100],
}  # fmt: skip


@pytest.mark.parametrize("raw", BAD.values(), ids=BAD.keys())
def test_no_other_signature_verifies(raw: bytes) -> None:
    assert not is_verified(raw)


def test_one_that_has_not_expired_yet_verifies() -> None:
    assert is_verified(signed(GOOD, tags=((b"x", LATER),)))


WORTHLESS = {
    "none": None,
    "empty": b"",
    "revoked": b"v=DKIM1; p=",
    "another": key_pair(3072)[1],
    "only on trial": key_pair(2048)[1] + b"; t=y",
    "for nothing of mail": key_pair(2048)[1] + b"; s=other",
    "garbage": b"p=\xff\xff",
    "endless": key_pair(2048)[1] + b" " * 100_000,
}


@pytest.mark.parametrize("record", WORTHLESS.values(), ids=WORTHLESS.keys())
def test_no_other_key_verifies(record: bytes | None) -> None:
    assert not is_verified(signed(GOOD), Keys({"s1._domainkey.shop.example": record}))


def test_only_a_few_signatures_of_one_mail_are_looked_at() -> None:
    keys = Keys()
    raw = signed(GOOD).replace(b"approve\n", b"")
    header, _, rest = raw.partition(b"From: ")

    is_verified((header.replace(b"s=s1", b"s=s2")) * 500 + b"From: " + rest, keys)

    assert len(keys.asked) <= 5


def test_a_code_in_a_header_that_is_not_signed_does_not_count() -> None:
    """Whoever has a signed mail of Ben's could write Ben's code beside it."""
    post = Correspondence(settings=ALONE).opened()
    covered = tuple(name for name in COVERED if name != b"to")
    other = signed(unvouched("yes", headers=(("X-Original-To", post.address("ben")),)))

    uncovered = takes(post, signed(unvouched("yes", to=post.address("ben")), covered=covered))
    beside = takes(post, other)

    assert (uncovered.outcome, beside.outcome) == ("unsure", "unsure")
    refused = post.story.thread.events[-1]
    assert isinstance(refused, AnswerRefused)
    assert refused.address == BEN
    assert "does not cover the address" in refused.text
    assert post.story.thread.status is Status.AWAITING_APPROVAL


def test_when_the_key_cannot_be_looked_up_nothing_is_approved_and_the_code_stays_good() -> None:
    post = Correspondence(settings=ALONE).opened()
    raw = signed(unvouched("approve", to=post.address("ben")))
    away = Keys(error=KeyLookupError("The key of shop.example could not be looked up."))

    first = takes(post, raw, away)
    refused = post.story.thread.events[-1]
    again = takes(post, signed(unvouched("approve", to=post.address("ben"), message_id="<2@x>")))

    assert first.outcome == "unsure"
    assert isinstance(refused, AnswerRefused)
    assert "could not be looked up" in refused.text
    assert "nothing was approved" in refused.text
    assert again.outcome == "approved"


def test_what_our_own_server_says_counts_more_than_a_signature() -> None:
    both = replace(MAIL, dkim=True)
    post = Correspondence(settings=both).opened()
    fails = "mx.bot.example; dmarc=fail header.from=shop.example"
    raw = raw_mail("approve", to=post.address("ben"), results=(fails,))

    taken = takes(post, signed(raw), settings=both)

    assert taken.outcome == "code_misused"


def test_a_signature_counts_beside_our_own_server_only_where_that_is_set() -> None:
    for dkim, outcome in ((False, "code_misused"), (True, "approved")):
        settings = replace(MAIL, dkim=dkim)
        post = Correspondence(settings=settings).opened()

        taken = takes(post, signed(unvouched("approve", to=post.address("ben"))), settings=settings)

        assert taken.outcome == outcome


def test_nobody_is_asked_for_a_key_when_our_own_server_has_spoken() -> None:
    keys, post = Keys(), Correspondence()

    takes(post, raw_mail("hi", results=(vouched(BEN),)), keys, replace(MAIL, dkim=True))

    assert keys.asked == []


def test_a_domain_without_a_signature_stays_nobody() -> None:
    post = Correspondence(settings=ALONE).opened()

    taken = takes(post, unvouched("approve", to=post.address("ben")))

    assert taken.outcome == "code_misused"
    assert post.story.thread.status is Status.AWAITING_APPROVAL


def test_a_replayed_mail_to_another_address_is_no_answer() -> None:
    post = Correspondence(settings=ALONE).opened()
    to_eve = signed(unvouched("yes", to=BOT))

    taken = takes(
        post, to_eve.replace(f"To: {BOT}".encode(), f"To: {post.address('ben')}".encode())
    )

    assert taken.outcome == "code_misused"
