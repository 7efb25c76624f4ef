"""Half a minute of the soak that `make soak` plays for ten: people on the one side, deaths on the other."""

import os
from pathlib import Path

import pytest
from soak.play import Soak

SECONDS = 15.0

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def test_whatever_dies_while_people_work_nothing_is_lost_doubled_or_untold(tmp_path: Path) -> None:
    seed = int(os.environ.get("DEPLOYBOT_TESTS_SEED", "1"))  # noqa: TID251 - the run's own draw
    soak = Soak(tmp_path, seed, kills_per_second=1.5, quiet_within=300)

    verdict = soak.play(SECONDS)

    assert verdict.good, f"seed {seed}\n" + f"{soak.report(verdict)}\n{soak.log}"
    assert soak.monkey.kills > SECONDS / 4
    assert verdict.figures["threads"] > 0
