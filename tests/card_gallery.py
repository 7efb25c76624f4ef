"""Takes pictures of cards and mails that no demo comes by: several services, later starts, lines, locks.

`make pictures` takes those of docs/slack.md; `python tests/card_gallery.py FOLDER [NAME…]` takes all
of them, at a desk's and a phone's width and as mails, for whoever changes how a card looks.
"""

import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from browsing import Window, chromium
from fakes import NOON, PEOPLE
from playwright.sync_api import Browser, Page
from png_palette import shrink
from slack_cards import BEFORE, card, plan, request

from deploy.locks import Hold
from deploy.plan import PlannedStep
from deploybot.approvals import ApprovalRequest, Rule
from deploybot.demo.workspace.server import WorkspaceServer
from deploybot.demo.workspace.settings import Person, WorkspaceSettings
from deploybot.events import (
    Cancelled,
    DriftFound,
    EmailReceived,
    HoldForgotten,
    HoldPlaced,
    LinedUp,
)
from deploybot.mail import MailSettings
from deploybot.outbound.email_letters import letters
from deploybot.outbound.email_rendering import message
from deploybot.outbound.slack_blocks import Look, draw
from deploybot.outbound.slack_calls import slack_client
from deploybot.outbound.slack_card import detail_blocks
from deploybot.outbox import tellings
from deploybot.telling import Card, CardState, Said, Shown, Telling
from deploybot.thread import Thread

TOKEN = "xoxb-gallery"
CHANNEL = "C0DEPLOYS"
URL = "https://deploybot.shop.example/threads/t1"
SIZES = {"desk": (1000, 900), "phone": (375, 744)}
RUN = "https://github.com/harbour/shop/actions/runs/7"
STEPS: tuple[dict[str, Any], ...] = (
    {"kind": "step", "name": "build", "ok": True, "seconds": 12.25},
    {"kind": "running", "step": "switch", "link": RUN},
)
SITE = (
    "Show the cart on every page",
    "Keep a coupon when the cart is emptied",
    "Round prices once",
)


def _plan(service: str, **changes: Any) -> Any:
    bare = plan("", service=service)
    commits = tuple(
        one.model_copy(update={"subject": SITE[n % 3], "author": ("Ann Okafor", "Ben Ito")[n % 2]})
        for n, one in enumerate(bare.commits)
    )
    steps = (
        PlannedStep(name="build", argv=("make", "build", f"SERVICE={service}"), says="build it"),
        PlannedStep(name="migrate", argv=("make", "migrate"), says="change the tables"),
        PlannedStep(name="switch", says="make it live"),
    )
    given = {
        "commits": commits,
        "steps": steps,
        "warnings": ("4af9ec0 was not verified on staging.",) if service == "backend" else (),
        "risky": ("backend/migrations/0042_cart.sql",) if service == "backend" else (),
        "risky_total": 1 if service == "backend" else 0,
        "authors": ("Ann Okafor", "Ben Ito"),
        "authors_total": 2,
        "checks": ("on main", "tests passed on staging"),
        "required": (),
        "pull_requests": (),
        "pull_requests_total": 0,
    }
    return bare.model_copy(update=given | changes)


def request_of(*services: str, **changes: Any) -> ApprovalRequest:
    """Return a request about these services, as people would read it."""
    first, *more = (_plan(service) for service in services)
    given: dict[str, Any] = {
        "plan": first,
        "more": tuple(more),
        "asked": "please ship the cart, backend first",
        "reason": "",
    }
    return request(**(given | changes))


def _said(*events: Any) -> tuple[Telling, ...]:
    return tellings(Thread("t1", tuple(events)))


