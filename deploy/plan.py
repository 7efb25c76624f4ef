"""A plan: what would run, and the facts a person needs to judge it; finding them is `look`'s task."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, StringConstraints

from deploy.change import Elsewhere, Extent, PullRequest, Relation
from deploy.checks import Check

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

    `commits` are those that would come (or, when it goes back, go), newest first and capped;
    `commits_total` counts them up to 1000. All that is not in `decides` is there for people: it
    may be another thing a minute later, and what they agreed to is still the same.
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
    confirm: tuple[str, ...] = ()
    """What whoever approves must confirm on its own, a sentence each; such a request is not
    answered by mail."""
    relation: Relation = "ahead"
    authors: tuple[str, ...] = ()
    authors_total: int = 0
    author_addresses: tuple[str, ...] = ()
    """Mail addresses of all who wrote it; looked up only where they may not approve it."""
    further_addresses: tuple[str, ...] = ()
    """Mail addresses of those who wrote only what `commits` has no room for."""
    pull_requests: tuple[PullRequest, ...] = ()
    pull_requests_total: int = 0
    extent: Extent | None = None
    risky: tuple[str, ...] = ()
    """Changed files that the configuration wants people to look at."""
    risky_total: int = 0
    elsewhere: tuple[Elsewhere, ...] = ()
    """What is live of this service in the other environments, in their order."""
    required: tuple[Check, ...] = ()
    """How the checks stand that must have passed, and where to read about them."""

    @property
    def goes_back(self) -> bool:
        """Whether its commits would be taken back rather than go live."""
        return self.action == "roll_back" or self.relation == "behind"

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
