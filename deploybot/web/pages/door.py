"""Who is at the door of a page: the session behind a request, and whether a form is one of ours.

What is on the pages is `routes`' and `acting`'s; how people sign in is `entering`'s.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import parse_qsl, quote

from starlette.requests import Request
from starlette.responses import Response

from deploybot.errors import InboundError
from deploybot.ports import People, Person
from deploybot.web.security import FOREIGN, STALE, foreign, own_path, same_token
from deploybot.web.sessions import Session, Sessions, hashed, new_id

LIMIT = 100_000
"""Bytes of a form; every field of ours fits."""
SWALLOWED = 8_000_000
"""Bytes of a form that is too large that are read away, so that the browser hears the answer."""
LONGEST_TEXT = 20_000
NOT_KNOWN = (
    "I do not know you here, so you see nothing and nothing was done. "
    "Ask an operator to add you to deploybot's people."
)


class PageError(Exception):
    """Ends a request with a page that says why, in a sentence for a person."""

    def __init__(self, status: int, text: str, *, title: str = "", link: str = "") -> None:
        super().__init__(text)
        self.status = status
        self.title = title
        self.link = link
        """Where to go on, if not to the first page."""


class SignInFirst(Exception):  # noqa: N818 - no error: the way in
    """Nobody is signed in; `then` is where they want to be."""

    def __init__(self, then: str) -> None:
        super().__init__("sign in first")
        self.then = then

    @property
    def url(self) -> str:
        """Where to sign in."""
        return "/sign-in" if self.then == "/" else f"/sign-in?then={quote(self.then, safe='/')}"


@dataclass(frozen=True)
class Visitor:
    """A known person in one browser, and the token that their forms carry."""

    person: Person
    session: Session
    now: datetime

    @property
    def token(self) -> str:
        """What stands in each form."""
        return self.session.token

    @property
    def is_fresh(self) -> bool:
        """Whether they signed in just now."""
        return self.session.is_fresh(self.now)


@dataclass(frozen=True)
class Form:
    """What a form sent, each field once."""

    fields: Mapping[str, str] = field(default_factory=dict)

    def text(self, name: str, longest: int = LONGEST_TEXT) -> str:
        """Return a field without the space around it; raises PageError when it is too long."""
        value = self.fields.get(name, "").strip()
        if len(value) > longest:
            raise PageError(
                413,
                f"That is {len(value):,} characters, and {longest:,} is the most, so nothing was "
                "stored. Make it shorter, and send it again.",
            )
        return value

    def number(self, name: str) -> int:
        """Return a field that is a number; raises PageError when it is none."""
        value = self.fields.get(name, "")
        if not (value.isascii() and value.isdigit() and len(value) < 10):
            raise PageError(422, "That number cannot be read, so nothing was done. Go back.")
        return int(value)


async def read_form(request: Request) -> Form:
    """Return the form in the request's body; raises InboundError (413, 415) or PageError (400)."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().casefold()
    if kind != "application/x-www-form-urlencoded":
        raise InboundError("This is no form of ours, so nothing was done.", status=415)
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > SWALLOWED:
            break
        if size <= LIMIT:
            chunks.append(chunk)
    if size > LIMIT:
        raise InboundError(
            f"What you sent is larger than {LIMIT // 1000} kB, so nothing was stored. "
            "Make it shorter, and send it again.",
            status=413,
        )
    try:
        pairs = parse_qsl(
            b"".join(chunks).decode(), keep_blank_values=True, max_num_fields=50, errors="strict"
        )
    except ValueError:
        raise PageError(400, "This form cannot be read, so nothing was done. Go back.") from None
    if len(dict(pairs)) != len(pairs):
        raise PageError(400, "This form has a field twice, so nothing was done. Go back.")
    return Form(dict(pairs))


class Door:
    """Lets known people in, and forms of ours through."""

    def __init__(
        self, sessions: Sessions, people: People, now: Callable[[], datetime], url: str
    ) -> None:
        self.sessions = sessions
        self._people = people
        self._now = now
        self._url = url
        self._is_https = url.startswith("https://")
        self.cookie = "__Host-deploybot" if self._is_https else "deploybot"

    def visitor(self, request: Request) -> Visitor:
        """Return who is signed in; raises SignInFirst, or PageError 403 for a stranger."""
        session = self.sessions.find(request.cookies.get(self.cookie, ""))
        if session is None:
            asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
            raise SignInFirst(own_path(asked) if request.method == "GET" else "/")
        person = self._people.get(session.person)
        if person is None:
            raise PageError(403, NOT_KNOWN, title="You are not known here")
        turned = self.sessions.turn(session)
        if turned is not session:
            self.give(request, turned.id)
        return Visitor(person, turned, self._now())

    def sender(self, request: Request, form: Form) -> Visitor:
        """Return who sent a form of ours; raises PageError 401 or 403 when it is not one."""
        self._not_foreign(request)
        try:
            visitor = self.visitor(request)
        except SignInFirst:
            raise PageError(
                401,
                "You are not signed in any more, so nothing was done. Sign in, and do it again.",
                title="Sign in first",
                link="/sign-in",
            ) from None
        if not same_token(visitor.token, form.fields.get("token", "")):
            raise PageError(403, STALE, title="Out of date")
        return visitor

    def stranger(self, request: Request) -> str:
        """Return the id of a browser in which nobody has signed in yet; a new one if it has none."""
        known = request.cookies.get(self.cookie, "")
        if len(known) >= 40:
            return known
        fresh = new_id()
        self.give(request, fresh)
        return fresh

    def knock(self, request: Request, form: Form) -> str:
        """Return the id of the browser that sent one of the forms for signing in."""
        self._not_foreign(request)
        known = request.cookies.get(self.cookie, "")
        if not known or not same_token(self.token_of(known), form.fields.get("token", "")):
            raise PageError(403, STALE, title="Out of date", link="/sign-in")
        return known

    def token_of(self, browser: str) -> str:
        """Return what stands in the forms for signing in of this browser."""
        return hashed(f"sign-in form of {browser}")

    def give(self, request: Request, session_id: str) -> None:
        """Have the answer to this request give the browser its id."""
        request.state.cookie = session_id

    def leave_with(self, request: Request, response: Response) -> Response:
        """Put the cookie on the answer that the request is to bring."""
        session_id: str | None = getattr(request.state, "cookie", None)
        if session_id == "":
            response.delete_cookie(self.cookie, path="/", secure=self._is_https, httponly=True)
        elif session_id is not None:
            response.set_cookie(
                self.cookie,
                session_id,
                path="/",
                secure=self._is_https,
                httponly=True,
                samesite="lax",
            )
        return response

    def _not_foreign(self, request: Request) -> None:
        if foreign(request, self._url):
            raise PageError(403, FOREIGN, title="Sent by another site")
