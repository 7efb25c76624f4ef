"""A headless browser and pages opened as somebody; what is done on them is the tests' matter."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
]
PATIENCE = 30_000
"""Milliseconds that a page waits for anything: deploys are real, and machines are shared."""

needs_chromium = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not CHROMIUM.exists(), reason=f"{CHROMIUM} is missing: apt install chromium"
    ),
]


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run a browser without a window."""
    with sync_playwright() as playwright:
        expect.set_options(timeout=PATIENCE)
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@dataclass
class Window:
    """Opens a workspace's page as its people; everything the browser complains of is kept."""

    browser: Browser
    workspace: str
    complaints: list[str] = field(default_factory=list)

    @contextmanager
    def of(self, user: str, **context: Any) -> Iterator[Page]:
        """Open the page as a user, in a browser context of its own."""
        given = {"viewport": {"width": 1280, "height": 800}, **context}
        opened = self.browser.new_context(**given)
        page = opened.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda line: self._heard(line.type, line.text))
        page.goto(f"{self.workspace}/?as={user}")
        page.locator("#place h1").get_by_text("#deploys").wait_for()
        yield page
        opened.close()

    def _heard(self, kind: str, text: str) -> None:
        # A script in a mail is blocked by the sandbox: that complaint is the point.
        if kind == "error" and not text.startswith("Blocked script execution"):
            self.complaints.append(text)


def card_of(page: Page, title: str, sha: str) -> Locator:
    """Return the newest card of that title and commit in the channel."""
    heading = page.get_by_role("heading", name=title)
    return page.locator("#log article").filter(has=heading).filter(has_text=sha).last


def opening_of(page: Page, heading: str) -> Locator:
    """Return the message that began a thread with these words."""
    said = page.locator("p > strong").get_by_text(heading, exact=True)
    return page.locator("#log article").filter(has=said)
