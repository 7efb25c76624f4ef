"""What the benchmarks share: a server of their own, and the table in which all figures end."""

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
import redis
from redis_server import wait_until


@dataclass
class Table:
    """The figures of one run, in the order in which they were found."""

    rows: list[tuple[str, str, str, str]] = field(default_factory=list)

    def add(self, what: str, figure: str, beside: str = "", bar: str = "") -> None:
        self.rows.append((what, figure, beside, bar))

    def __str__(self) -> str:
        rows = [("what", "deploybot", "beside it", "bar"), *self.rows]
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]
        return "\n".join((lines[0], "-" * (sum(widths) + 6), *lines[1:]))


@pytest.fixture(scope="session")
def table() -> Iterator[Table]:
    """Collect figures, and print them together at the end of the run."""
    table = Table()
    yield table
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    sys.stdout.write(
        f"\n\n{table}\n\n{os.cpu_count()} cores, load {load} at the end; every write is waited for "
        "on the disk (appendfsync always); medians.\n"
    )


def settled(connection: redis.Redis) -> int:
    """Return the bytes of memory in use, once the server has let go of what was deleted."""
    wait_until(lambda: not connection.info("memory")["lazyfree_pending_objects"])
    return int(connection.info("memory")["used_memory"])
