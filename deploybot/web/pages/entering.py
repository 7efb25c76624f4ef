"""Signing in and out: with Slack, by a link in a mail or, in the demo, by choosing who one is.

A GET shows a button and changes nothing: links are spent, and codes are used, when it is pressed.
"""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from deploybot.web.pages.desk import Desk
from deploybot.web.pages.door import NOT_KNOWN, Form, PageError, SignInFirst, read_form
from deploybot.web.security import is_loopback, own_path
from deploybot.web.signing_in import TRIES, Links, MailedLinks, Tries
from deploybot.web.signing_in_slack import SlackSignIn

Sent = Annotated[Form, Depends(read_form)]
IN = "/sign-in"
TOO_OFTEN = "Too many tries to sign in came from here; nothing was done. Wait 15 minutes."
NOT_HERE = "This way of signing in is not set up here, so nobody was signed in."
SPENT = (
    "This link was used already, is older than 15 minutes, or never was, so nobody was signed in. "
    "Ask for a new one."
)


@dataclass(frozen=True)
class Ways:
    """The ways of signing in that are set up."""

    tries: Tries
    links: Links
    mail: MailedLinks | None = None
    slack: SlackSignIn | None = None
    by_choice: bool = False


def entering(desk: Desk, ways: Ways) -> APIRouter:
    """Return the routes by which people sign in and out."""
    routes = APIRouter(route_class=desk.route(), include_in_schema=False)
    entrance = Entrance(desk, ways)
    routes.get(IN)(entrance.ways_in)
    routes.post(f"{IN}/choice")(entrance.choose)
    routes.post(f"{IN}/mail")(entrance.mail)
    routes.get(f"{IN}/sent")(entrance.sent)
    routes.get(f"{IN}/link/{{secret}}")(entrance.link)
    routes.post(f"{IN}/link/{{secret}}")(entrance.spend)
    routes.post(f"{IN}/slack")(entrance.slack)
    routes.get(f"{IN}/slack/callback")(entrance.back)
    routes.post(f"{IN}/slack/callback")(entrance.arrive)
    routes.get("/sign-out")(entrance.leaving)
    routes.post("/sign-out")(entrance.sign_out)
    return routes


class Entrance:
    """The ways in, and out."""

    def __init__(self, desk: Desk, ways: Ways) -> None:
        self._desk = desk
        self._door = desk.door
        self._ways = ways
        self._people = desk.bot.people

    def ways_in(self, request: Request, then: str = "/") -> Response:
        """Show the ways in."""
        ways = self._ways
        choice = ways.by_choice and is_loopback(request)
        return self._page(
            request,
            "sign_in.html",
            then=own_path(then),
            slack=ways.slack is not None,
            mail=ways.mail is not None,
            people=self._people.known if choice else (),
        )

    def choose(self, request: Request, form: Sent) -> Response:
        """Become whom one chose; in the demo only."""
        if not (self._ways.by_choice and is_loopback(request)):
            raise PageError(404, NOT_HERE, link=IN)
        self._door.knock(request, form)
        return self._enter(request, form.text("person", 200), form.text("then", 2000))

    def mail(self, request: Request, form: Sent) -> Response:
        """Have a link sent; the answer is the same whoever asked."""
        self._door.knock(request, form)
        if self._ways.mail is None:
            raise PageError(404, NOT_HERE, link=IN)
        self._count(request)
        self._ways.mail.ask(form.text("address", 320))
        return RedirectResponse(f"{IN}/sent", 303)

    def sent(self, request: Request) -> Response:
        """Say that a link is on its way, if there is anybody to get it."""
        return self._page(request, "sent.html")

    def link(self, request: Request, secret: str) -> Response:
        """Show the button of a link; looking at it spends nothing."""
        person = self._people.get(self._ways.links.look(secret))
        if person is None:
            raise PageError(403, SPENT, link=IN)
        action = f"{IN}/link/{secret}"
        return self._page(request, "link.html", person=person, action=action, fields={})

    def spend(self, request: Request, secret: str, form: Sent) -> Response:
        """Sign in by a link, once."""
        self._door.knock(request, form)
        self._count(request)
        person = self._ways.links.spend(secret)
        if not person:
            raise PageError(403, SPENT, link=IN)
        return self._enter(request, person, "/")

    def slack(self, request: Request, form: Sent) -> Response:
        """Go to Slack."""
        browser = self._door.knock(request, form)
        self._count(request)
        then = own_path(form.text("then", 2000))
        return RedirectResponse(self._slack.leave(browser, then), 303)

    def back(self, request: Request, code: str = "", state: str = "") -> Response:
        """Show the button that ends the way back from Slack."""
        if self._ways.slack is None or not (code and state):
            text = "Slack did not sign you in, so nothing was done. Sign in again."
            raise PageError(403, text, link=IN)
        fields = {"code": code[:2000], "state": state[:200]}
        action = f"{IN}/slack/callback"
        return self._page(request, "link.html", person=None, action=action, fields=fields)

    def arrive(self, request: Request, form: Sent) -> Response:
        """Sign in as whom Slack says one is."""
        browser = self._door.knock(request, form)
        self._count(request)
        arrival = self._slack.come_back(browser, form.text("state", 200), form.text("code", 2000))
        return self._enter(request, self._people.by_slack(arrival.user), arrival.then)

    def leaving(self, request: Request) -> Response:
        """Show the buttons for signing out."""
        try:
            visitor = self._door.visitor(request)
        except SignInFirst:
            return RedirectResponse(IN, 303)
        return self._desk.show("sign_out.html", visitor, here="")

    def sign_out(self, request: Request, form: Sent) -> Response:
        """End this session, or all of this person's."""
        visitor = self._door.sender(request, form)
        if form.fields.get("where") == "everywhere":
            self._door.sessions.end_all(visitor.person.id)
        self._door.sessions.end(visitor.session)
        self._door.give(request, "")
        return RedirectResponse(IN, 303)

    @property
    def _slack(self) -> SlackSignIn:
        if self._ways.slack is None:
            raise PageError(404, NOT_HERE, link=IN)
        return self._ways.slack

    def _page(self, request: Request, template: str, **values: Any) -> Response:
        token = self._door.token_of(self._door.stranger(request))
        return self._desk.pages.show(template, visitor=None, token=token, **values)

    def _enter(self, request: Request, person: str, then: str) -> Response:
        """Sign a known person in, in place of whoever was signed in here."""
        if self._people.get(person) is None:
            raise PageError(403, NOT_KNOWN, title="You are not known here", link=IN)
        before = request.cookies.get(self._door.cookie, "")
        session = self._door.sessions.begin(person, instead_of=before)
        self._door.give(request, session.id)
        return RedirectResponse(own_path(then), 303)

    def _count(self, request: Request) -> None:
        """Count one try of this place; raises PageError 429 when there were too many."""
        place = request.client.host if request.client else ""
        if not self._ways.tries.allows("sign-in", place, TRIES):
            raise PageError(429, TOO_OFTEN, link=IN)
