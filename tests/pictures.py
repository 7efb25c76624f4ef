"""Takes the pictures of the README and of docs: a real company, real deploys, and a browser that looks at them.

Run by `make pictures`, as `python tests/pictures.py docs/pictures`.
"""

import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mail_gallery
from browsing import Window, card_of, chromium, opening_of
from card_gallery import for_the_docs
from getting_started import ANN, Follower, words
from playwright.sync_api import Browser, Locator, Page, expect
from png_palette import shrink

from deploybot.bootstrap import now
from deploybot.demo.company import Company
from deploybot.demo.hands import Hands
from deploybot.demo.play import merge

DESK = {"viewport": {"width": 1200, "height": 820}}
WIDE = {"viewport": {"width": 1240, "height": 820}}
PHONE = {"viewport": {"width": 375, "height": 744}, "device_scale_factor": 2, "has_touch": True}
TALL = {"viewport": {"width": 1100, "height": 1260}}
LARGEST = 150_000
"""Bytes a picture may have: the README shows all of them at once."""
WORDS = "can you deploy the backend first?"


@dataclass(frozen=True)
class Album:
    """Where the pictures go, and how the company is looked at."""

    folder: Path
    company: Company
    window: Window

    @contextmanager
    def as_person(self, person: str, **context: Any) -> Iterator[Page]:
        """Look at the workspace as a person of the company."""
        with self.window.of(self.company.access.people[person], **context) as page:
            yield page

    @contextmanager
    def in_browser(self, **context: Any) -> Iterator[Page]:
        """Look at the bot's own pages, signed in as Ben."""
        opened = self.window.browser.new_context(**context)
        page = opened.new_page()
        page.goto(self.company.access.bot)
        page.get_by_role("button", name="Ben").click()
        page.get_by_role("link", name="Ben: sign out").wait_for()
        yield page
        opened.close()

    def take(self, page: Page, name: str) -> None:
        """Take a picture of what the page shows now, once nothing moves any more."""
        take(self.folder, page, name)


def take(folder: Path, page: Page, name: str) -> None:
    """Take a picture into a folder, once nothing moves any more."""
    page.mouse.move(0, 0)
    page.evaluate("() => document.fonts.ready")
    path = folder / f"{name}.png"
    page.screenshot(path=path, animations="disabled", caret="hide")
    weighed(path)


def alone(folder: Path, message: Locator, name: str) -> None:
    """Take a picture of one message, once nothing moves any more."""
    message.page.mouse.move(0, 0)
    message.page.evaluate("() => document.fonts.ready")
    path = folder / f"{name}.png"
    message.screenshot(path=path, animations="disabled")
    weighed(path)


def weighed(path: Path) -> None:
    """Make a picture smaller, say how large it is, and refuse one that is too large."""
    shrink(path)
    size = path.stat().st_size
    sys.stdout.write(f"{path} {size / 1000:.0f} kB\n")
    if size > LARGEST:
        raise SystemExit(f"{path} is larger than {LARGEST} bytes; make it smaller.")


def a_good_release(album: Album, sha: str) -> None:
    """Take what people see from the first card until both services are live."""
    with album.as_person("ben", **DESK) as ben:
        first = card_of(ben, "Deploy frontend to production", sha)
        expect(first.get_by_role("button", name="Approve")).to_be_visible()
        album.take(ben, "card")
        first.get_by_role("button", name="Deny").click()
        ben.get_by_label("What should happen instead?").fill(WORDS)
        album.take(ben, "deny")
        ben.get_by_role("dialog").get_by_role("button", name="Deny").click()
        expect(first.get_by_text(WORDS)).to_be_visible()
        alone(album.folder, first, "card-denied")
        second = card_of(ben, "Deploy backend to production", sha)
        expect(second.get_by_role("button", name="Approve")).to_be_visible()
        on_a_phone(album, sha)
        the_home(album)
        on_the_pages(album, sha)
        by_mail(album)
    with album.as_person("ann", **WIDE) as ann:
        for service in ("backend", "frontend"):
            card = card_of(ann, f"Deploy {service} to production", sha)
            card.get_by_role("button", name="Approve").click()
            expect(card.get_by_text("Live:")).to_be_visible()
        opening = opening_of(ann, f"Deploy SHA {sha[:7]} to production")
        expect(opening.get_by_text("tests passed on production")).to_be_visible()
        opening.get_by_role("button", name=re.compile("replies")).click()
        expect(ann.locator("#thread p").get_by_text(re.compile("^Done:"))).to_be_visible()
        live = card_of(ann, "Deploy frontend to production", sha)
        live.scroll_into_view_if_needed()
        album.take(ann, "live")
        alone(album.folder, live, "card-live")


def it_asks(album: Album, hands: Hands) -> None:
    """Take a question with choices, and one that wants words, in its dialog."""
    with album.as_person("ann", **DESK) as ann:
        question = asked(ann, hands, "deploy backend v9.9.9 to staging")
        question.get_by_role("button").first.wait_for()
        alone(album.folder, question, "question")
        question = asked(ann, hands, "deploy backend to production tomorrow")
        question.get_by_role("button", name="Answer…").click()
        ann.get_by_label("Your answer").fill("at 18:00")
        album.take(ann, "question-dialog")
        ann.get_by_role("dialog").get_by_role("button", name="Cancel").click()


