"""What is sold and what it costs; how it is asked for over HTTP is in `server`."""

import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SURCHARGES = ["packaging"]
MOST_OF_ONE = 50


class ShopError(Exception):
    """A question that has no answer, in words for the one who asked."""


def products() -> dict[str, Any]:
    """Return all products by id."""
    shelf: dict[str, Any] = json.loads((HERE / "products.json").read_text())
    return shelf


def settings(environment: str) -> dict[str, Any]:
    """Return what is set for one environment."""
    return dict(json.loads((HERE / "settings.json").read_text())[environment])


def quote(items: str, environment: str) -> dict[str, Any]:
    """Return what some items cost, e.g. `mug:2,shirt:1`, with all surcharges."""
    shelf, chosen = products(), settings(environment)
    subtotal = 0
    for item in items.split(","):
        name, _, count = item.partition(":")
        if name not in shelf:
            raise ShopError(f"no product {name!r}")
        if not count.isdigit() or not 0 < int(count) <= MOST_OF_ONE:
            raise ShopError(f"between 1 and {MOST_OF_ONE} of {name!r}, please")
        subtotal += int(count) * int(shelf[name]["cents"])
    extra = {}
    for surcharge in SURCHARGES:
        if surcharge not in chosen["surcharges"]:
            raise KeyError(f"settings.json has no surcharge {surcharge!r} for {environment}")
        extra[surcharge] = int(chosen["surcharges"][surcharge])
    return {
        "currency": chosen["currency"],
        "subtotal": subtotal,
        "surcharges": extra,
        "total": subtotal + sum(extra.values()),
    }
