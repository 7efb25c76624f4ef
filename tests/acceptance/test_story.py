"""The seed story, played by the demo itself: every line of it, over real processes."""

from pathlib import Path

import pytest

from deploybot.bootstrap import now
from deploybot.demo.company import Company
from deploybot.demo.play import Player


@pytest.mark.slow
def test_the_story_is_played_to_its_end(tmp_path: Path) -> None:
    told: list[str] = []

    with Company(tmp_path / "company", now=now) as company:
        Player(company, say=told.append).play()

        assert len(told) > 25
        assert all(process.poll() is None for process in company.processes.values())
