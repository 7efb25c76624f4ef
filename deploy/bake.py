"""Watching what went live for a while: a release that breaks in its first minutes is not verified."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from deploy.catalog import Catalog
from deploy.plan import SHORT
from deploy.process import pause
from deploy.target import Guard, Live
from deploy.target_tables import ReleasesTable
from deploy.targets.health import ask

BETWEEN_SECONDS = 1.0
IN_A_ROW = 3
"""How many bad answers in a row are a failure; one alone may be the network's."""


@dataclass(frozen=True)
class Watched:
    """One service that is watched: where it says how it is, and the commit it must name, if it does."""

    service: str
    url: str
    sha: str | None


def watched(catalog: Catalog, environment: str, live: Mapping[str, Live]) -> tuple[Watched, ...]:
    """Return the live services that can be watched: those with a health page."""
    found = []
    for name, now in live.items():
        place, target = catalog.environments[environment].services[name], catalog.services[name]
        if place.health:
            found.append(Watched(name, place.health, None))
        elif place.url and isinstance(target.target, ReleasesTable):
            found.append(Watched(name, place.url.rstrip("/") + target.target.health, now.sha))
    return tuple(found)


def watch(services: tuple[Watched, ...], seconds: float, guard: Guard) -> str | None:
    """Ask the services all along; return what was wrong with the first that broke, None if none did.

    The guard is asked before each look, and what it raises comes through.
    """
    began = time.monotonic()
    bad = dict.fromkeys((one.service for one in services), 0)
    while services:
        for one in services:
            guard()
            problem = _problem(one)
            bad[one.service] = bad[one.service] + 1 if problem else 0
            if bad[one.service] == IN_A_ROW:
                after = time.monotonic() - began
                return f"{one.service} was not well {after:.0f} s after it went live: {problem}"
        if time.monotonic() - began >= seconds and not any(bad.values()):
            return None
        pause(min(BETWEEN_SECONDS, max(seconds / 10, 0.05)))
    return None


def _problem(one: Watched) -> str | None:
    answer = ask(one.url)
    if one.sha is None:
        unwell = answer.problem is not None and answer.problem.startswith(
            ("it does not answer", "it answers")
        )
        return answer.problem if unwell else None
    if answer.sha == one.sha:
        return None
    return f"it runs {answer.sha[:SHORT]}" if answer.sha else answer.problem
