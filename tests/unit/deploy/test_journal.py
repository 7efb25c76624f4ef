import os
import resource
import signal
from datetime import UTC, datetime

import pytest

from deploy.errors import JournalError, OldFenceError, SeenApprovalError
from deploy.journal import Journal
from deploy.records import BeganRecord, StepRecord, VerifiedRecord

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
SHA = "a" * 40


@pytest.fixture(name="journal")
def _journal(tmp_path):
    return Journal(tmp_path / "journal.jsonl")


def began(approval_id: str, fence: int) -> BeganRecord:
    return BeganRecord(
        at=AT,
        approval_id=approval_id,
        fence=fence,
        digest="d",
        head="h",
        sha=SHA,
        action="deploy",
    )


def stepped(approval_id: str, name: str) -> StepRecord:
    return StepRecord(at=AT, approval_id=approval_id, name=name, ok=True, seconds=0.1)


def test_an_empty_journal_has_no_records(journal):
    assert journal.records() == ()
    assert journal.of("one") == ()


def test_records_come_back_as_they_were_written(journal):
    journal.begin(began("one", 1))
    with journal.owned(1) as write:
        write(stepped("one", "build"))
    journal.append(VerifiedRecord(at=AT, sha=SHA))

    expected = (began("one", 1), stepped("one", "build"), VerifiedRecord(at=AT, sha=SHA))

    assert journal.records() == expected
    assert tuple(journal.newest_first()) == expected[::-1]
    assert journal.of("one") == expected[:2]


def test_an_approval_begins_once(journal):
    journal.begin(began("one", 1))

    with pytest.raises(SeenApprovalError, match="not run again"):
        journal.begin(began("one", 2))

    assert len(journal.records()) == 1


def test_an_approval_whose_name_is_part_of_another_is_not_taken_for_it(journal):
    journal.begin(began("one-more", 1))

    journal.begin(began("one", 2))

    assert [record.approval_id for record in journal.records()] == ["one-more", "one"]


@pytest.mark.parametrize("fence", [1, 2])
def test_a_fence_must_be_newer_than_the_last(journal, fence):
    journal.begin(began("one", 2))

    with pytest.raises(OldFenceError, match="Nothing was run"):
        journal.begin(began("two", fence))

    assert len(journal.records()) == 1


def test_an_order_that_was_overtaken_may_write_nothing(journal):
    journal.begin(began("one", 1))
    journal.begin(began("two", 2))

    with pytest.raises(OldFenceError, match="changed nothing more"), journal.owned(1) as write:
        write(stepped("one", "switch"))

    assert len(journal.records()) == 2


@pytest.mark.parametrize("cut", [1, 10, 60])
def test_a_torn_last_line_is_dropped_and_written_over(journal, cut):
    journal.begin(began("one", 1))
    whole = journal.path.read_bytes()
    with journal.owned(1) as write:
        write(stepped("one", "build"))
    os.truncate(journal.path, len(journal.path.read_bytes()) - cut)

    assert journal.records() == (began("one", 1),)

    journal.begin(began("two", 2))

    assert journal.path.read_bytes().startswith(whole)
    assert journal.records() == (began("one", 1), began("two", 2))


def test_a_torn_first_line_uses_no_approval_up(journal):
    journal.path.write_bytes(b'{"at":"2026-03-01T12:00:00Z","approval_id":"one","ki')

    journal.begin(began("one", 1))

    assert journal.records() == (began("one", 1),)


@pytest.mark.parametrize("line", [b"", b"rubbish", b"{}", b'{"kind":"unheard of"}'])
def test_a_damaged_line_stops_everything(journal, line):
    journal.path.write_bytes(line + b"\n")

    with pytest.raises(JournalError, match="Line 1 of the journal"):
        journal.begin(began("one", 1))


def test_a_journal_that_is_a_link_is_refused(journal, tmp_path):
    other = tmp_path / "other"
    journal.path.symlink_to(other)

    with pytest.raises(JournalError, match="cannot be opened"):
        journal.begin(began("one", 1))

    assert not other.exists()


def test_a_write_that_does_not_fit_leaves_the_journal_whole(journal):
    journal.begin(began("one", 1))
    size = journal.path.stat().st_size
    pid = os.fork()
    if pid == 0:
        os._exit(_write_with_little_room(journal, size + 20))
    _, status = os.waitpid(pid, 0)

    assert os.waitstatus_to_exitcode(status) == 0
    assert journal.records() == (began("one", 1),)


def _write_with_little_room(journal, size: int) -> int:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    try:
        journal.begin(began("two", 2))
    except JournalError as error:
        return 0 if "cannot be written" in str(error) else 2
    return 1
