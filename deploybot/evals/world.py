"""The company that cases play in: its services, commits, tags, and what is live; and what reads find.

Only values, and look-ups in them. Real repositories and servers are left to `deploy`.
"""

import hashlib
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from deploy.plan import SHORT
from deploybot.next_step import CheckDeployments, ListGitCommits, Read

BEFORE = "2026-03-01"


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Commit(_Value):
    """One commit, named by its short SHA."""

    sha: str
    author: str = ""
    subject: str = ""
    digits: str = ""
    """All of the SHA, when it matters; made up from the short one when not."""

    @property
    def full(self) -> str:
        """The SHA in 40 digits."""
        if self.digits:
            return self.digits
        rest = hashlib.sha1(self.sha.encode(), usedforsecurity=False).hexdigest()
        return (self.sha + rest)[:40]


class Tag(_Value):
    """One tag, and the short SHA that it names."""

    name: str
    sha: str


class World(_Value):
    """Everything that a read may find. Commits and tags are listed newest first."""

    services: tuple[str, ...]
    environments: tuple[str, ...]
    branches: tuple[str, ...] = ("main",)
    approvers: tuple[str, ...] = Field(default=("ben", "cem"))
    commits: tuple[Commit, ...] = ()
    tags: tuple[Tag, ...] = ()
    live: dict[str, dict[str, str]] = {}
    """Environment → service → short SHA."""

    def full_sha(self, ref: str) -> str | None:
        """Return the commit that a branch, a tag or a SHA of seven digits or more names, if any."""
        named = next((tag.sha for tag in self.tags if tag.name == ref), ref)
        if ref in self.branches:
            named = self.commits[0].sha if ref == "main" and self.commits else ref
            if named == ref:
                return hashlib.sha1(ref.encode(), usedforsecurity=False).hexdigest()
        low = named.casefold()
        fitting = (c.full for c in self.commits if len(low) >= SHORT and c.full.startswith(low))
        return next(fitting, None)

    def found(self, step: Read) -> list[dict[str, Any]] | None:
        """Return what a read returns, as plain JSON; None when its ref does not exist."""
        match step:
            case ListGitCommits(ref=ref, limit=limit):
                return self._commits(ref, limit)
            case CheckDeployments(environment=environment):
                return self.rows(environment)
            case _:
                return self.tag_rows()[: step.limit]

    def rows(self, environment: str | None = None) -> list[dict[str, Any]]:
        """Return "what's live?", as the loop shows it to a model."""
        order = [commit.sha for commit in self.commits]
        return [
            {
                "service": service,
                "environment": place,
                "live": self.live.get(place, {}).get(service),
                "since": f"{BEFORE} 10:00",
                "verified": True,
                "held": None,
                "running": False,
                "behind": order.index(sha)
                if (sha := self.live.get(place, {}).get(service)) in order
                else None,
            }
            for place in self.environments
            if environment in (None, place)
            for service in self.services
        ]

    def commit_rows(self) -> list[dict[str, Any]]:
        """Return all commits, newest first."""
        return [
            {
                "sha": commit.full,
                "short": commit.sha,
                "author": commit.author,
                "at": f"{BEFORE}T{max(20 - n, 0):02}:00:00Z",
                "subject": commit.subject,
            }
            for n, commit in enumerate(self.commits)
        ]

    def tag_rows(self) -> list[dict[str, Any]]:
        """Return all tags, newest first."""
        return [
            {
                "name": tag.name,
                "sha": self.full_sha(tag.sha) or tag.sha,
                "at": f"{BEFORE}T10:00:00Z",
            }
            for tag in self.tags
        ]

    def _commits(self, ref: str | None, limit: int) -> list[dict[str, Any]] | None:
        rows = self.commit_rows()
        if ref is None or ref == "main":
            return rows[:limit]
        sha = self.full_sha(ref)
        at = next((n for n, row in enumerate(rows) if row["sha"] == sha), None)
        if sha is None:
            return None
        return rows[:limit] if at is None else rows[at : at + limit]
