"""Kinds of targets that other packages bring, found by entry point; the built-in ones are `targets`."""

from importlib.metadata import entry_points
from typing import Any, Protocol

from pydantic import BaseModel

GROUP = "deploybot.targets"
"""The group of entry points: the name is the kind, the object is the target's class."""


class Kind(Protocol):
    """A target's class, as a package brings it: the table it reads, and how it is made."""

    table: type[BaseModel]

    def __call__(self, site: Any, /) -> Any:
        """Return the target of one `target.Site`."""


def find(kind: str) -> Kind:
    """Return the class behind a kind; ValueError that names the kinds which are installed."""
    found = entry_points(group=GROUP)
    if kind not in found.names:
        known = ", ".join(sorted({*BUILT_IN, *found.names}))
        raise ValueError(f"no target of kind {kind!r} is installed; known: {known}")
    brought: Kind = found[kind].load()
    return brought


BUILT_IN = ("releases", "command", "github_actions", "vercel", "kubernetes")
"""The kinds that come with deploybot."""