def shows() -> Iterator[tuple[str, tuple[Telling, ...]]]:
    """Yield the name of each picture, and what is on it."""
    two, three = request_of("backend", "frontend"), request_of("backend", "frontend", "worker")
    yield "two-open", (card(CardState.OPEN, "", request=two),)
    different = two.model_copy(update={"more": (_plan("frontend", previous_sha="9" * 40),)})
    yield "two-different", (card(CardState.OPEN, "", request=different),)
    yield (
        "seven-open",
        (card(CardState.OPEN, "", request=request_of(*(f"shop-{n}" for n in range(7)))),),
    )
    yield "three-running", (card(CardState.DEPLOYING, "", request=three, part=1),)
    between = card(CardState.DEPLOYING, "", request=three, part=1, operation="")
    yield "three-between", (between,)
    broke = "migrate: exited with status 1: relation cart exists already"
    yield "three-failed", (card(CardState.FAILED, broke, request=three, part=1, link=RUN),)
    yield "three-stopped", (card(CardState.CLOSED, "", request=three, part=1),)
    yield "three-live", (card(CardState.LIVE, "", request=three, part=2, seconds=73.2),)
    yield "three-unknown", (card(CardState.UNKNOWN, "switch", request=three, part=2),)
    later = request_of("backend", start_at=NOON + timedelta(hours=14))
    yield "later-open", (card(CardState.OPEN, "", request=later),)
    yield "later-waits", (card(CardState.SCHEDULED, "", request=later),)
    yield "later-expired", (card(CardState.EXPIRED, "", request=later),)
    countdown = request_of(
        "backend",
        plan=_plan("backend", action="roll_back", warnings=(), risky=(), risky_total=0),
        rule=Rule(approvers=("ann", "ben"), automatic=True, anyone_may_stop=True),
        start_at=NOON + timedelta(seconds=60),
        requesters=(),
        asked="The tests failed on production.",
    )
    yield "countdown", (card(CardState.SCHEDULED, "", request=countdown),)
    one = request_of("backend")
    yield "running", (card(CardState.DEPLOYING, "", request=one),)
    yield "stopping", (card(CardState.DEPLOYING, "", request=one, stopping="ann"),)
    yield "live-linked", (card(CardState.LIVE, "", request=one, link=RUN),)
    why = "Eve is deploying frontend there since 11:58 UTC (thread t9)."
    waits = LinedUp(
        at=NOON, by="agent:code", service="backend", environment="production", position=2, why=why
    )
    yield "in-line", (card(CardState.IN_LINE, why, request=one), *_said(waits))
    yield "dry-run", (Shown("said:3", two.plans),)
    yield "dry-run-later", (Shown("said:3", one.plans, NOON + timedelta(hours=14)),)
    yield "locks", _locks()
    yield (
        "drift",
        _said(
            DriftFound(
                at=NOON,
                by="clock",
                service="backend",
                environment="production",
                live=BEFORE,
                expected="9" * 40,
            )
        ),
    )
    yield "table", (Said("said:9", LIVE_TABLE),)
    yield "cancelled", _said(Cancelled(at=NOON, by="ann", reason="wrong tag"))


LIVE_TABLE = """Live now:
• production: backend `4af9ec0` since 2026-03-02 09:14 UTC, frontend `abc1234` since 2026-03-01 17:02 UTC (2 commits behind main)
• staging: backend `4af9ec0`, frontend `4af9ec0`; tests passed"""


def _locks() -> tuple[Telling, ...]:
    hold = Hold(
        service="backend",
        environment="production",
        owner="ann",
        reason="schema migration",
        at=NOON,
        expires=NOON + timedelta(hours=2),
    )
    placed = HoldPlaced(at=NOON, by="ann", delivery="1", hold=hold)
    mine = replace_hold(hold, owner="ben")
    taken = HoldPlaced(
        at=NOON, by="ben", delivery="2", hold=mine, how="taken_over", was_owner="ann"
    )
    return _said(placed, taken, HoldForgotten(at=NOON, by="clock", hold=mine))


def replace_hold(hold: Hold, **changes: Any) -> Hold:
    """Return the lock with something else in it."""
    return hold.model_copy(update=changes)


