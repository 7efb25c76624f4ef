"""Takes pictures of mails as a browser shows them: on a phone and at a desk, by day and in the dark.

`make pictures` takes those of docs/mail.md; `python tests/mail_gallery.py FOLDER [NAME…]` takes all,
and writes down what programs show that know text alone.
"""

import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from browsing import chromium
from card_gallery import URL, request_of
from fakes import NOON, PEOPLE
from playwright.sync_api import Browser
from png_palette import shrink
from slack_cards import card, question

from deploybot.events import EmailReceived
from deploybot.mail import MailSettings
from deploybot.outbound.email_letters import letters
from deploybot.outbound.email_rendering import message
from deploybot.telling import Asked, CardState, Said, Telling
from deploybot.thread import Thread

MAIL = MailSettings("deploybot@shop.example", "mx.shop.example", b"s" * 32, None)
SIZES = {"wide": 760, "narrow": 375}
SCHEMES = ("light", "dark")
LARGEST = 150_000
"""Bytes of a picture."""
DOCUMENTED = ("mail-asks", "mail-question", "mail-failed")
"""What docs/mail.md shows."""
BROKE = "migrate: exited with status 1: relation cart exists already"
OUTPUT = (
    "applying 0042_cart.sql",
    'psycopg.errors.DuplicateTable: relation "cart" already exists',
    "make: *** [Makefile:31: migrate] Error 1",
)
WROTE = EmailReceived(
    at=NOON,
    by="mia",
    delivery="m1",
    address="mia@shop.example",
    name="Mia",
    subject="What is live?",
    text="what's live?",
    message_id="<1@shop.example>",
)


def asked(**changes: object) -> Asked:
    """Return a question as an agent asks it."""
    about = {
        "format": "multiple_choice",
        "choices": ("v2.4.1, the newest tag", "v2.4.0, which is on staging", "stop"),
        "urgency": "high",
    }
    made = question("Which version of the backend shall go to production?", **(about | changes))
    context = "There is no tag v2.5.0. Nothing was deployed."
    return replace(
        made, question=made.question.model_copy(update={"context": context}), to=("mia",)
    )


def shows() -> Iterator[tuple[str, Telling, bool]]:
    """Yield what a picture is called, what is told to Mia, and whether she was asked before."""
    one, two = request_of("backend"), request_of("backend", "frontend")
    yield "mail-asks", card(CardState.OPEN, "", request=one), False
    yield "mail-two", card(CardState.OPEN, "", request=two), False
    yield "mail-approved", card(CardState.APPROVED, "", request=one), True
    yield "mail-live", card(CardState.LIVE, "", request=one), True
    yield "mail-failed", card(CardState.FAILED, BROKE, request=one, detail=OUTPUT), True
    later = request_of("backend", start_at=NOON + timedelta(hours=14))
    yield "mail-later", card(CardState.SCHEDULED, "", request=later), True
    yield "mail-question", asked(), False
    yield "mail-words", asked(format="free_text", urgency="medium", choices=()), False
    live = "Live now:\n• production: backend 4af9ec0 since 09:14 UTC\n• staging: backend 4af9ec0"
    yield "mail-said", Said("said:2", live), False


def take(browser: Browser, folder: Path, *only: str) -> None:
    """Take each of these mails at both widths, by day and in the dark."""
    for name, telling, before in shows():
        if only and name not in only:
            continue
        sent = {"card:r1@mia": "{}"} if before else {}
        thread = Thread("t1", (WROTE,) if isinstance(telling, Said) else ())
        (letter,) = letters(thread, (telling,), sent, PEOPLE, MAIL)
        written = message(letter, settings=MAIL, people=PEOPLE, url=URL, now=NOON)
        plain, html = written.iter_parts()
        if not only:
            text = f"{written['Subject']}\n\n{plain.get_content()}"
            (folder / f"{name}.txt").write_text(text.replace("\r\n", "\n"))
        for size, width in SIZES.items():
            for scheme in SCHEMES:
                _shoot(
                    browser,
                    html.get_content(),
                    folder / f"{name}-{size}-{scheme}.png",
                    width,
                    scheme,
                )


def _shoot(browser: Browser, html: str, path: Path, width: int, scheme: str) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": 200},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    page = context.new_page()
    page.set_content(html)
    page.screenshot(path=path, full_page=True, animations="disabled")
    context.close()
    shrink(path)
    size = path.stat().st_size
    sys.stdout.write(f"{path} {size / 1000:.0f} kB\n")
    if size > LARGEST:
        raise SystemExit(f"{path} is larger than {LARGEST} bytes; make it smaller.")


if __name__ == "__main__":
    FOLDER = Path(sys.argv[1])
    FOLDER.mkdir(parents=True, exist_ok=True)
    with chromium() as opened:
        take(opened, FOLDER, *sys.argv[2:])
