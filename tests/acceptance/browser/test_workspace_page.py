"""The page in a real browser: people talk, see cards, fill modals, and see what others do."""

import json
from collections.abc import Iterator

import pytest
from browsing import chromium, needs_chromium
from playwright.sync_api import Browser, Page, expect
from slack_sdk import WebClient
from tiny_bot import CARD, MODAL, SECRET, TOKEN, People, Receiver

from deploybot.demo.workspace import Channel, Link, Person, WorkspaceServer, WorkspaceSettings

pytestmark = needs_chromium

# Text against the nearest painted ground: all that is below the ratio of WCAG AA.
LOW_CONTRAST = """() => {
  const parse = (text) => (text.match(/[\\d.]+/g) ?? [0, 0, 0, 0]).map(Number);
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const style = getComputedStyle(at);
      if (style.backgroundImage !== "none") return null;
      const colour = parse(style.backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const low = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    const style = getComputedStyle(element);
    if (!own || !element.checkVisibility({ visibilityProperty: true, opacityProperty: true })) continue;
    const below = ground(element);
    if (below === null || element.closest("[disabled], .skip")) continue;
    const [one, two] = [light(parse(style.color)), light(below)].sort((a, b) => b - a);
    const ratio = (one + 0.05) / (two + 0.05);
    if (ratio < 4.5) low.push(`${element.className}: ${element.textContent.slice(0, 30)} ${ratio.toFixed(2)}`);
  }
  return low;
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def bot() -> Iterator[Receiver]:
    bot = Receiver()
    yield bot
    bot.close()


@pytest.fixture
def server(bot) -> Iterator[WorkspaceServer]:
    settings = WorkspaceSettings(
        bot_token=TOKEN,
        signing_secret=SECRET,
        bot_url=bot.url,
        channels=(
            Channel(id="C0DEPLOYS", name="deploys", topic="What goes live"),
            Channel(id="C0TALK", name="talk"),
        ),
        people=(
            Person(
                id="U0ANN", name="ann", real_name="Ann Archer", email="ann@x.test", colour="#b4456b"
            ),
            Person(id="U0BEN", name="ben", real_name="Ben Baker", email="ben@x.test"),
        ),
        links=(Link(text="staging", url="http://127.0.0.1:1/"),),
    )
    with WorkspaceServer(settings) as server:
        yield server


@pytest.fixture
def client(server) -> WebClient:
    return WebClient(token=TOKEN, base_url=f"{server.url}/api/")


@pytest.fixture
def look(browser, server):
    """Open the page as somebody; every complaint of the browser fails the test."""
    contexts = []
    complaints = []

    def heard(kind: str, text: str) -> None:
        # A script in a mail is blocked by the sandbox: that complaint is the point.
        if kind == "error" and not text.startswith("Blocked script execution"):
            complaints.append(text)

    def as_person(user: str, scheme: str = "light", width: int = 1280) -> Page:
        context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 760})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda line: heard(line.type, line.text))
        page.goto(f"{server.url}/?as={user}")
        expect(page.locator("#place h1")).to_have_text("#deploys")
        return page

    yield as_person
    for context in contexts:
        context.close()
    assert complaints == []


def a_bot_that_asks(bot, client):
    """A mention brings a card; Deny opens a modal; Approve changes the card."""

    def mentioned(payload):
        event = payload["event"]
        client.chat_postMessage(channel=event["channel"], text="Deploy?", blocks=CARD)

    def clicked(payload):
        if payload["actions"][0]["action_id"] == "deny":
            client.views_open(trigger_id=payload["trigger_id"], view=MODAL)
            return
        text = f"Approved by <@{payload['user']['id']}> :white_check_mark:"
        client.chat_update(
            channel=payload["channel"]["id"],
            ts=payload["message"]["ts"],
            text=text,
            blocks=[{"type": "section", "text": {"type": "mrkdwn", "text": text}}],
        )

    bot.handlers = {"app_mention": mentioned, "block_actions": clicked}


def test_ann_asks_reads_the_card_fills_the_modal_and_ben_approves(look, bot, client):
    a_bot_that_asks(bot, client)
    ann, ben = look("U0ANN"), look("U0BEN")

    ann.locator("#composer-text").press_sequentially("@depl")
    ann.get_by_role("option", name="@deploybot").wait_for()
    ann.keyboard.press("Enter")
    ann.locator("#composer-text").press_sequentially("ship *it*")
    ann.keyboard.press("Enter")

    for page in (ann, ben):
        expect(page.locator(".mention", has_text="@deploybot")).to_be_visible()
        expect(page.locator(".message strong", has_text="it").first).to_be_visible()
        expect(page.get_by_role("heading", name="Deploy backend to production?")).to_be_visible()
    assert bot.of("app_mention")[0]["payload"]["event"]["text"] == "<@U0DEPLOYBOT> ship *it*"

    ann.get_by_role("button", name="Deny").click()
    modal = ann.get_by_role("dialog", name="Deny")
    expect(modal).to_be_visible()
    expect(ben.locator("#modal")).to_be_hidden()
    modal.get_by_role("button", name="Deny it").click()
    expect(modal.get_by_text("Please complete this required field.")).to_be_visible()
    modal.get_by_label("What should happen instead?").fill("backend first")
    modal.get_by_label("Next").select_option("backend")
    modal.get_by_role("button", name="Deny it").click()
    expect(modal).to_be_hidden()
    values = bot.wait("view_submission")[0]["payload"]["view"]["state"]["values"]
    assert values["reason"]["text"]["value"] == "backend first"
    assert values["next"]["next"]["selected_option"]["value"] == "backend"

    ben.get_by_role("button", name="Approve").click()
    for page in (ann, ben):
        expect(page.get_by_text("Approved by @ben")).to_be_visible()
        expect(page.get_by_role("button", name="Approve")).to_have_count(0)
        expect(page.get_by_text("(edited)")).to_be_visible()


def test_a_confirm_dialog_stands_between_a_click_and_the_bot(look, bot, client):
    card = json.loads(json.dumps(CARD))
    plain = {"type": "plain_text", "text": "Sure?"}
    card[2]["elements"][0]["confirm"] = {
        "title": plain,
        "text": plain,
        "confirm": {"type": "plain_text", "text": "Yes"},
        "deny": {"type": "plain_text", "text": "No"},
    }
    client.chat_postMessage(channel="C0DEPLOYS", text="card", blocks=card)
    ann = look("U0ANN")

    ann.get_by_role("button", name="Approve").click()
    ann.get_by_role("button", name="No", exact=True).click()
    ann.get_by_role("button", name="Approve").click()
    ann.get_by_role("button", name="Yes").click()

    assert len(bot.wait("block_actions")) == 1
    expect(ann.locator("#confirm")).to_be_hidden()


def test_a_thread_opens_beside_the_channel_and_takes_replies(look, client):
    root = client.chat_postMessage(channel="C0DEPLOYS", text="What now?")["ts"]
    client.chat_postMessage(channel="C0DEPLOYS", text="aside", thread_ts=root)
    ann, ben = look("U0ANN"), look("U0BEN")

    ann.get_by_role("button", name="1 reply").click()
    ann.get_by_label("Reply…").fill("both at once")
    ann.get_by_role("checkbox", name="Also send to the channel").check()
    ann.get_by_label("Reply…").press("Enter")

    expect(ann.locator("#thread .message")).to_have_count(3)
    expect(ben.get_by_role("button", name="2 replies")).to_be_visible()
    expect(ben.locator("#log").get_by_text("both at once")).to_be_visible()
    expect(ben.locator("#log").get_by_text("replied to a thread")).to_be_visible()
    expect(ben.locator("#thread")).to_be_hidden()


def test_words_for_one_person_are_seen_by_that_person_alone(look, client):
    ann, ben = look("U0ANN"), look("U0BEN")

    client.chat_postEphemeral(channel="C0DEPLOYS", user="U0ANN", text="between us")
    client.chat_postMessage(channel="C0DEPLOYS", text="for all")

    expect(ann.get_by_text("Only visible to you")).to_be_visible()
    expect(ben.get_by_text("for all")).to_be_visible()
    expect(ben.get_by_text("between us")).to_have_count(0)
    ann.get_by_role("button", name="Dismiss").click()
    expect(ann.get_by_text("between us")).to_have_count(0)


def test_one_page_can_be_everybody_in_turn(look, client):
    page = look("U0ANN")

    page.get_by_role("radio", name="Ben Baker").click()
    expect(page.get_by_role("radio", name="Ben Baker")).to_be_checked()
    page.get_by_label("Message #deploys").fill("Ben here")
    page.keyboard.press("Enter")

    expect(page.get_by_role("article", name="Ben Baker")).to_contain_text("Ben here")
    said = client.conversations_history(channel="C0DEPLOYS")["messages"][0]
    assert said["user"] == "U0BEN"


def test_words_that_look_like_markup_stay_words(look, client):
    page = look("U0ANN")

    page.get_by_label("Message #deploys").fill("<img src=x onerror=alert(1)> & <script>")
    page.keyboard.press("Enter")
    client.chat_postMessage(
        channel="C0DEPLOYS", text="<javascript:alert(1)|click me> <https://a.test|fine>"
    )

    expect(page.get_by_text("<img src=x onerror=alert(1)> & <script>")).to_be_visible()
    expect(page.get_by_role("link", name="fine")).to_have_attribute("href", "https://a.test")
    expect(page.get_by_text("click me")).to_be_visible()
    expect(page.get_by_role("link", name="click me")).to_have_count(0)


def test_a_bot_that_does_not_answer_is_told_to_the_person(look, bot, client):
    bot.answers["block_actions"] = (500, "")
    client.chat_postMessage(channel="C0DEPLOYS", text="card", blocks=CARD)
    page = look("U0ANN")

    page.get_by_role("button", name="Approve").click()

    expect(page.get_by_role("alert")).to_contain_text("deploybot answered 500. Try again")


def test_mail_arrives_is_read_and_the_channel_says_so(look, server):
    page = look("U0ANN")
    people = People(server.port)

    people.control(
        "mail",
        id="m1",
        **{"from": "deploybot <bot@x.test>"},
        to="ann@x.test",
        subject="Approve backend?",
        text="Reply approve or deny.",
        html="<h1>Approve?</h1><script>document.body.textContent = 'ran'</script>",
    )

    expect(page.get_by_label("1 new")).to_be_visible()
    page.locator("#sidebar").get_by_role("button", name="Mail").click()
    page.get_by_role("button", name="Approve backend?").click()
    frame = page.frame_locator("iframe")
    expect(frame.get_by_role("heading", name="Approve?")).to_be_visible()
    expect(frame.get_by_text("ran")).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read(look, client, scheme):
    client.chat_postMessage(channel="C0DEPLOYS", text="card", blocks=CARD)
    client.chat_postMessage(
        channel="C0DEPLOYS", text="`code` <@U0ANN> <@U0BEN> <https://a.test|link> ~old~\n> quote"
    )
    client.chat_postEphemeral(channel="C0DEPLOYS", user="U0ANN", text="aside")
    page = look("U0ANN", scheme)
    expect(page.locator(".message")).to_have_count(3)

    assert page.evaluate(LOW_CONTRAST) == []


def test_a_phone_shows_it_all_without_scrolling_sideways(look, client):
    client.chat_postMessage(channel="C0DEPLOYS", text="card", blocks=CARD)
    client.chat_postMessage(channel="C0DEPLOYS", text="x" * 400 + " ```" + "y" * 300 + "```")
    page = look("U0ANN", width=375)
    expect(page.locator(".message")).to_have_count(2)

    wide = page.evaluate("() => document.documentElement.scrollWidth")
    wide_log = page.evaluate(
        "() => { const l = document.getElementById('log'); return l.scrollWidth - l.clientWidth; }"
    )

    assert wide <= 375
    assert wide_log <= 0
    expect(page.locator("#sidebar")).to_be_hidden()
    page.get_by_role("button", name="Channels").click()
    page.get_by_role("button", name="talk").click()
    expect(page.locator("#place h1")).to_have_text("#talk")
    expect(page.locator("#sidebar")).to_be_hidden()


def test_the_keyboard_alone_is_enough(look, bot, client):
    client.chat_postMessage(channel="C0DEPLOYS", text="card", blocks=CARD)
    page = look("U0ANN")
    approve = page.get_by_role("button", name="Approve")
    approve.wait_for()

    for _ in range(40):
        page.keyboard.press("Tab")
        if approve.evaluate("button => button === document.activeElement"):
            break
    page.keyboard.press("Enter")

    assert bot.wait("block_actions")[0]["payload"]["actions"][0]["action_id"] == "approve"


def test_a_permalink_leads_to_the_message(look, server, client):
    ts = client.chat_postMessage(channel="C0TALK", text="over here")["ts"]
    link = client.chat_getPermalink(channel="C0TALK", message_ts=ts)["permalink"]
    page = look("U0ANN")

    page.goto(link)

    expect(page.locator("#place h1")).to_have_text("#talk")
    expect(page.get_by_text("over here")).to_be_visible()