def asked(page: Page, hands: Hands, words: str) -> Locator:
    """Say something in the channel, and return what the bot asks in the thread below it."""
    hands.say("ann", f"@deploybot {words}")
    said = page.locator("#log article").filter(has_text=words).last
    said.get_by_role("button", name=re.compile("repl(y|ies)")).click()
    return page.locator("#thread article").filter(has_text="Nothing was deployed").last


def on_a_phone(album: Album, sha: str) -> None:
    """Take the open card as an approver sees it who was woken up."""
    with album.as_person("ann", **PHONE) as phone:
        card_of(phone, "Deploy backend to production", sha).wait_for()
        album.take(phone, "phone")


def the_home(album: Album) -> None:
    """Take the app's own page while a request waits for its reader."""
    with album.as_person("ann", **DESK) as ann:
        ann.locator("#sidebar").get_by_role("button", name="deploybot home").click()
        expect(ann.get_by_role("link", name="Card")).to_be_visible()
        album.take(ann, "app-home")


def by_mail(album: Album) -> None:
    """Take the mail that asks for the same approval."""
    with album.as_person("ben", **TALL) as ben:
        ben.locator("#sidebar").get_by_role("button", name="Mail").click()
        ben.locator(".mail-row", has_text="asks for your approval: Deploy backend").click()
        letter = ben.frame_locator("iframe")
        expect(letter.get_by_role("link", name="Approve by reply")).to_be_visible()
        album.take(ben, "mail")


def on_the_pages(album: Album, sha: str) -> None:
    """Take the pages while a request is open, as Ben sees them in his browser and on his phone."""
    bot = album.company.access.bot
    with album.in_browser(**DESK) as ben:
        ben.goto(f"{bot}/waiting")
        ben.get_by_role("link", name="Deploy backend to production").first.click()
        expect(ben.get_by_role("button", name="Approve")).to_be_visible()
        thread = ben.url
        ben.set_viewport_size({"width": 1200, "height": 1060})
        album.take(ben, "page-thread")
        ben.set_viewport_size(DESK["viewport"])
        ben.goto(bot)
        expect(ben.get_by_role("link", name=f"Deploy SHA {sha[:7]}")).to_be_visible()
        album.take(ben, "page-threads")
        ben.goto(f"{thread}/events/5")
        expect(ben.get_by_role("heading", name="was shown")).to_be_visible()
        album.take(ben, "page-event")
        ben.goto(f"{bot}/environments")
        expect(ben.get_by_role("heading", name="production")).to_be_visible()
        album.take(ben, "page-environments")
    with album.in_browser(**PHONE, color_scheme="dark") as phone:
        phone.goto(thread)
        expect(phone.get_by_role("heading", level=1)).to_be_visible()
        album.take(phone, "page-phone")


def a_bad_release(album: Album, sha: str) -> None:
    """Take, in the dark, what happens when production's tests fail."""
    with album.as_person("ann", **WIDE, color_scheme="dark") as ann:
        for service in ("frontend", "backend"):
            card = card_of(ann, f"Deploy {service} to production", sha)
            card.get_by_role("button", name="Approve").click()
            expect(card.get_by_text("Live:")).to_be_visible()
        back = ann.get_by_role("heading", name="Roll back backend on production")
        expect(back).to_be_visible()
        opening = opening_of(ann, f"Deploy SHA {sha[:7]} to production")
        opening.get_by_role("button", name=re.compile("replies")).click()
        ann.locator("#log").get_by_role(
            "button", name="Approve: Roll back"
        ).scroll_into_view_if_needed()
        ann.locator("#thread").get_by_text("takes over").scroll_into_view_if_needed()
        album.take(ann, "dark")


def a_first_deploy(folder: Path, browser: Browser) -> None:
    """Take what somebody sees who follows docs/getting-started.md."""
    with tempfile.TemporaryDirectory(prefix="deploybot-") as state, Follower(Path(state)) as ann:
        ann.gets_ready()
        ann.says(words())
        window = Window(browser, ann.slack.url)
        with window.of(ANN, viewport={"width": 1000, "height": 760}) as page:
            page.get_by_role("button", name=re.compile("^Approve")).first.wait_for()
            take(folder, page, "first-card")
            page.get_by_role("button", name=re.compile("^Approve")).first.click()
            expect(page.get_by_text("Live:").first).to_be_visible()
            page.mouse.wheel(0, 2000)
            take(folder, page, "first-live")


def main(folder: Path) -> None:
    """Start the company in a folder that is thrown away, and fill the album."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="deploybot-") as state, ExitStack() as stack:
        company = stack.enter_context(Company(Path(state), now=now))
        browser = stack.enter_context(chromium())
        window = Window(browser, company.access.workspace)
        album, hands = Album(folder, company, window), Hands(company.access)
        a_good_release(album, merge(company, hands, broken=False))
        it_asks(album, hands)
        a_bad_release(album, merge(company, hands, broken=True))
        if window.complaints:
            raise SystemExit("The page complained: " + "; ".join(window.complaints))
        a_first_deploy(folder, browser)
        for_the_docs(browser, folder)
        mail_gallery.take(browser, folder, *mail_gallery.DOCUMENTED)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
