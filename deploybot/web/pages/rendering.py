"""Turns templates into pages, and serves what they load; what stands on them is their callers'."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from deploy.plan import SHORT
from deploybot.mail import INVISIBLE
from deploybot.phrases import duration
from deploybot.ports import People

STATIC = {
    "pages.css": "text/css; charset=utf-8",
    "pages.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
YEAR = 365 * 24 * 3600


class Pages:
    """The templates, with what every one of them may use."""

    def __init__(self, people: People) -> None:
        self._templates = Environment(
            loader=PackageLoader("deploybot.web"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters |= {
            "when": when,
            "short": lambda sha: (sha or "")[:SHORT],
            "name": people.name,
            "seen": seen,
            "said": said,
            "count": count,
            "took": duration,
        }
        self._templates.globals |= {"asset": asset}

    def show(
        self,
        template: str,
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        **values: Any,
    ) -> Response:
        """Return the page; nothing on it may be kept by anybody but the browser's own history."""
        html = self._templates.get_template(template).render(**values)
        kept = {"cache-control": "no-store", **(headers or {})}
        return HTMLResponse(html, status, kept)


def when(at: datetime, how: str = "time") -> Markup:
    """Return a moment; scripts put it into the reader's own time, everybody else reads UTC.

    `how`: time (14:03), moment (2 Mar, 14:03) or ago, for which a script says how long it was.
    """
    at = at.astimezone(UTC)
    plain = f"{at:%H:%M}" if how == "time" else f"{at.day} {at:%b %H:%M}"
    return Markup('<time datetime="{}" data-how="{}" title="{} UTC">{} UTC</time>').format(
        at.isoformat(timespec="seconds"), how, f"{at:%Y-%m-%d %H:%M:%S}", plain
    )


def seen(text: str) -> str:
    """Return text of others with what nobody can see made visible, for it may hide something."""
    return INVISIBLE.sub("\N{REPLACEMENT CHARACTER}", text)


def said(text: str) -> Markup:
    """Return words in which names stand between backticks, as the bot writes them."""
    parts = seen(text).split("`")
    whole = len(parts) % 2 == 1
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if whole and at % 2 else escape(part)
        for at, part in enumerate(parts)
    )


def count(number: int, one: str, many: str = "") -> str:
    """Return a number of things in words: 1 commit, 2 commits."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


@cache
def _static(name: str) -> bytes:
    return (files("deploybot.web") / "static" / name).read_bytes()


@cache
def asset(name: str) -> str:
    """Return the address of a file that pages load; another content has another address."""
    digest = hashlib.sha256(_static(name)).hexdigest()[:12]
    return f"/static/{digest}/{name}"


def serve_static(request: Request, digest: str, name: str) -> Response:
    """Return a file that pages load, to be kept for as long as its address stays the same."""
    if name not in STATIC or f"/static/{digest}/{name}" != asset(name):
        return Response("There is no such file.\n", 404, media_type="text/plain")
    kept = {"cache-control": f"public, max-age={YEAR}, immutable"}
    return Response(_static(name), headers=kept, media_type=STATIC[name])
