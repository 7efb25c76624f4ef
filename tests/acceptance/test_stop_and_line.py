"""Real workers: a running deploy is stopped by a word, and a line goes on past what nobody can read."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from faults.lean_company import LeanCompany, now

from deploy.locks import Hold
from deploybot.events import ApiMessageReceived, DeployFailed, LinedUp
from deploybot.holding import lock_thread
from deploybot.store import stream_key
from deploybot.surveys import LOCKS
from deploybot.thread import Status

pytestmark = pytest.mark.slow

SLOW = 'case "$SERVICE" in backend) sleep 60;; esac'


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LeanCompany]:
    folder = tmp_path_factory.mktemp("lean")
    with LeanCompany(folder, build=(("sh", "-c", SLOW),), armed=False) as running:
        yield running


def says(company: LeanCompany, thread: str, text: str, *, by: str) -> None:
    said = ApiMessageReceived(at=now(), by=by, delivery=f"{thread}:{text}", text=text)
    company.inbox.hear(thread, said, dedupe=(said.delivery,))


def stands(company: LeanCompany, thread: str, status: Status) -> None:
    company.until(lambda: company.store.load(thread).status is status, f"{thread} is {status}")


def test_a_running_deploy_is_stopped_by_a_word_and_nothing_goes_live(company: LeanCompany) -> None:
    says(company, "t1", "deploy backend v1.0.0 to staging", by="eve")
    company.until(company.begun, "the deploy begins")

    says(company, "t2", "deploy backend v1.1.0 to staging", by="ann")
    stands(company, "t2", Status.IN_LINE)
    waits = company.store.load("t2").events[-1]
    assert isinstance(waits, LinedUp)
    assert waits.why.startswith("eve's operation")
    company.inbox.cancel("t2", by="ann", delivery="c1")

    says(company, "t1", "stop: wrong tag", by="ben")
    stands(company, "t1", Status.DONE)

    failed = next(e for e in company.store.load("t1").events if isinstance(e, DeployFailed))
    assert "ben stopped it: wrong tag" in failed.error
    assert company.live("staging", "backend") == ""
    assert company.running() == []


def test_a_waiting_thread_that_was_tampered_with_keeps_no_other_waiting(
    company: LeanCompany,
) -> None:
    says(company, "l1", "lock frontend on staging: migration", by="ann")
    company.until(company.store.holds, "it is locked")
    for thread in ("w1", "w2"):
        says(company, thread, "deploy frontend v1.0.0 to staging", by="eve")
        stands(company, thread, Status.IN_LINE)
    company.connection.xadd(stream_key("w1"), {"e": b"{}", "m": "0" * 64}, id="99-0")

    says(company, "l1", "unlock frontend on staging", by="ann")
    stands(company, "w2", Status.DONE)

    assert company.live("staging", "frontend") != ""
    assert company.store.line("frontend", "staging") == ()


def test_the_owner_of_a_forgotten_lock_is_asked_in_the_channel(company: LeanCompany) -> None:
    forgotten = Hold(
        service="backend",
        environment="production",
        owner="eve",
        reason="migration",
        at=now() - timedelta(hours=9),
    )
    company.store.append(company.store.load("any"), hold=forgotten)

    company.store.queues.wake("survey", LOCKS)
    own = lock_thread("backend", "production")
    company.until(lambda: company.store.load(own).events, "the owner is asked")
    company.until(lambda: any(key.startswith(own) for key in company.messages()), "in Slack")

    said = next(shapes for key, shapes in company.messages().items() if key.startswith(own))
    assert len(said) == 1
    assert "U0EVE" in str(said[0]["blocks"])
    assert "Still needed?" in said[0]["text"]
