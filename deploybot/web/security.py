"""What a browser is told and asked so that no other site can act for somebody; who may do what is not here."""

import hmac
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deploybot.config import LOOPBACK

FOREIGN = (
    "This was sent by another site and not by a page of deploybot, so nothing was done. "
    "Open deploybot itself, and do it there."
)
STALE = (
    "The page that this was sent from is out of date, so nothing was done. "
    "Load it again, and repeat what you did."
)


class SecurityHeaders:
    """Adds to every answer what keeps a browser from running, framing or leaking anything.

    `form_targets` are origins of others to which a form of ours may lead on: Slack's sign-in.
    """

    def __init__(self, app: ASGIApp, form_targets: tuple[str, ...] = ()) -> None:
        self._app = app
        to = " ".join(("'self'", *form_targets))
        self._headers = {
            "content-security-policy": (
                "default-src 'self'; base-uri 'none'; object-src 'none'; "
                f"form-action {to}; frame-ancestors 'none'"
            ),
            "x-content-type-options": "nosniff",
            "x-frame-options": "DENY",
            "referrer-policy": "same-origin",
            "cross-origin-opener-policy": "same-origin",
            "cross-origin-resource-policy": "same-origin",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on, with the headers put in front of each answer."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, with_headers if scope["type"] == "http" else send)


def foreign(request: Request, url: str) -> bool:
    """Tell whether another site's page sent this request, by what the browser says of it.

    `url` is the address under which people reach us, "" when it is not known. A browser too old to
    say anything is left to the form's token.
    """
    site = request.headers.get("sec-fetch-site", "same-origin")
    if site not in ("same-origin", "none"):
        return True
    origin = request.headers.get("origin")
    if origin is None:
        return False
    own = f"{request.url.scheme}://{request.headers.get('host', '')}"
    return origin not in (own, _origin(url))


def same_token(wanted: str, given: str) -> bool:
    """Compare two tokens in constant time."""
    return bool(wanted) and hmac.compare_digest(wanted.encode(), given.encode())


def is_loopback(request: Request) -> bool:
    """Tell whether the request comes from this machine, names it, and passed no proxy."""
    named = urlsplit(f"//{request.headers.get('host', '')}").hostname
    proxied = any(name in request.headers for name in ("forwarded", "x-forwarded-for", "via"))
    here = request.client is not None and request.client.host in LOOPBACK
    return named in LOOPBACK and here and not proxied


def own_path(path: str) -> str:
    """Return the path if it leads to a page of ours, and the first page otherwise."""
    plain = path.startswith("/") and not path.startswith(("//", "/\\"))
    return path if plain and path.isprintable() and "\\" not in path else "/"


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""
