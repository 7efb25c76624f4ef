"""Orders for a target that runs elsewhere, made without a repository: commits are only names here."""

from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

from shop import free, now, unheard
from target_harness import followed

from deploy.catalog import Catalog
from deploy.connections import Connections
from deploy.plan import Action, Plan
from deploy.run import run
from deploy.target import Ended, Order, Outcome, Running, Target
from deploy.targets import target_of

A, B, C = ("a" * 40, "b" * 40, "c" * 40)


class Yard:
    """One target of the service `backend` on `staging`, and orders for it; its clock can be set on."""

    def __init__(self, folder: Path, connections: Connections, **table: Any) -> None:
        self.folder = folder
        self.connections = connections
        self.ahead = now() - now()
        self.numbers = count(1)
        self.set(**{"base": str(folder / "journals"), "look_again_seconds": 0.01} | table)

    def set(self, **table: Any) -> None:
        """Change the settings of the target."""
        self.table = getattr(self, "table", {}) | table
        catalog = Catalog.model_validate(
            {
                "repositories": {"shop": {"path": str(self.folder / "none.git")}},
                "services": {"backend": {"repository": "shop", "target": self.table}},
                "environments": {"staging": {"automatic": True, "services": {"backend": {}}}},
            }
        )
        self.target: Target = target_of(catalog, "backend", "staging", self.clock, self.connections)
        self.config_hash = catalog.config_hash("backend", "staging")

    def clock(self) -> datetime:
        return now() + self.ahead

    def order(self, sha: str, action: Action = "deploy", **changes: Any) -> Order:
        live = self.target.current()
        plan = Plan(
            action=action,
            service="backend",
            environment="staging",
            repository="shop",
            ref=sha,
            sha=sha,
            previous_sha=live.sha if live else None,
            steps=self.target.planned_steps(action, sha),
            config_hash=self.config_hash,
        )
        number = next(self.numbers)
        given = {"approval_id": f"approval-{number}", "fence": number, "head": "e" * 64}
        return Order(**{**given, "digest": "d" * 64, "plan": plan, **changes})

    def begun(self, order: Order) -> Outcome | Running:
        return run(self.target, order, guard=free, progress=unheard)

    def done(self, order: Order) -> Ended | Outcome:
        """Carry an order out to its end."""
        found = self.begun(order)
        told = followed(self.target, order) if isinstance(found, Running) else found
        assert isinstance(told, Ended | Outcome), told
        return told
