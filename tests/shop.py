"""A place to deploy the sample shop in: a real repository, a catalog, ports, and hosts on request."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from subprocess import Popen
from typing import Any

from deploy.catalog import Catalog
from deploy.free_ports import free_ports
from deploy.look import Look
from deploy.plan import Plan
from deploy.run import run
from deploy.target import Order, Outcome, Progress, Target
from deploybot.demo.sample_repository import SampleRepository, create

ROOT = Path(__file__).parent.parent
PYTHON = sys.executable


def now() -> datetime:
    """Return the time, as bootstrap would pass it."""
    return datetime.now(UTC)  # noqa: TID251 (tests have no bootstrap)


def free() -> None:
    """Guard nothing."""


def unheard(progress: Progress) -> None:
    """Listen to nothing."""


class Shop:
    """The sample shop, with the environments staging and production under one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.base = folder / "releases"
        self.repository: SampleRepository = create(folder / "shop.git", now())
        names = [(e, s) for e in ("staging", "production") for s in ("backend", "frontend")]
        self.ports = dict(zip(names, free_ports(4), strict=True))
        self.numbers = count(1)

    def url(self, environment: str, service: str) -> str:
        return f"http://127.0.0.1:{self.ports[environment, service]}"

    def tables(self) -> dict[str, Any]:
        """Return the tables of the configuration, to be changed by a test before use."""
        return {
            "repositories": {"shop": {"path": str(self.repository.path)}},
            "services": {name: self._service(name) for name in ("backend", "frontend")},
            "environments": {
                "staging": {
                    "order": 1,
                    "automatic": True,
                    "services": self._places("staging"),
                    "tests": [PYTHON, "-B", "-m", "unittest", "discover", "-s", "e2e"],
                },
                "production": {
                    "order": 2,
                    "approvers": ["ann", "ben"],
                    "services": self._places("production"),
                    "verified_in": "staging",
                    "allowed_branches": ["main"],
                    "tests": [PYTHON, "-B", "-m", "unittest", "discover", "-s", "e2e"],
                },
            },
        }

    def _service(self, name: str) -> dict[str, Any]:
        return {
            "repository": "shop",
            "path": name,
            "target": {
                "kind": "releases",
                "base": str(self.base),
                "build": [[PYTHON, "-m", "compileall", "-q", "."]],
                "start": [PYTHON, "server.py"],
                "confirm_timeout_seconds": 10,
                "health_timeout_seconds": 10,
            },
        }

    def _places(self, environment: str) -> dict[str, Any]:
        backend = {"BACKEND_URL": self.url(environment, "backend")}
        return {
            "backend": {"url": self.url(environment, "backend")},
            "frontend": {"url": self.url(environment, "frontend"), "variables": backend},
        }

    def catalog(self) -> Catalog:
        return Catalog.model_validate(self.tables())

    @contextmanager
    def hosts(self, *environments: str) -> Iterator[None]:
        """Serve both services of some environments for as long as the block lasts."""
        hosts = [
            Popen(
                [
                    *[PYTHON, "-m", "deploybot.demo.host", "--base", str(self.base)],
                    *["--environment", environment, "--service", service],
                    *[
                        "--port",
                        str(port),
                        "--set",
                        f"BACKEND_URL={self.url(environment, 'backend')}",
                    ],
                ],
                cwd=ROOT,
            )
            for (environment, service), port in self.ports.items()
            if environment in environments
        ]
        try:
            yield
        finally:
            for host in hosts:
                host.terminate()
            for host in hosts:
                host.wait(20)

    def order(self, plan: Plan, approval_id: str | None = None, fence: int | None = None) -> Order:
        """Return an order as if people had agreed to the plan."""
        number = next(self.numbers) if fence is None else fence
        name = approval_id or f"approval-{number}"
        return Order(approval_id=name, fence=number, digest="d" * 64, head="e" * 64, plan=plan)

    def deploy(self, look: Look, service: str, ref: str, environment: str) -> Outcome:
        """Deploy as people would, all checks included."""
        plan = look.plan("deploy", service, ref, environment)
        target: Target = look.target(service, environment)
        return run(target, self.order(plan), guard=free, progress=unheard)


def quick(shop: Shop, **target: object) -> Catalog:
    """Return a catalog of one service whose steps take milliseconds and start nothing."""
    tables = shop.tables()
    service = tables["services"]["backend"]
    service["target"] = {
        "kind": "releases",
        "base": str(shop.base),
        "build": [["touch", "built"]],
        "minimum_free_bytes": 0,
        **target,
    }
    tables["services"] = {"backend": service}
    tables["environments"] = {
        "staging": {"automatic": True, "services": {"backend": {}}},
    }
    return Catalog.model_validate(tables)
