"""The seed of this run: what is drawn differs from day to day, and can be drawn again."""

import os
import time

SETTING = "DEPLOYBOT_TESTS_SEED"
DAY = 24 * 3600


def run_seed() -> int:
    """Return the number that SETTING gives, such as that of a CI run; without it, that of the day."""
    return int(os.environ.get(SETTING) or time.time() // DAY)  # noqa: TID251 - the tests' own
