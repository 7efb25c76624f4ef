"""What a change brings, in facts for people: pull requests, size, what is live elsewhere; all of it capped."""

import re
from collections.abc import Iterable
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

Relation = Literal["first", "ahead", "behind", "diverged", "gone"]
"""How a commit stands to what is live: nothing is; it contains it; is contained in it; neither; git does not have it."""

TITLE = 200
_MERGED = re.compile(r"Merge pull request #(\d{1,9})\b:?\s*(.*)")
_SQUASHED = re.compile(r"(.+?)\s*\(#(\d{1,9})\)\s*")


class PullRequest(BaseModel):
    """A pull request that commits say they came by; its title was written by others."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int
    title: str


class Extent(BaseModel):
    """How much changes in the service's folder: files, and lines in those that have lines."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    files: int
    added: int
    removed: int


class Elsewhere(BaseModel):
    """What is live of the same service in another environment; None for nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    environment: str
    sha: str | None
    since: AwareDatetime | None = None
    verified: bool = False


def pull_requests(messages: Iterable[tuple[str, str]]) -> tuple[PullRequest, ...]:
    """Return the pull requests that merges and squashed commits name, each once, in their order.

    A message is its subject and its body. A merge has its title in the body, or behind the number.
    """
    found: dict[int, PullRequest] = {}
    for subject, body in messages:
        if merged := _MERGED.fullmatch(subject):
            rest = merged[2] if not merged[2].startswith("from ") else ""
            title = rest or next(iter(body.strip().splitlines()), "")
            number = int(merged[1])
        elif squashed := _SQUASHED.fullmatch(subject):
            number, title = int(squashed[2]), squashed[1]
        else:
            continue
        found.setdefault(number, PullRequest(number=number, title=title.strip()[:TITLE]))
    return tuple(found.values())
