"""The process that reads a mailbox, killed at each of its points: each mail is one event, and is moved away."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from dovecot import counted, require_dovecot
from failing import Failing
from letters import ANN
from mail_company import MailCompany, open_mail_company
from redis_server import wait_until

from deploybot.events import EmailReceived
from deploybot.failpoints import POINTS

pytestmark = pytest.mark.slow

MAILS = ["what is live?", "what is live, please?", "what is live now?"]
ITS_OWN = [name for name in POINTS if name.startswith("imap.")]


@pytest.fixture
def failing(tmp_path: Path) -> Failing:
    return Failing(tmp_path)


@pytest.fixture
def company(failing: Failing, tmp_path: Path) -> Iterator[MailCompany]:
    with open_mail_company(tmp_path, require_dovecot(), failing) as company:
        wait_until(lambda: "reads a mailbox" in company.company.log("workers"))
        yield company


@pytest.mark.row(36)
@pytest.mark.parametrize("point", [*ITS_OWN, "store.append.before", "store.append.after"])
def test_whoever_reads_a_mailbox_is_killed_and_no_mail_is_lost_or_heard_twice(
    company: MailCompany, failing: Failing, point: str
) -> None:
    failing.arm(f"{point}:kill@1")

    for number, text in enumerate(MAILS):
        company.writes(ANN, text, number)
    wait_until(lambda: not counted(company.dovecot, company.account), seconds=60)

    assert failing.happened == [f"{point}:kill@1"]
    assert re.findall(r"ended unasked \[.*role=(\w+)", company.company.log("workers")) == [
        "mailbox"
    ]
    heard = [event.text for event in company.events() if isinstance(event, EmailReceived)]
    assert sorted(heard) == sorted(MAILS)
    assert counted(company.dovecot, company.account, "Processed") == len(MAILS)
