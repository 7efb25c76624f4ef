"""How long a reply takes: from the mailbox on a real IMAP server to the stored approval."""

from pathlib import Path

import pytest
from benchmarks.conftest import Table
from dovecot import require_dovecot
from mail_company import open_mail_company

pytestmark = pytest.mark.benchmark


def test_a_reply_in_the_mailbox_approves_within_two_seconds(tmp_path: Path, table: Table) -> None:
    with open_mail_company(tmp_path, require_dovecot()) as company:
        seconds = company.approved_by_reply()

    table.add("reply delivered to approval stored", f"{seconds:.2f} s", bar="2 s")
    assert seconds < 2.0
