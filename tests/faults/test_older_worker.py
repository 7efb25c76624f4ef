"""An older version's worker meets what a newer one has stored: it stops there, and guesses nothing."""

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest
import redis
from redis_server import running_server
from shop import ROOT
from small_company import PATIENCE, Company

from deploybot.demo.waiting import until
from deploybot.queue import Queues

pytestmark = pytest.mark.slow

NEWER = "edit_requested"
"""What the older version has never heard of."""


@pytest.fixture
def company(tmp_path) -> Iterator[Company]:
    with running_server() as redis_url:
        company = Company(tmp_path, redis_url)
        try:
            company.start("web")
            yield company
        finally:
            company.stop()


@pytest.fixture
def older(company) -> Iterator[subprocess.Popen[bytes]]:
    """Run the workers of the older version."""
    with (company.folder / "older.log").open("ab") as log:
        worker = subprocess.Popen(
            [sys.executable, str(ROOT / "tests/older_worker.py"), NEWER],
            env={**company.settings, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"},
            cwd=ROOT,
            stdout=log,
            stderr=log,
        )
    yield worker
    worker.terminate()
    worker.wait(PATIENCE)


def shown(company: Company, thread: str) -> dict:
    found: dict = json.loads(company.does("eve", "show", thread, "--json").stdout)
    return found


def asked(company: Company, words: str) -> str:
    started = company.does("eve", "ask", "--json", "--no-follow", words)
    return str(json.loads(started.stdout)["id"])


@pytest.mark.row(38)
@pytest.mark.timeout(300)
def test_an_older_worker_stops_on_what_it_does_not_know_and_a_newer_one_goes_on(
    company, older
) -> None:
    edited = asked(company, "deploy backend main to production")
    until(lambda: shown(company, edited)["status"] == "awaiting_approval", 3 * PATIENCE, "a card")

    told = company.does("ben", "edit", edited, "--start", "23:59")
    assert told.returncode == 0, told.stderr
    queues = Queues(redis.Redis.from_url(company.settings["DEPLOYBOT_REDIS_URL"]))
    queues.wake("advance", edited)
    unknown = "of a kind that this version does not know"
    until(lambda: unknown in company.log("older"), 3 * PATIENCE, "the older worker to stop")
    stopped = shown(company, edited)
    assert (stopped["status"], stopped["events"][-1]["kind"]) == ("editing", NEWER)
    assert "stopped on this thread; a person must look" in company.log("older")

    # The others go on beside it, and it is left as it was.
    other = asked(company, "deploy backend v1.0.0 to production")
    until(lambda: shown(company, other)["status"] == "awaiting_approval", 3 * PATIENCE, "a card")
    assert shown(company, edited)["length"] == stopped["length"]

    older.terminate()
    older.wait(PATIENCE)
    company.start("workers")
    until(
        lambda: shown(company, edited)["status"] == "awaiting_approval",
        3 * PATIENCE,
        "the new card",
    )
    assert shown(company, edited)["request"]["edited"]["by"] == "ben"
