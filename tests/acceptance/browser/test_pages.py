"""The pages in a real browser, over real processes: people ask, deny, approve, steer and look."""

import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from browsing import PATIENCE, chromium, needs_chromium
from playwright.sync_api import Browser, Page, expect
from redis_server import running_server
from slack_bot import served
from small_company import Company
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Route

pytestmark = [*needs_chromium, pytest.mark.slow]

ASKED = "deploy backend main to production"
Look = Callable[..., Page]


@pytest.fixture(scope="module")
def company(tmp_path_factory) -> Iterator[Company]:
    with running_server() as redis_url:
        company = Company(tmp_path_factory.mktemp("company"), redis_url)
        company.settings["DEPLOYBOT_SIGN_IN_BY_CHOICE"] = "1"
        try:
            company.start("workers")
            company.start("web")
            yield company
        finally:
            company.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def look(company, browser) -> Iterator[Look]:
    """Open the pages as somebody; what the browser complains of fails the test."""
    complaints: list[str] = []
    with ExitStack() as stack:

        def as_person(person: str, path: str = "/", **context: Any) -> Page:
            opened = browser.new_context(**{"viewport": {"width": 1200, "height": 800}, **context})
            stack.callback(opened.close)
            page = opened.new_page()
            page.set_default_timeout(PATIENCE)
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.on("console", lambda line: heard(line.type, line.text))
            page.goto(f"{company.url}{path}")
            page.get_by_role("button", name=person).click()
            expect(page.get_by_role("link", name=f"{person}: sign out")).to_be_visible()
            return page

        def heard(kind: str, text: str) -> None:
            expected = re.search(r"status of 4\d\d", text)  # a refusal that the test asked for
            if kind == "error" and not expected:
                complaints.append(text)

        yield as_person
    assert complaints == []


def asks(page: Page, words: str = ASKED) -> str:
    """Ask on the list, and return the path of the thread that it began."""
    page.goto(re.sub(r"(?<=\d)/.*", "/", page.url))
    page.get_by_label("Ask deploybot").fill(words)
    page.get_by_role("button", name="Ask").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(words)
    return page.url


def standing(page: Page, status: str) -> None:
    expect(page.locator("#standing .badge").first).to_have_text(status)


def until_focused(page: Page, name: str) -> None:
    """Press Tab until the button with this name is chosen."""
    wanted = page.get_by_role("button", name=name, exact=True)
    wanted.wait_for()
    for _ in range(60):
        page.keyboard.press("Tab")
        if wanted.evaluate("button => button === document.activeElement"):
            return
    raise AssertionError(f"Tab never reaches {name}")


def test_asked_denied_approved_and_finished_on_the_pages_alone(look):
    eve, ben = look("Eve"), look("Ben", "/waiting")
    url = asks(eve)

    standing(eve, "Needs approval")
    expect(eve.get_by_text("You may not answer for production")).to_be_visible()
    waiting = ben.get_by_role("link", name="Deploy backend to production")
    waiting.click()
    expect(ben).to_have_url(url)
    expect(ben.locator("#card")).to_contain_text("Asked byEve")
    ben.get_by_label("Comment").fill("use v1.0.0 instead")
    ben.get_by_role("button", name="Deny").click()

    expect(eve.locator(".event", has_text="Ben denied on a page")).to_contain_text(
        "use v1.0.0 instead"
    )
    standing(ben, "Needs approval")
    expect(ben.locator("#card .change")).to_contain_text("v1.0.0")
    ben.get_by_role("button", name="Approve").click()

    for page in (eve, ben):
        standing(page, "Done")
        expect(page.locator(".event", has_text="Ben approved on a page")).to_be_visible()
        live = page.locator(".event.good", has_text="is live on production")
        expect(live).to_contain_text("backend")
    expect(ben.get_by_role("button", name="Approve")).to_have_count(0)


