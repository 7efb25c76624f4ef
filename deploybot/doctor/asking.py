"""One GET to another system, with its answer or why there is none; it follows nothing and repeats nothing."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx2

SECONDS = 5.0


@dataclass(frozen=True)
class Said:
    """What was answered: a status (0 when nobody did), headers in lower case, a body if it is JSON."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    why: str = ""
    """Why nobody answered, in a word."""


def ask(url: str, *, token: str = "") -> Said:
    """Ask once; never raises."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        answer = httpx2.get(url, headers=headers, timeout=SECONDS, trust_env=False)
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as error:
        return Said(0, why=type(error).__name__)
    try:
        body = answer.json()
    except (json.JSONDecodeError, UnicodeDecodeError):
        body = None
    found = {name.lower(): value for name, value in answer.headers.items()}
    return Said(answer.status_code, found, body)
