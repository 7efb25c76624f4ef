"""The kinds of targets, and which one serves a service; each keeps the promises of `target`."""

from collections.abc import Callable
from datetime import datetime
from importlib import import_module

from deploy import kinds
from deploy.catalog import Catalog
from deploy.connections import Connections
from deploy.target import Site, Target
from deploy.targets.command import Command
from deploy.targets.releases import Releases


def _github_actions(site: Site) -> Target:
    from deploy.targets.github_actions import GitHubActionsTarget

    return GitHubActionsTarget(site)


def _vercel(site: Site) -> Target:
    from deploy.targets.vercel import VercelTarget

    return VercelTarget(site)


def _kubernetes(site: Site) -> Target:
    from deploy.targets.kubernetes import KubernetesTarget

    return KubernetesTarget(site)


KINDS: dict[str, Callable[[Site], Target]] = {
    "releases": Releases,
    "command": Command,
    "github_actions": _github_actions,
    "vercel": _vercel,
    "kubernetes": _kubernetes,
}
"""The built-in targets by the `kind` of their table; other packages bring theirs (`kinds`).

Those that need a client of another system import it when they are first asked for.
"""


def load(catalog: Catalog) -> None:
    """Import what the catalog's targets need, for a process that forks one for each job."""
    for kind in {service.target.kind for service in catalog.services.values()}:
        if kind in KINDS:
            import_module(f"{__name__}.{kind}")


def target_of(
    catalog: Catalog,
    service: str,
    environment: str,
    clock: Callable[[], datetime],
    connections: Connections | None = None,
) -> Target:
    """Return the target of a service in an environment; both must be in the catalog."""
    kind = catalog.services[service].target.kind
    site = Site(catalog, service, environment, clock, connections or Connections())
    if kind in KINDS:
        return KINDS[kind](site)
    brought: Target = kinds.find(kind)(site)
    return brought