def test_the_keyboard_alone_asks_denies_and_approves(look):
    eve, ann = look("Eve"), look("Ann")
    eve.get_by_label("Ask deploybot").focus()
    eve.keyboard.type(ASKED)
    eve.keyboard.press("Control+Enter")
    expect(eve.get_by_role("heading", level=1)).to_have_text(ASKED)
    standing(eve, "Needs approval")

    ann.goto(eve.url)
    ann.get_by_label("Comment").focus()
    ann.keyboard.type("use v1.1.0 instead")
    ann.keyboard.press("Tab")
    ann.keyboard.press("Tab")
    ann.keyboard.press("Enter")
    expect(ann.locator("#card .change")).to_contain_text("v1.1.0")
    until_focused(ann, "Approve")
    ann.keyboard.press("Enter")

    standing(ann, "Done")
    expect(ann.locator(".event", has_text="Ann approved on a page")).to_be_visible()


def test_the_keyboard_alone_edits_what_is_asked_for_and_others_see_by_whom(look):
    eve, ann = look("Eve"), look("Ann")
    url = asks(eve)
    standing(eve, "Needs approval")

    eve.locator("#card summary", has_text="Edit…").focus()
    eve.keyboard.press("Enter")
    eve.get_by_label("backend commit, branch or tag").focus()
    eve.keyboard.press("Control+A")
    eve.keyboard.type("--upload-pack=x")
    eve.keyboard.press("Enter")
    expect(eve.get_by_role("alert")).to_contain_text("is refused: it starts with '-'")
    field = eve.get_by_label("backend commit, branch or tag")
    expect(field).to_have_value("--upload-pack=x")
    field.focus()
    eve.keyboard.press("Control+A")
    eve.keyboard.type("v1.2.0")
    until_focused(eve, "Plan anew")
    eve.keyboard.press("Enter")

    ann.goto(url)
    expect(ann.locator("#card")).to_contain_text("Edited byEve: backend main")
    expect(ann.locator("#card .change")).to_contain_text("v1.2.0")
    superseded = ann.locator(".event", has_text="Edited by eve")
    expect(superseded).to_contain_text("v1.2.0")
    expect(ann.get_by_role("button", name="Approve")).to_be_visible()
    ann.get_by_role("button", name="Cancel").click()
    standing(ann, "Done")


def test_without_scripts_everything_works_too(look):
    eve = look("Eve", java_script_enabled=False)
    ben = look("Ben", java_script_enabled=False)
    url = asks(eve, "deploy backend v1.2.0 to production")

    ben.goto(url)
    for _ in range(100):
        if ben.get_by_role("button", name="Approve").count():
            break
        ben.reload()
    expect(ben.locator("#card time")).to_contain_text("UTC")
    ben.get_by_role("button", name="Approve").click()

    expect(ben.locator(".event", has_text="Ben approved on a page")).to_be_visible()


def test_what_is_typed_stays_while_the_page_goes_on(look):
    eve, ben = look("Eve"), look("Ben")
    ben.goto(asks(eve))
    standing(ben, "Needs approval")
    ben.get_by_label("Say something").fill("half a sen")

    eve.get_by_role("button", name="Pause").click()

    standing(ben, "Paused")
    expect(ben.get_by_label("Say something")).to_have_value("half a sen")
    expect(ben.get_by_label("Say something")).to_be_focused()
    eve.get_by_role("button", name="Resume").click()
    standing(ben, "Needs approval")
    eve.get_by_role("button", name="Cancel").click()
    standing(ben, "Done")


def test_a_thread_is_forked_by_hand(look):
    eve = look("Eve")
    first = asks(eve, "what's live?")
    standing(eve, "Done")

    eve.get_by_role("link", name="Event 1,").click()
    eve.get_by_role("button", name="Fork after event 1").click()

    expect(eve.locator(".event", has_text="forked from")).to_be_visible()
    eve.get_by_role("link", name="the other thread").click()
    expect(eve).to_have_url(first)
    expect(eve.locator(".event", has_text="forked the first 1")).to_be_visible()