SHOWN = {"three-running": "card-several", "countdown": "card-countdown", "dry-run-later": "dry-run"}
"""What docs/slack.md shows: a picture here, and its name there."""


def for_the_docs(browser: Browser, folder: Path) -> None:
    """Take the message alone of each picture that the documents show."""
    found = dict(shows())
    for name, called in SHOWN.items():
        with _workspace() as server:
            _post(server, name, found[name])
            window = Window(browser, server.url)
            with window.of("U0BEN", viewport={"width": 900, "height": 900}) as page:
                page.evaluate("() => document.fonts.ready")
                page.mouse.move(0, 0)
                path = folder / f"{called}.png"
                page.locator("#log article").last.screenshot(path=path, animations="disabled")
                shrink(path)


def _workspace() -> WorkspaceServer:
    known = (one for one in PEOPLE.known if one.slack)
    people = tuple(Person(id=one.slack, name=one.id, real_name=one.name) for one in known)
    return WorkspaceServer(WorkspaceSettings(bot_token=TOKEN, signing_secret="s", people=people))


def main(folder: Path, *only: str) -> None:
    """Post everything to a workspace, and take each message at both sizes."""
    folder.mkdir(parents=True, exist_ok=True)
    with chromium() as browser:
        for name, told in shows():
            if not only or name in only:
                with _workspace() as server:
                    _post(server, name, told)
                    _take(browser, server, folder, name)
                _mail(browser, folder, name, told)


def _post(server: WorkspaceServer, name: str, told: tuple[Telling, ...]) -> None:
    client = slack_client(TOKEN, f"{server.url}/api/")
    for telling in told:
        steps = STEPS if isinstance(telling, Card) and telling.operation else ()
        drawing = draw(telling, Look(PEOPLE, "t1", URL, steps))
        blocks = [list(drawing.blocks)]
        if isinstance(telling, Card) and telling.state is CardState.OPEN:
            blocks.append(detail_blocks(telling.request))
        for shown in blocks:
            client.chat_postMessage(
                channel=CHANNEL, text=drawing.text, blocks=shown, unfurl_links=False
            )
        sys.stdout.write(f"{name}: {drawing.text}\n")


def _take(browser: Browser, server: WorkspaceServer, folder: Path, name: str) -> None:
    for size, (width, height) in SIZES.items():
        window = Window(browser, server.url)
        with window.of("U0BEN", viewport={"width": width, "height": height}) as page:
            _shoot(page, folder / f"{name}-{size}.png")


def _shoot(page: Page, path: Path) -> None:
    page.locator("#log article").last.wait_for()
    height = page.evaluate("() => document.querySelector('#log').scrollHeight + 220")
    size = page.viewport_size or {"width": 1000}
    page.set_viewport_size({"width": size["width"], "height": int(height)})
    page.screenshot(path=path, animations="disabled")


def _mail(browser: Browser, folder: Path, name: str, told: tuple[Telling, ...]) -> None:
    mail = MailSettings("deploybot@shop.example", "mx.shop.example", b"s" * 32, None)
    asked = EmailReceived(
        at=NOON,
        by="eve",
        delivery="m1",
        address="eve@shop.example",
        name="Eve",
        subject="Ship the cart",
        text="please",
        message_id="<1@shop.example>",
    )
    thread = Thread("t1", (asked,))
    sent = {}
    if name not in {"two-open", "later-open"}:
        sent = {"card:r1@mia": "{}"}
    for number, letter in enumerate(letters(thread, told, sent, PEOPLE, mail)):
        rendered = message(letter, settings=mail, people=PEOPLE, url=URL, now=NOON)
        plain, html = rendered.iter_parts()
        (folder / f"{name}-mail{number}.txt").write_text(
            f"To: {rendered['To']}\nSubject: {rendered['Subject']}\n\n{plain.get_content()}"
        )
        page = browser.new_page(viewport={"width": 640, "height": 300})
        page.set_content(html.get_content())
        page.screenshot(path=folder / f"{name}-mail{number}.png", full_page=True)
        page.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
