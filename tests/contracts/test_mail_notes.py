"""What is remembered of mail: the fake and the real one promise the same."""

import pytest
from fakes import FakeMailNotes
from redis_server import emptied, wait_until

from deploybot.mail_notes import MAILBOXES, RedisMailNotes
from deploybot.ports import MailNotes


@pytest.fixture(params=["fake", "real"])
def notes(request: pytest.FixtureRequest, redis_url: str) -> MailNotes:
    return FakeMailNotes() if request.param == "fake" else RedisMailNotes(emptied(redis_url))


def test_what_is_noted_is_known_and_nothing_else(notes: MailNotes) -> None:
    notes.mark_bad("Ben@shop.example", 60)
    notes.note_helped("ann@shop.example", 60)
    notes.note_taken("box 1 1")

    assert notes.is_bad("ben@shop.example")
    assert not notes.is_bad("ann@shop.example")
    assert notes.was_helped("Ann@shop.example")
    assert not notes.was_helped("ben@shop.example")
    assert notes.was_taken("box 1 1")
    assert not notes.was_taken("box 1 2")


def test_it_is_forgotten_after_its_time_and_holds_no_address(redis_url: str) -> None:
    connection = emptied(redis_url)
    notes = RedisMailNotes(connection)
    notes.mark_bad("ben@shop.example", 0.05)
    notes.note_taken("bot@mail.example 1 1")

    assert not [key for key in connection.scan_iter() if b"shop" in key or b"bot@" in key]
    wait_until(lambda: not notes.is_bad("ben@shop.example"))


def test_only_mailboxes_that_are_read_are_remembered(redis_url: str) -> None:
    connection = emptied(redis_url)
    notes = RedisMailNotes(connection)
    notes.saw("old")
    notes.saw("new")

    notes.keep_only(["new"])

    assert set(connection.hgetall(MAILBOXES)) == {b"new"}
