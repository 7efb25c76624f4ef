"""The targets that run in the worker itself, ready for the contract of targets."""

import sys
from pathlib import Path
from typing import Any

from shop import Shop, now, quick
from target_harness import Mode, Moment

from deploy.catalog import Catalog
from deploy.look import Look
from deploy.target import Order

TRACE = """
import os, pathlib, signal, sys, time
folder, mode, sha = pathlib.Path(sys.argv[1]), sys.argv[2], os.environ["SHA"]
with (folder / "runs").open("a") as runs:
    runs.write(sha + chr(10))
(folder / "acting").write_text(str(os.getpid()))
if mode == "fails":
    sys.exit("there is no such thing as a free deploy")
while mode in ("slow", "silent") and not (folder / "go").exists():
    if mode == "slow":
        print("still at it", flush=True)
    signal.sigtimedwait([], 0.05)
(folder / "acting").unlink()
"""


class LocalHarness:
    """A shop whose deploys leave traces in its folder."""

    kind: str
    table: dict[str, Any]

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.shop = Shop(folder)
        (folder / "trace.py").write_text(TRACE)
        (folder / "runs").touch()

    def look(self, mode: Mode = "quick", **settings: object) -> Look:
        tables = quick(self.shop).model_dump()
        table = self.target_table(mode) | {"kind": self.kind, "base": self.shop.base} | settings
        tables["services"]["backend"]["target"] = table
        return Look(Catalog.model_validate(tables), clock=now)

    def target_table(self, mode: Mode) -> dict[str, Any]:
        raise NotImplementedError

    def order(self, look: Look, ref: str, **changes: object) -> Order:
        order = self.shop.order(look.plan("deploy", "backend", ref, "staging"))
        return Order.model_validate(order.model_dump() | changes)

    def runs(self) -> list[str]:
        return (self.folder / "runs").read_text().split()

    def acting(self) -> bool:
        try:
            pid = (self.folder / "acting").read_text()
        except FileNotFoundError:
            return False
        return bool(pid) and Path("/proc", pid).exists()

    def let_go(self) -> None:
        (self.folder / "go").touch()

    def close(self) -> None:
        self.let_go()

    def traced(self, mode: Mode) -> list[str]:
        return [sys.executable, "-S", "-E", f"{self.folder}/trace.py", str(self.folder), mode]


class ReleasesHarness(LocalHarness):
    """Release directories whose first build leaves the traces."""

    kind = "releases"
    acts = "switch"
    moments = tuple(
        Moment(step, when)
        for step in ("export", "build-1", "build-2", "switch")
        for when in ("begins", "ended")
    )

    def target_table(self, mode: Mode) -> dict[str, Any]:
        return {"build": [self.traced(mode), ["touch", "built"]], "minimum_free_bytes": 0}

    def truth(self) -> str | None:
        current = self.shop.base / "staging" / "backend" / "current"
        return current.readlink().name if current.is_symlink() else None


class CommandHarness(LocalHarness):
    """A command that leaves the traces and then writes down what is live, which `current` reads."""

    kind = "command"
    acts = "deploy"
    moments = (
        Moment("deploy", "begins"),
        Moment("deploy", "ended"),
        Moment("confirm", "begins"),
        Moment("confirm", "ended"),
    )

    def target_table(self, mode: Mode) -> dict[str, Any]:
        trace = " ".join(f"'{word}'" for word in self.traced(mode))
        return {
            "directory": str(self.folder),
            "deploy": ["sh", "-ec", f'{trace}; echo "$SHA" > "$0.new"; mv "$0.new" "$0"', "live"],
            "current": ["sh", "-c", "cat live 2>/dev/null || true"],
        }

    def truth(self) -> str | None:
        live = self.folder / "live"
        return live.read_text().strip() if live.exists() else None


class ToldCommandHarness(CommandHarness):
    """The same without `current`, and with a probe: what is live is the journal's word."""

    moments = (Moment("deploy", "begins"), Moment("deploy", "ended"))

    def target_table(self, mode: Mode) -> dict[str, Any]:
        table = super().target_table(mode)
        del table["current"]
        return table | {"probe": ["sh", "-c", 'test "$(cat live)" = "$SHA"']}
