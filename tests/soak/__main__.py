"""`make soak`: random people and random deaths for some minutes, then quiet, and the verdict."""

import argparse
import logging
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
    logging.getLogger("uvicorn.error").disabled = True  # Slack is made to hang up, and says so
    with tempfile.TemporaryDirectory(prefix="dbs-", ignore_cleanup_errors=True) as folder:
        soak = Soak(Path(folder), options.seed, options.kills_per_second, say=_say)
        verdict = soak.play(60 * options.minutes)
    began = f"seed {options.seed}, {options.minutes:g} minutes, load {load:.1f} before it began"
    sys.stdout.write(f"\n{began}\n{soak.report(verdict)}\n")
    return 0 if verdict.good else 1


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
