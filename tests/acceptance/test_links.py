"""No link decides: every address in every mail and message is fetched as scanners fetch them, and nothing happens."""

import http.client
import re
from collections.abc import Iterator
from html import unescape
from urllib.parse import unquote, urlsplit

import pytest
from everywhere import Everywhere, everywhere, shown
from fakes import sha_of
from page_office import Browser, fields
from redis_server import running_server, wait_until

from deploybot.next_step import Deploy, DoneForNow, RequestHumanInput

URL = re.compile(r"https?://[^\s\"'<>|\\)]+")
MAILTO = re.compile(r"mailto:[^\s\"'<>|\\)]+")
FETCHES = ("GET", "HEAD", "OPTIONS")
TOKEN_ONLY = ("POST", "PUT", "DELETE", "PATCH")
COUNTED = re.compile(r"deploybot:(?:tries|limit|calls|meter|metrics|session|attended)")
"""Counts of tries, when a session was used, and that a worker was at it a moment ago."""
WHERE = RequestHumanInput(question="Where to?", format="multiple_choice", choices=("a", "b"))


def deploy(service: str) -> Deploy:
    return Deploy(service=service, ref="main", environment="production", reason="It is tested.")


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Everywhere]:
    with running_server() as url, everywhere(url, tmp_path_factory.mktemp("links")) as opened:
        play(opened)
        yield opened


def play(office: Everywhere) -> None:
    """Play the seed's story until its second card is open, and ask by mail and in Slack beside it."""
    story = office.story
    story.model_will(deploy("frontend"), deploy("backend"))
    story.thread_id = "t1"
    story.branch_moves(sha_of("main"), pusher="eve")
    office.works()
    office.presses("ben", "deny", office.card())
    office.fills("ben", words="can you deploy the backend first?")
    office.works()
    story.model_will(WHERE)
    office.says("ann", "deploy something")
    story.model_will(DoneForNow(message="The backend is live."))
    office.writes("eve", "what's live?", subject="Live?")
    browser = office.browser()
    browser.post(
        "/sign-in/mail", data=fields(browser.get("/sign-in").text) | {"address": "mia@shop.example"}
    )
    wait_until(lambda: office.mails("mia", "to sign in to deploybot"))


def told(office: Everywhere) -> str:
    """Return all that was sent to anybody: messages, whispers, mails, as text and as HTML."""
    mails = office.workspace.workspace.mailbox.all()
    said = [shown(one) for one in office.messages()] + office.whispers()
    return unescape(
        "\n".join([*said, *(f"{one.text}\n{one.html}\n{one.headers}" for one in mails)])
    )


def links(office: Everywhere) -> set[str]:
    found = {one.rstrip(".,") for one in URL.findall(told(office))}
    return {one for one in found if one.startswith(office.url)}


def state(office: Everywhere) -> dict[bytes, object]:
    """Return everything that is stored, but for counts."""
    store, found = office.connection, {}
    for key in store.scan_iter():
        if COUNTED.match(key.decode()):
            continue
        found[key] = store.dump(key)
    return found


def fetched(office: Everywhere, method: str, url: str, cookie: str = "") -> tuple[int, str]:
    """Fetch an address; redirections are not followed, they are fetched by themselves."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=60)
    path = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
    headers = {"User-Agent": "Slackbot-LinkExpanding 1.0"} | ({"Cookie": cookie} if cookie else {})
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    body = answer.read().decode("utf-8", "replace")
    connection.close()
    return answer.status, body


def test_every_mail_and_every_card_leads_to_the_page_of_its_thread(office: Everywhere) -> None:
    pages = {f"{office.url}/threads/{thread.id}" for thread in office.threads()}

    for mail in office.workspace.workspace.mailbox.all():
        if "deploybot" in mail.sender and "/sign-in/link/" not in mail.text:
            assert URL.findall(mail.text)[-1] in pages
            assert pages & set(re.findall(r'href="([^"]*)"', unescape(mail.html)))
    for message in (office.card(), office.message("Where to?")):
        assert pages & set(URL.findall(shown(message)))
    assert links(office) >= {
        f"{office.url}/threads/{office.card().metadata['event_payload']['thread']}"
    }


@pytest.mark.parametrize("signed_in", [False, True])
def test_fetching_every_link_and_what_it_leads_to_changes_nothing(
    office: Everywhere, *, signed_in: bool
) -> None:
    cookie = _cookie(office.browser("ben")) if signed_in else ""
    first = links(office)
    assert any("/sign-in/link/" in one for one in first)
    before = state(office)

    further: set[str] = set()
    for url in sorted(first):
        for method in FETCHES:
            status, page = fetched(office, method, url, cookie)
            assert status < 500, (method, url, status)
            further |= set(re.findall(r'(?:href|src|action)="(/[^"]*)"', page))
    for path in sorted(further)[:150]:
        assert fetched(office, "GET", f"{office.url}{unescape(path)}", cookie)[0] < 500

    assert state(office) == before


def test_a_link_alone_is_not_enough_to_do_anything_however_it_is_called(office: Everywhere) -> None:
    before = state(office)

    answers = {
        (method, url): fetched(office, method, url)[0]
        for url in sorted(links(office))
        for method in TOKEN_ONLY
    }

    assert {call: status for call, status in answers.items() if not 400 <= status < 500} == {}
    assert state(office) == before


def test_after_all_that_the_codes_and_links_still_work_for_whom_they_are(
    office: Everywhere,
) -> None:
    (link,) = (one for one in links(office) if "/sign-in/link/" in one)
    begun = {unquote(one) for one in MAILTO.findall(told(office))}
    assert any("body=approve" in one for one in begun), "a link that begins a reply"
    browser, path = office.browser(), urlsplit(link).path
    card = office.mail("mia", "Deploy backend to production")

    entered = browser.post(path, data=fields(browser.get(path).text))
    office.replies("mia", card, "approve")

    assert entered.status_code == 303
    assert "deploy backend" in " ".join(office.story.deployer.ran)


def _cookie(browser: Browser) -> str:
    return "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
