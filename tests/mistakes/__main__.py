"""`make mistakes`: makes each mistake in a copy of the tree, and prints which test caught it."""

import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from mistakes.table import MISTAKES, Mistake
from mistakes.workshop import red


def main() -> int:
    began = time.monotonic()
    caught = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for number, (mistake, found) in enumerate(pool.map(_tried, MISTAKES), start=1):
            good = found == mistake.caught_by
            caught += good
            sys.stdout.write(f"{number:>2} {'caught' if good else 'MISSED':<7} {mistake.name}\n")
            for name in mistake.caught_by:
                sys.stdout.write(f"     {'red' if name in found else 'GREEN':<6} {name}\n")
    seconds = time.monotonic() - began
    sys.stdout.write(f"{caught} of {len(MISTAKES)} mistakes caught, in {seconds:.0f} s\n")
    return 0 if caught == len(MISTAKES) else 1


def _tried(mistake: Mistake) -> tuple[Mistake, tuple[str, ...]]:
    return mistake, red(mistake)


if __name__ == "__main__":
    sys.exit(main())
