"""What the shell offers on Tab: threads, services, environments and people, asked of the API, quickly.

Nothing is offered when nobody answers within a second: a shell must not wait, nor print an error.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from deploybot.cli.client import Client

SECONDS = 1.0
MOST = 50

Offers = list[tuple[str, str]]


def threads(ctx: typer.Context, incomplete: str) -> Offers:
    """Offer the newest threads, each with how it began."""

    def found(client: "Client") -> Offers:
        rows = client.get("/api/threads", limit=MOST)["threads"]
        return [(str(row["id"]), _about(row)) for row in rows]

    return _offered(ctx, incomplete, found)


def environments(ctx: typer.Context, incomplete: str) -> Offers:
    """Offer the environments."""
    return _offered(ctx, incomplete, lambda client: _places(client, "environment"))


def services(ctx: typer.Context, incomplete: str) -> Offers:
    """Offer the services."""
    return _offered(ctx, incomplete, lambda client: _places(client, "service"))


def statuses(incomplete: str) -> list[str]:
    """Offer where a thread may stand."""
    from deploybot.thread import Status

    return [str(status) for status in Status if status.startswith(incomplete)]


def _offered(ctx: typer.Context, incomplete: str, found: "Callable[[Client], Offers]") -> Offers:
    from deploybot.cli.client import Client
    from deploybot.cli.connection import connect
    from deploybot.cli.terminal import Terminal
    from deploybot.errors import DeploybotError

    state, person = ctx.params.get("state"), ctx.params.get("as_") or ""
    try:
        client = connect(Terminal(), state=Path(state) if state else None, person=str(person))
        offers = found(Client(client.url, client.token, patience=0.0, timeout=SECONDS))
    except (DeploybotError, KeyError, TypeError):
        return []
    return [(value, about) for value, about in offers if value.startswith(incomplete)]


def _places(client: "Client", what: str) -> Offers:
    rows = client.get("/api/environments")["environments"]
    return [(name, "") for name in dict.fromkeys(str(row[what]) for row in rows)]


def _about(row: dict[str, Any]) -> str:
    from deploybot.cli.terminal import one_line

    return one_line(f"{row['status']} {row.get('title') or ''}".strip())[:60]
