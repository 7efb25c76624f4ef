"""End-to-end tests that take many sweeps: one worker runs them, and another if that one dies."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from faults.lean_company import SWEEP_SECONDS, LeanCompany, now

from deploybot.events import ApiMessageReceived
from deploybot.thread import Status, thread_id_for

SECONDS = 12 * SWEEP_SECONDS

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LeanCompany]:
    folder = tmp_path_factory.mktemp("lean")
    tests = (
        "sh",
        "-c",
        f"echo began >> {folder}/tests; sleep {SECONDS}; echo ended >> {folder}/tests",
    )
    with LeanCompany(folder, tests=tests, armed=False) as running:
        yield running


def asked(company: LeanCompany, ref: str) -> str:
    """Ask for a deploy to staging, after which its tests run; return the thread."""
    (company.folder / "tests").write_text("")
    thread = thread_id_for("long", ref)
    words = f"deploy backend {ref} to staging"
    said = ApiMessageReceived(at=now(), by="ann", delivery=f"said:{ref}", text=words)
    company.inbox.hear(thread, said, dedupe=(said.delivery,))
    company.until(lambda: ran(company.folder), "the tests begin")
    return thread


def ran(folder: Path) -> list[str]:
    return (folder / "tests").read_text().split()


def test_tests_that_outlast_the_sweep_are_run_once(company: LeanCompany) -> None:
    thread = asked(company, "v1.0.0")

    company.until(lambda: company.store.load(thread).status is Status.DONE, "the thread ends")

    assert ran(company.folder) == ["began", "ended"]


def test_tests_whose_worker_dies_are_run_by_another(company: LeanCompany) -> None:
    thread = asked(company, "v1.1.0")

    assert company.kill_whoever_works()
    company.until(lambda: company.store.load(thread).status is Status.DONE, "the thread ends")

    assert ran(company.folder) == ["began", "began", "ended"]
    kinds = [event.kind for event in company.store.load(thread).events]
    assert kinds.count("tests_passed") == 1
