"""The whole company in a real browser: a push becomes a card, and people answer it by hand."""

import re
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from browsing import Window, card_of, chromium, needs_chromium, opening_of
from playwright.sync_api import Locator, Page, expect

from deploybot.bootstrap import now
from deploybot.demo.company import Company
from deploybot.demo.hands import Hands
from deploybot.demo.play import merge

FRONTEND, BACKEND = "Deploy frontend to production", "Deploy backend to production"

pytestmark = [*needs_chromium, pytest.mark.slow]


@pytest.fixture(scope="module")
def company(tmp_path_factory) -> Iterator[Company]:
    with Company(tmp_path_factory.mktemp("company") / "state", now=now) as company:
        yield company


@pytest.fixture(scope="module")
def window(company) -> Iterator[Window]:
    with chromium() as browser:
        yield Window(browser, company.access.workspace)


@pytest.fixture
def look(company, window):
    """Open the page as a person of the company; what the browser complains of fails the test."""
    before = len(window.complaints)
    with ExitStack() as opened:

        def as_person(person: str, **context) -> Page:
            return opened.enter_context(window.of(company.access.people[person], **context))

        yield as_person
    assert window.complaints[before:] == []


@pytest.fixture
def push(company):
    """Merge a good pull request, tell the bot, and return the commit."""
    return lambda: merge(company, Hands(company.access), broken=False)


def approve(card: Locator) -> Locator:
    return card.get_by_role("button", name="Approve")


def test_a_push_is_refused_denied_and_approved_by_hand_until_all_see_it_live(look, push):
    ann, ben, eve = look("ann"), look("ben"), look("eve")

    sha = push()

    for page in (ann, ben, eve):
        expect(approve(card_of(page, FRONTEND, sha))).to_be_visible()
    expect(card_of(ben, FRONTEND, sha)).to_contain_text("May approve@ann, @ben")
    expect(ben.get_by_text(f"main is now at {sha[:7]}")).to_be_visible()

    approve(card_of(eve, FRONTEND, sha)).click()

    expect(eve.get_by_text("You may not answer for production")).to_be_visible()
    expect(eve.get_by_text("Only visible to you")).to_be_visible()
    expect(approve(card_of(eve, FRONTEND, sha))).to_be_visible()

    card_of(ben, FRONTEND, sha).get_by_role("button", name="Deny").click()
    dialog = ben.get_by_role("dialog", name="Deny")
    expect(dialog).to_contain_text(FRONTEND)
    dialog.get_by_label("What should happen instead?").fill("can you deploy the backend first?")
    dialog.get_by_role("button", name="Deny").click()

    expect(dialog).to_be_hidden()
    for page in (ann, ben, eve):
        denied = card_of(page, FRONTEND, sha)
        expect(denied).to_contain_text("Denied by Ben")
        expect(denied.locator("blockquote")).to_have_text("can you deploy the backend first?")
        expect(approve(denied)).to_have_count(0)
        expect(approve(card_of(page, BACKEND, sha))).to_be_visible()
    expect(ann.get_by_text("You may not answer")).to_have_count(0)

    for title in (BACKEND, FRONTEND):
        approve(card_of(ann, title, sha)).click()
        for page in (ann, ben):
            expect(card_of(page, title, sha)).to_contain_text(f"Live: {sha[:7]} on production")
            expect(card_of(page, title, sha)).to_contain_text("Approved by Ann")

    opening = opening_of(ben, f"Deploy SHA {sha[:7]} to production")
    expect(opening).to_contain_text(f"backend and frontend are live on production at {sha[:7]}")
    expect(opening).to_contain_text("End-to-end tests passed on production")


def test_a_question_is_answered_below_it(look):
    eve = look("eve")

    eve.get_by_label("Message #deploys").fill("@deploybot what's live?")
    eve.keyboard.press("Enter")
    asked = eve.get_by_role("article", name="Eve Moreau").filter(has_text="what's live?")
    asked.get_by_role("button", name="1 reply").click()

    answer = eve.locator("#thread").get_by_role("article", name="deploybot")
    expect(answer).to_contain_text(re.compile(r"staging: .*\bproduction: .*verified", re.DOTALL))
    expect(answer.locator("code").first).to_have_text("backend")