def test_a_script_in_a_commit_is_shown_as_its_text(company, look):
    evil = "<script>document.title = 'taken'</script><img src=x onerror=alert(1)>"
    git = ["git", "-C", str(company.shop.repository.path)]
    author = ["-c", "user.name=<b>Eve</b>", "-c", "user.email=eve@shop.example"]
    made = subprocess.run(
        [*git, *author, "commit-tree", "main^{tree}", "-p", "main", "-m", evil],
        capture_output=True,
        text=True,
        check=True,
    )
    subprocess.run([*git, "update-ref", "refs/heads/main", made.stdout.strip()], check=True)
    eve = look("Eve")

    asks(eve, "deploy backend main to production, and mind <script>this</script>")

    card = eve.locator("#card")
    expect(card).to_contain_text(evil)
    expect(card.locator("img, script, b:not(.steps b)").filter(has_text="Eve")).to_have_count(0)
    expect(eve).not_to_have_title("taken")


def test_a_megabyte_is_refused_in_a_sentence(look):
    eve = look("Eve")
    eve.get_by_label("Ask deploybot").evaluate(
        "field => { field.removeAttribute('maxlength'); field.value = 'x'.repeat(1000000); }"
    )

    eve.get_by_role("button", name="Ask").click()

    expect(eve.get_by_role("alert")).to_contain_text("larger than 100 kB, so nothing was stored")


@pytest.fixture
def elsewhere(company) -> Iterator[str]:
    """Serve another site that wants something of ours; it is on `localhost`, and we are not."""

    def frame(request: Any) -> HTMLResponse:
        return HTMLResponse(f'<iframe src="{company.url}/"></iframe>')

    def form(request: Any) -> HTMLResponse:
        fields = "".join(
            f'<input name="{name}" value="{value}">' for name, value in request.query_params.items()
        )
        action = fields and request.query_params["action"]
        return HTMLResponse(f'<form method="post" action="{action}">{fields}<button>Win</button>')

    app = Starlette(routes=[Route("/frame", frame), Route("/form", form)])
    with served(app) as address:
        yield address.replace("127.0.0.1", "localhost")


def test_another_site_can_neither_approve_nor_frame_us(look, elsewhere):
    eve, ben = look("Eve"), look("Ben")
    ben.goto(asks(eve))
    card = ben.locator("form.decision")
    names = ("token", "once", "request", "digest")
    stolen = {name: card.locator(f"[name={name}]").input_value() for name in names}
    action = ben.url + "/decision"
    query = "&".join(
        f"{k}={v}" for k, v in {**stolen, "answer": "approve", "action": action}.items()
    )

    attack = ben.context.new_page()
    attack.goto(f"{elsewhere}/form?{query}")
    attack.get_by_role("button", name="Win").click()
    expect(attack.get_by_role("alert")).to_be_visible()
    expect(attack.get_by_role("alert")).to_contain_text(re.compile("another site|not signed in"))

    framed = ben.context.new_page()
    framed.goto(f"{elsewhere}/frame")
    expect(framed.frame_locator("iframe").get_by_text("deploybot")).to_have_count(0)
    ben.reload()
    standing(ben, "Needs approval")


def test_a_cookie_of_somebody_who_signed_out_opens_nothing(look, company):
    eve = look("Eve")
    kept = eve.context.cookies()
    eve.get_by_role("link", name="Eve: sign out").click()
    eve.get_by_role("button", name="Sign out everywhere").click()
    expect(eve.get_by_role("heading", name="Sign in")).to_be_visible()

    eve.context.clear_cookies()
    eve.context.add_cookies(kept)
    eve.goto(company.url)

    expect(eve.get_by_role("heading", name="Sign in")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_any_page_and_nothing_sticks_out(look, company, scheme):
    ben = look("Ben", color_scheme=scheme, viewport={"width": 375, "height": 800})
    thread = asks(ben).removeprefix(company.url)
    standing(ben, "Needs approval")
    pages = ["/", "/waiting", "/environments", thread, f"{thread}/events/2", f"{thread}/events/3"]
    found: list[str] = []

    for path in [*pages, "/threads/nowhere", "/sign-out", "/sign-in", "/sign-in/sent"]:
        ben.goto(company.url + path)
        expect(ben.get_by_role("heading", level=1)).to_be_visible()
        result = Axe().run(ben).response
        found += [f"{path}: {one['id']} {one['nodes'][0]['html']}" for one in result["violations"]]
        if ben.evaluate("() => document.documentElement.scrollWidth") > 375:
            found.append(f"{path}: sticks out")

    assert found == []
