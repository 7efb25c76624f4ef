from datetime import UTC, datetime

import pytest

from deploy.errors import OldFenceError, SeenApprovalError
from deploy.journal import Journal
from deploy.records import BeganRecord, ClosedRecord, EndedRecord, StepRecord

NOW = datetime(2026, 3, 2, tzinfo=UTC)


def began(approval_id: str, fence: int) -> BeganRecord:
    return BeganRecord(
        at=NOW,
        approval_id=approval_id,
        fence=fence,
        digest="d",
        head="h",
        sha="a" * 40,
        action="deploy",
    )


def test_a_closed_order_can_neither_begin_nor_go_on(tmp_path):
    journal = Journal(tmp_path / "journal")
    journal.begin(began("r1", 1))

    journal.close(ClosedRecord(at=NOW, approval_id="r1", fence=1))

    with pytest.raises(OldFenceError), journal.owned(1) as write:
        write(StepRecord(at=NOW, approval_id="r1", name="build", ok=True, seconds=1))
    with pytest.raises(SeenApprovalError):
        journal.begin(began("r1", 2))
    assert [record.kind for record in journal.records()] == ["began", "closed"]


def test_an_order_closed_before_it_began_never_begins(tmp_path):
    journal = Journal(tmp_path / "journal")

    journal.close(ClosedRecord(at=NOW, approval_id="r1", fence=1))

    with pytest.raises(SeenApprovalError):
        journal.begin(began("r1", 1))
    journal.begin(began("r2", 2))


def test_an_order_that_ended_stays_as_it_ended(tmp_path):
    journal = Journal(tmp_path / "journal")
    journal.begin(began("r1", 1))
    with journal.owned(1) as write:
        write(EndedRecord(at=NOW, approval_id="r1", outcome="succeeded"))

    journal.close(ClosedRecord(at=NOW, approval_id="r1", fence=1))

    assert [record.kind for record in journal.records()] == ["began", "ended"]