def test_the_keyboard_alone_approves_a_deploy(look, push):
    ann = look("ann")
    sha = push()
    button = approve(card_of(ann, FRONTEND, sha))
    expect(button).to_be_visible()

    for _ in range(60):
        ann.keyboard.press("Tab")
        if button.evaluate("button => button === document.activeElement"):
            break
    ann.keyboard.press("Enter")

    expect(card_of(ann, FRONTEND, sha)).to_contain_text("Approved by Ann")
    expect(card_of(ann, FRONTEND, sha)).to_contain_text("Live:")


def test_the_keyboard_alone_edits_a_card_in_its_dialog_and_all_see_by_whom(look, push):
    ann, ben = look("ann"), look("ben")
    sha = push()
    edit = card_of(ben, FRONTEND, sha).get_by_role("button", name="Edit")
    expect(edit).to_be_visible()

    edit.focus()
    ben.keyboard.press("Enter")
    dialog = ben.get_by_role("dialog", name="Edit")
    expect(dialog.get_by_label("frontend: commit, branch or tag")).to_be_focused()
    ben.keyboard.press("Tab")
    ben.keyboard.type("25:99")
    ben.keyboard.press("Control+Enter")
    expect(dialog.get_by_role("alert")).to_contain_text("is no time of any day")
    dialog.get_by_label("Start").focus()
    ben.keyboard.press("Control+A")
    ben.keyboard.type("23:59")
    ben.keyboard.press("Tab")
    ben.keyboard.type("when the shop sleeps")
    ben.keyboard.press("Control+Enter")

    expect(dialog).to_be_hidden()
    for page in (ann, ben):
        cards = page.get_by_role("article", name="deploybot").filter(has_text=FRONTEND)
        old = cards.filter(has_text="This can no longer be approved").filter(has_text=sha[:7])
        expect(old.first).to_contain_text("Edited by Ben")
        new = card_of(page, FRONTEND, sha).filter(has_text="Starts")
        expect(new).to_contain_text("Edited by Ben")
        expect(new).to_contain_text("when the shop sleeps")
        expect(new).to_contain_text("May approve@ann")


def test_a_mail_is_answered_by_its_own_button(look, push):
    ben = look("ben")
    sha = push()
    expect(approve(card_of(ben, FRONTEND, sha))).to_be_visible()

    ben.locator("#sidebar").get_by_role("button", name="Mail").click()
    ben.locator(".mail-row", has_text=f"asks for your approval: {FRONTEND}").first.click()
    expect(ben.get_by_role("heading", name=f"{FRONTEND} ({sha[:7]})")).to_be_visible()
    ben.frame_locator("iframe").get_by_role("link", name="Approve by reply").click()
    expect(ben.get_by_role("textbox", name="Reply")).to_have_value("approve")
    ben.get_by_role("button", name="Send the reply").click()

    ben.locator("#sidebar").get_by_role("button", name="deploys").click()
    expect(card_of(ben, FRONTEND, sha)).to_contain_text("Approved by Ben")
    expect(card_of(ben, FRONTEND, sha)).to_contain_text("Live:")


def test_a_phone_shows_the_whole_card_and_both_buttons_within_reach(look, push):
    ann = look("ann", viewport={"width": 375, "height": 812}, has_touch=True)

    sha = push()

    card = card_of(ann, FRONTEND, sha)
    for name in ("Approve", "Deny"):
        expect(card.get_by_role("button", name=name)).to_be_in_viewport(ratio=1)
        assert card.get_by_role("button", name=name).bounding_box()["height"] >= 42
    expect(card.get_by_role("heading", name=FRONTEND)).to_be_in_viewport(ratio=1)
    assert ann.evaluate("() => document.documentElement.scrollWidth") <= 375
