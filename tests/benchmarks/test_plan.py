"""What a plan costs at a shell, and that a long history makes it no dearer."""

import json
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import long_history
import pytest
from benchmarks.conftest import Table
from shop import now

from deploy.__main__ import read_catalog
from deploy.look import Look
from deploy.records import BeganRecord, EndedRecord, SwitchedRecord

ROOT = Path(__file__).parents[2]
ROUNDS = 5


@dataclass(frozen=True)
class Case:
    """What is live, what is asked for, and how much dearer a history ten times as long may make it."""

    live: str
    asks: str
    bar: float
    action: str = "deploy"


def cases(tags: int) -> dict[str, Case]:
    first, last = "v1.0.0", f"v{tags}.0.0"
    return {
        "the newest tag, 20 tags ahead": Case(f"v{tags - 20}.0.0", last, 1.25),
        "the tag before, one back": Case(last, f"v{tags - 1}.0.0", 1.25, "roll_back"),
        "the branch, the whole history ahead": Case(first, "main", 2),
        "the first release, the whole history back": Case(last, first, 2, "roll_back"),
    }


class Repository:
    """A long history, and a service of it whose journal says what is live."""

    def __init__(self, folder: Path, commits: int, tags: int) -> None:
        self.folder = folder
        self.tags = tags
        long_history.create(folder / "long.git", commits, tags)
        self.config = folder / "deploybot.toml"
        self.config.write_text(
            f"""
[repositories.long]
path = "mirror.git"
url = "file://{folder}/long.git"
[services.backend]
repository = "long"
path = "backend"
risky = ["**/part-7.txt"]
[services.backend.target]
kind = "command"
base = "journals"
deploy = ["true"]
[environments.staging]
automatic = true
allowed_branches = ["main"]
[environments.staging.services.backend]
"""
        )
        self.look = Look(read_catalog(self.config), clock=now)
        self.look.repository("backend").fetch()

    def sha(self, ref: str) -> str:
        return self.look.repository("backend").resolve(ref).sha

    def make_live(self, ref: str) -> None:
        folder = self.folder / "journals" / "staging" / "backend"
        folder.mkdir(parents=True, exist_ok=True)
        at, sha = now(), self.sha(ref)
        began = BeganRecord(
            at=at, approval_id="a", fence=1, digest="d", head="", sha=sha, action="deploy"
        )
        switches = [
            SwitchedRecord(at=at, approval_id="a", sha=one, previous=None)
            for one in (self.sha("v1.0.0"), self.sha(f"v{self.tags - 1}.0.0"), sha)
        ]
        lines = [record.model_dump_json() for record in (began, *switches)]
        ended = EndedRecord(at=at, approval_id="a", outcome="succeeded").model_dump_json()
        (folder / "journal.jsonl").write_text("\n".join([*lines, ended]) + "\n")

    def seconds(self, case: Case) -> tuple[float, float]:
        """Return what the cheapest of some plans took: by the clock, and of the processor's time.

        Both from the shell's call to its answer, git's processes included.
        """
        words = [case.action, "backend", case.asks, "staging"]
        command = [sys.executable, "-m", "deploy", "--config", str(self.config), "plan", "--json"]
        clock, processor = [], []
        for _ in range(ROUNDS):
            began, used = time.monotonic(), _used()
            ran = subprocess.run([*command, *words], cwd=ROOT, capture_output=True, check=True)
            clock.append(time.monotonic() - began)
            processor.append(_used() - used)
        assert json.loads(ran.stdout)["sha"] == self.sha(case.asks)
        return min(clock), min(processor)


def _used() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return children.ru_utime + children.ru_stime


def measured(table: Table, folder: Path, short: int, long: int, tags: int) -> None:
    repositories = {}
    for commits in (short, long):
        (folder / str(commits)).mkdir()
        repositories[commits] = Repository(folder / str(commits), commits, tags * commits // long)
    for what in cases(tags):
        taken = {}
        for commits, repository in repositories.items():
            case = cases(repository.tags)[what]
            repository.make_live(case.live)
            taken[commits] = repository.seconds(case)
        clock, processor = taken[long]
        ratio = processor / taken[short][1]
        table.add(
            f"plan of {what}, {short} and {long} commits",
            f"{clock:.2f} s; {processor:.2f} s of the processor, {ratio:.2f} times",
            bar=f"under 1 s of the processor, under {case.bar:g} times",
        )
        assert processor < 1
        assert ratio < case.bar


@pytest.mark.benchmark
@pytest.mark.timeout(900)
def test_a_plan_of_50000_commits_and_2000_tags_takes_less_than_a_second(
    table: Table, tmp_path: Path
) -> None:
    measured(table, tmp_path, 5_000, 50_000, 2_000)
