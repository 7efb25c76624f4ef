"""Workers are killed at random instants of real deploys: the end is honest, soon told, and never a rerun."""

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from faults.lean_company import LEASE_SECONDS, SWEEP_SECONDS, LeanCompany, now
from oracle import violations

from deploybot.approvals import ApprovalRequest
from deploybot.events import (
    ApiMessageReceived,
    DeployFailed,
    DeployOutcomeUnknown,
    DeployStarted,
    DeploySucceeded,
)
from deploybot.inbox import Settling
from deploybot.thread import Status, Thread, thread_id_for

KILLS = 10
"""So many for each of SEEDS, each a test of its own."""
SEEDS = (11, *(pytest.param(seed, marks=pytest.mark.long) for seed in (12, 13, 14)))
SOON = LEASE_SECONDS + SWEEP_SECONDS + 8.0
"""Seconds within which people hear what became of a deploy: the rest is for two busy cores."""
REFS = ("v1.0.0", "v1.1.0", "v1.1.1", "v1.2.0", "v1.2.1")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LeanCompany]:
    folder = tmp_path_factory.mktemp("lean")
    build = (("sh", "-c", f"echo $SHA >> {folder}/effects; sleep 0.1"), ("sleep", "0.1"))
    with LeanCompany(folder, build=build, armed=False) as running:
        (folder / "effects").touch()
        yield running


class Asked:
    """One deploy to staging, asked for in a plain command that needs no model and no approval."""

    def __init__(self, company: LeanCompany, name: str, ref: str) -> None:
        self.company = company
        self.thread_id = thread_id_for("kill", name)
        words = f"deploy backend {ref} to staging"
        said = ApiMessageReceived(at=now(), by="ann", delivery=f"said:{name}", text=words)
        company.inbox.hear(self.thread_id, said, dedupe=(said.delivery,))
        company.until(lambda: self.of(DeployStarted), "the deploy is claimed")

    def thread(self) -> Thread:
        return self.company.store.load(self.thread_id)

    def of(self, *kinds: type) -> list[object]:
        return [event for event in self.thread().events if isinstance(event, kinds)]

    def ended(self) -> str:
        """Return how the first start ended, "" as long as nobody has said."""
        ends = self.of(DeploySucceeded, DeployFailed, DeployOutcomeUnknown)
        return getattr(ends[0], "kind", "") if ends else ""

    def comes_to_rest(self) -> bool:
        """Answer what people are asked; tell whether nothing is left to do."""
        thread = self.thread()
        request, question = thread.standing.request, thread.standing.question
        if thread.status is Status.OUTCOME_UNKNOWN and request:
            self._settle(request)
        if thread.status is Status.AWAITING_INPUT and question:
            self.company.inbox.answer_question(
                thread.id, question.question_id, "Stop", by="ann", delivery=f"stop:{thread.id}"
            )
        return thread.status is Status.DONE

    def _settle(self, request: ApprovalRequest) -> None:
        there = self.company.live("staging", "backend") == request.plan.sha
        settling = Settling(
            thread=request.thread,
            request_id=request.id,
            outcome="succeeded" if there else "failed",
            by="ben",
            delivery=f"settle:{request.id}",
        )
        assert self.company.inbox.settle(settling).accepted


@pytest.mark.parametrize("seed", SEEDS)
def test_killed_at_any_instant_a_deploy_ends_honestly_and_never_runs_again(
    company: LeanCompany, seed: int
) -> None:
    chance = random.Random(seed)
    longest = _seconds_of_a_whole_deploy(company, seed)
    seen: Counter[str] = Counter()
    killed = 0

    for number in range(KILLS):
        asked = Asked(company, f"{seed}-{number}", _another_ref(company, chance))
        threading.Event().wait(chance.uniform(0, 1.3 * longest))

        killed += company.kill_whoever_works() > 0
        since = time.monotonic()
        company.until(asked.ended, "somebody says what became of it")
        assert time.monotonic() - since < SOON
        company.until(asked.comes_to_rest, "the thread comes to rest")

        seen[asked.ended()] += 1
        assert violations(asked.thread().events) == []
        assert set(company.begun().values()) == {1}
        assert company.running() == []
        assert _effects(company.folder) <= company.begun().total()

    assert company.wrong() == []
    assert killed > KILLS / 2
    assert seen["deploy_outcome_unknown"] > 0, seen


def _seconds_of_a_whole_deploy(company: LeanCompany, seed: int) -> float:
    asked = Asked(company, f"{seed}-whole", _another_ref(company, random.Random(seed)))
    started = time.monotonic()
    company.until(asked.ended, "the deploy ends")
    seconds = time.monotonic() - started
    company.until(asked.comes_to_rest, "the thread comes to rest")
    assert asked.ended() == "deploy_succeeded"
    return seconds


def _another_ref(company: LeanCompany, chance: random.Random) -> str:
    """Return a tag whose commit is not live, so that there is something to do."""
    live, repository = company.live("staging", "backend"), company.look.repository("backend")
    return chance.choice([ref for ref in REFS if repository.resolve(ref).sha != live])


def _effects(folder: Path) -> int:
    """Return how many builds have begun."""
    return len((folder / "effects").read_text().split())
