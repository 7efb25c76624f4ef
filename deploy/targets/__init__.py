"""The kinds of targets, and which one serves a service; each keeps the promises of `target`."""

from collections.abc import Callable
from datetime import datetime

from deploy.catalog import Catalog
from deploy.target import Target
from deploy.targets.releases import Releases


def target_of(
    catalog: Catalog, service: str, environment: str, clock: Callable[[], datetime]
) -> Target:
    """Return the target of a service in an environment; both must be in the catalog."""
    return Releases(catalog, service, environment, clock)
