"""A request that is approved by replying: real IMAP, LMTP and SMTP servers, and the bot's own processes."""

import sys
from collections.abc import Iterator

import pytest
from dovecot import require_dovecot
from letters import ANN, BEN
from mail_company import MailCompany, open_mail_company
from redis_server import wait_until

from deploybot.events import ApprovalGranted, EmailReceived

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MailCompany]:
    with open_mail_company(tmp_path_factory.mktemp("mail"), require_dovecot()) as company:
        yield company


def test_a_request_is_asked_for_by_mail_and_approved_by_replying(company: MailCompany) -> None:
    seconds = company.approved_by_reply()

    asked, granted = company.waits_for("email_received"), company.waits_for("approval_granted")
    assert isinstance(asked, EmailReceived)
    assert (asked.by, asked.text) == ("ann", "deploy backend main to production")
    assert isinstance(granted, ApprovalGranted)
    assert (granted.by, granted.channel) == ("ben", "email")
    company.waits_for("deploy_succeeded")
    assert company.mail_to(ANN)["Auto-Submitted"] == "auto-generated"
    sys.stdout.write(f"from the reply in the mailbox to the approval: {seconds:.2f} s\n")


def test_neither_a_word_nor_a_password_is_in_the_log(company: MailCompany) -> None:
    company.writes(ANN, "what is live, and is the backend main to production?", 9)
    wait_until(lambda: "took a mail" in company.company.log("workers"))

    log = company.company.log("workers")
    assert "backend main to production" not in log
    assert "ord%" not in log
    assert BEN not in log
