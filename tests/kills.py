"""`make kills`: kill points over the seed story, drawn by a seed, as many as are asked for; the tally at the end."""

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from random import Random

from draws import run_seed
from faults.lean_company import LeanCompany
from faults.told_story import ToldStory
from properties.test_kills_in_memory import drawn

STORIES_A_COMPANY = 40
"""A repository grows with each story, and a company is started in seconds."""
PATIENCE = 300.0


def main() -> int:
    parser = argparse.ArgumentParser(prog="make kills", description=__doc__)
    parser.add_argument("--processes", type=int, default=20, help="points in real processes")
    parser.add_argument("--memory", type=int, default=2000, help="points in memory")
    options = parser.parse_args()
    seed, began = run_seed(), time.monotonic()
    deaths, wrong = drawn(options.memory, seed)
    _say(f"in memory: {deaths} deaths of a worker, {len(wrong)} things wrong")
    killed: Counter[str] = Counter()
    for first in range(0, options.processes, STORIES_A_COMPANY):
        stories = min(STORIES_A_COMPANY, options.processes - first)
        with tempfile.TemporaryDirectory(prefix="dbk-", ignore_cleanup_errors=True) as folder:
            wrong += _in_processes(Path(folder), Random(f"{seed}/{first}"), stories, killed)
        _say(f"in processes: {killed.total()} kills so far, {len(wrong)} things wrong")
    for point, times in sorted(killed.items()):
        _say(f"  {times:>4}  {point}")
    total = deaths + killed.total()
    seconds = time.monotonic() - began
    _say(f"seed {seed}: {total} kill points in {seconds:.0f} s, {len(wrong)} things wrong")
    for one in wrong:
        _say(f"  ! {one}")
    return 1 if wrong else 0


def _in_processes(folder: Path, chance: Random, stories: int, killed: Counter[str]) -> list[str]:
    """Play stories, in each of which a worker dies at a point that is drawn; return what was wrong."""
    found = []
    with LeanCompany(folder) as company:
        whole = ToldStory(company, patience=PATIENCE)
        whole.play()
        visits = sum(company.failing.visits().counts.values())
        for _ in range(stories):
            number = chance.randint(1, visits)
            story = ToldStory(company, settles=True, patience=PATIENCE)
            try:
                story.play(f"*:power@{number}")
                wrong = story.wrong()
            except AssertionError as error:
                wrong = [str(error)]
            killed.update(point.partition(":")[0] for point in company.failing.happened)
            found += [f"{company.failing.happened}: {bad}" for bad in wrong]
            if wrong:
                return found  # what follows would only be more of the same
    return found


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
