"""Mails that no parser likes: each ends as an event, a note in quarantine or nothing of a machine's."""

import logging
import threading
import time
from collections import Counter
from dataclasses import replace
from typing import Self

import pytest
from broken_mail import broken_mails, corpus
from fakes import FakeMailNotes
from letters import ANN, MAIL, Correspondence, raw_mail, room_of
from redis_server import wait_until

from deploybot.inbound.email import Quarantined
from deploybot.mailbox_address import MailboxAddress
from deploybot.mailboxes.reader import MailboxReader
from deploybot.thread import Status

URL = "imap://bot:secret@localhost/INBOX"
IGNORED = ("an automatic", "bulk mail", "a bounce", "the bot's own mail", "it has no words")


class Basket:
    """A mailbox in memory that holds these mails, numbered from 1."""

    validity, idles = 1, False

    def __init__(self, mails: list[bytes]) -> None:
        self.mails = dict(enumerate(mails, start=1))
        self.put_aside: list[int] = []

    def __call__(self, address: MailboxAddress, *, timeout: float) -> "Basket":
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def uids(self) -> list[int]:
        return sorted(self.mails)

    def fetch(self, uid: int) -> bytes | Quarantined | None:
        return self.mails[uid]

    def settle(self, uid: int, *, put_aside: bool) -> bool:
        self.put_aside += [uid] * put_aside
        del self.mails[uid]
        return True


def read_all(post: Correspondence, mails: list[bytes]) -> tuple[list[str], Basket]:
    """Let a mailbox with these mails and a good one behind them be read; return what came of them."""
    good = raw_mail("what's live?", sender=ANN, message_id="<good@shop.example>")
    basket, outcomes, stop = Basket([*mails, good]), list[str](), threading.Event()
    reader = MailboxReader(
        MailboxAddress.from_url(URL),
        room_of(post.story),
        FakeMailNotes(),
        post.story.clock.now,
        count=outcomes.append,
        connect=basket,  # type: ignore[arg-type]
    )
    thread = threading.Thread(target=reader.run, args=(stop,))
    thread.start()
    wait_until(lambda: not basket.mails or not thread.is_alive(), seconds=150)
    assert thread.is_alive(), "the loop stopped"
    stop.set()
    thread.join(30)
    return outcomes, basket


def holds(post: Correspondence, mails: list[bytes], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        outcomes, basket = read_all(post, mails)

    found = Counter(outcomes)
    assert len(outcomes) == len(mails) + 1
    assert outcomes[-1] == "heard"
    assert set(found) <= {"heard", "quarantined", "ignored", "no_code", "duplicate", "unverified"}
    assert len(basket.put_aside) == found["quarantined"]
    assert "could not handle" not in caplog.text
    assert "x" * 100 not in caplog.text
    assert post.story.thread.status is Status.AWAITING_APPROVAL


def test_two_hundred_broken_mails_end_well_and_the_next_one_is_heard(
    caplog: pytest.LogCaptureFixture,
) -> None:
    holds(Correspondence().opened(), broken_mails(200), caplog)


def test_the_mails_of_pythons_own_tests_end_well(caplog: pytest.LogCaptureFixture) -> None:
    mails = corpus()
    if not mails:
        pytest.skip("Python's own tests (test.test_email) are not installed here")
    assert len(mails) > 30

    holds(Correspondence().opened(), mails, caplog)


LONG = {
    "headers": raw_mail("x").replace(b"Subject:", b"a: b\r\n" * 150_000 + b"Subject:", 1),
    "a subject": raw_mail("x", subject="=?utf-8?q?x?= " * 70_000),
    "a folded subject": raw_mail("x", subject="x\r\n " * 200_000),
    "a folded sender": raw_mail("x", sender="x\r\n " * 200_000),
    "recipients": raw_mail("x", to="a@b.c, " * 140_000),
    "references": raw_mail("x", headers=(("References", "<a@b> " * 160_000),)),
    "a type": raw_mail("x").replace(b"charset=utf-8", b"a*0=b; " * 140_000),
    "a folded type": raw_mail("x").replace(b"charset=utf-8", b"a*0=b;\r\n " * 100_000),
    "a quoted type": raw_mail("x").replace(b"charset=utf-8", b'charset="' + b'\\"' * 500_000),
    "a disposition": raw_mail("x", headers=(("Content-Disposition", "a;" * 500_000),)),
    "many types": raw_mail("x").replace(b"charset=utf-8", b"a*0=b; " * 280)
    + b"\r\nContent-Type: text/plain; " * 100,
    "results": raw_mail("x", results=("mx.bot.example; " + "a=b " * 2_000,) * 120),
    "boundaries": raw_mail("--b\r\n" * 200_000).replace(
        b"text/plain; charset=utf-8", b'multipart/mixed; boundary="b"'
    ),
    "blank lines": raw_mail("\r\n" * 500_000),
    "quotations": raw_mail("> On 1 a@b wrote:\r\n" * 50_000),
    "a bounce": raw_mail("<" + "a" * 32 + "@bot.example>\r\n" + "x: <a@b.c>\r\n" * 90_000).replace(
        b"From: ", b"Return-Path: <>\r\nFrom: "
    ),
    "a signature": b"DKIM-Signature: v=1; h=" + b"from:" * 190_000 + b"\r\n" + raw_mail("x"),
    "tags": raw_mail("<div><blockquote>" * 60_000).replace(b"text/plain", b"text/html"),
}  # fmt: skip


@pytest.mark.parametrize("raw", LONG.values(), ids=LONG.keys())
def test_a_megabyte_of_anything_keeps_nobody_waiting(raw: bytes) -> None:
    post = Correspondence()
    settings = replace(MAIL, dkim=True)
    room = room_of(post.story, settings)
    began = time.process_time()

    room.take(raw, post.story.clock.now())

    assert time.process_time() - began < 30, "something is gone over again and again"


def test_what_is_left_alone_is_a_machines_or_has_no_words() -> None:
    post = Correspondence().opened()
    room, now = room_of(post.story), post.story.clock.now

    for raw in (*broken_mails(200), *corpus()):
        taken = room.take(raw, now())
        if taken.outcome.startswith("ignored"):
            assert any(reason in taken.outcome for reason in IGNORED), taken.outcome
        elif taken.outcome != "duplicate":
            assert post.story.store.load(taken.thread).events
