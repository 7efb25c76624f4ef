"""What the table of every kind of target holds, whatever it is; the kinds are in `target_tables`."""

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict

from deploy.values import Seconds

VARIABLES = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}
"""What a command sees of the environment when its table says nothing."""


class AnyTarget(BaseModel):
    """What every kind of target is told, whatever it is.

    `base` is the folder of its journals. An order that takes longer than `timeout_seconds` in all
    is ended, and so is one of which nothing was heard for `silence_seconds`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    base: Path
    timeout_seconds: Seconds = 3600
    silence_seconds: Seconds = 900

    def needs(self) -> frozenset[str]:
        """Return which of `port` and `url` must be set wherever this target is used."""
        return frozenset()

    def place(self, service: str, environment: str) -> str | None:
        """Return what is changed elsewhere, in words; None for what lies under `base`.

        No two environments may change the same.
        """
        return None

    def within(self, directory: Path) -> Self:
        """Return the same table, with relative paths read from `directory`."""
        return self.model_copy(update={"base": directory / self.base})
