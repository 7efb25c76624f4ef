"""Lets things go wrong in the bot's processes, or in this one, at the points that `deploybot.failpoints` lists."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy import failpoints
from deploy.failpoints import Armed, Visits, visits_beside
from deploybot.failpoints import problem


class Failing:
    """A file that says what goes wrong where; processes that are given `setting` read it all along."""

    def __init__(self, folder: Path) -> None:
        self.file = folder.resolve() / "failpoints"
        self.file.touch()

    @property
    def setting(self) -> str:
        """Return what DEPLOYBOT_FAILPOINT is to be."""
        return str(self.file)

    def arm(self, text: str = "") -> None:
        """Say what goes wrong from now on, "" for nothing, and count from the beginning."""
        assert not problem(text), problem(text)
        with visits_beside(self.file) as visits:  # nobody comes to a point meanwhile
            visits.counts.clear()
            visits.happened.clear()
            self.file.write_text(text)

    def visits(self) -> Visits:
        """Return which points were come to, and what happened there."""
        with visits_beside(self.file) as visits:
            return visits

    @property
    def happened(self) -> list[str]:
        """Return what has happened, as `name:action@number`."""
        return self.visits().happened


@contextmanager
def going_wrong(text: str) -> Iterator[Visits]:
    """Let things go wrong in this process for as long as the block lasts."""
    assert not problem(text), problem(text)
    armed, before = Armed(text), failpoints.at
    failpoints.at = armed
    try:
        yield armed.visits
    finally:
        failpoints.at = before
