"""`make soak`: random people and random deaths for some minutes, then quiet, and the verdict."""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from soak.play import Soak

MINUTES = 10.0


def main() -> int:
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=MINUTES)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--kills-per-second", type=float, default=1.6)
    options = parser.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="dbs-", ignore_cleanup_errors=True) as folder:
        soak = Soak(Path(folder), options.seed, options.kills_per_second)
        verdict = soak.play(60 * options.minutes)
    began = f"seed {options.seed}, {options.minutes:g} minutes, load {load:.1f} before it began"
    sys.stdout.write(f"\n{began}\n{soak.report(verdict)}\n")
    return 0 if verdict.good else 1


if __name__ == "__main__":
    sys.exit(main())
