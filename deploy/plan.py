"""A plan: what would run, and the facts a person needs to judge it; finding them is `look`'s task."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, StringConstraints

Action = Literal["deploy", "roll_back"]
Sha = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40}([0-9a-f]{24})?$")]
"""A full commit name, in lower case: 40 hex digits, or 64 in a SHA-256 repository."""

SHORT = 7
"""How many digits of a commit are enough for a person to recognise it."""


class Commit(BaseModel):
    """One commit as git tells it; all its text was written by others."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sha: Sha
    author: str
    email: str
    at: AwareDatetime
    subject: str


class PlannedStep(BaseModel):
    """One step: its name, the command it runs if it runs one, and what it says to people."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    argv: tuple[str, ...] | None = None
    says: str


class Plan(BaseModel):
    """Everything that would run for one service in one environment, down to the commit.

    `commits` are those that would come (or, for a roll back, go), newest first and capped;
    `commits_total` counts them up to 1000.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    action: Action
    service: str
    environment: str
    repository: str
    ref: str
    sha: Sha
    previous_sha: Sha | None
    steps: tuple[PlannedStep, ...]
    config_hash: str
    commits: tuple[Commit, ...] = ()
    commits_total: int = 0
    checks: tuple[str, ...] = ()
    """What was checked and holds, each in a few words."""
    warnings: tuple[str, ...] = ()

    def decides(self) -> dict[str, object]:
        """Return exactly what decides what runs, as JSON values: no prose, and no name of a ref."""
        return {
            "action": self.action,
            "service": self.service,
            "environment": self.environment,
            "repository": self.repository,
            "sha": self.sha,
            "previous_sha": self.previous_sha,
            "config_hash": self.config_hash,
            "steps": [
                {"name": step.name, "argv": None if step.argv is None else list(step.argv)}
                for step in self.steps
            ],
        }
