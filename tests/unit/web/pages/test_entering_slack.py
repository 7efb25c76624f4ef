from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
import urllib3
from cryptography.hazmat.primitives.asymmetric import rsa
from page_office import Browser, PageOffice, fields, opened
from slack_sign_in import TEAM, USER, SlackSignInServer

from deploybot.config import read_settings
from deploybot.errors import ConfigError


@pytest.fixture
def slack() -> Iterator[SlackSignInServer]:
    with SlackSignInServer() as slack:
        yield slack


@pytest.fixture
def office(redis_url, tmp_path, slack) -> Iterator[PageOffice]:
    with opened(
        redis_url,
        tmp_path,
        DEPLOYBOT_URL="http://127.0.0.1",
        SLACK_CLIENT_ID=slack.client_id,
        SLACK_CLIENT_SECRET=slack.client_secret,
        SLACK_API_URL=slack.api,
    ) as office:
        yield office


def goes_to_slack(browser: Browser, then: str = "/") -> str:
    """Press the button, go to Slack, and return the path on which Slack sends the browser back."""
    page = browser.get(f"/sign-in?then={then}")
    away = browser.post("/sign-in/slack", data=fields(page.text, "/sign-in/slack"))
    answer = urllib3.request("GET", away.headers["location"], redirect=False)
    back = urlsplit(answer.headers["location"])
    return f"{back.path}?{back.query}"


def comes_back(browser: Browser, way: str):
    page = browser.get(way)
    return browser.post("/sign-in/slack/callback", data=fields(page.text))


def test_slack_says_who_somebody_is(office):
    browser = office.browser()

    entered = comes_back(browser, goes_to_slack(browser, "/waiting"))

    assert entered.headers["location"] == "/waiting"
    assert "Ben" in browser.get("/").text


def test_somebody_whom_only_slack_knows_is_told_so(office, slack):
    slack.user = "U0STRANGER"
    browser = office.browser()

    answer = comes_back(browser, goes_to_slack(browser))

    assert answer.status_code == 403
    assert "I do not know you here" in answer.text


def test_a_way_back_is_good_once(office):
    browser = office.browser()
    way = goes_to_slack(browser)
    page = browser.get(way)
    sent = fields(page.text)

    first = browser.post("/sign-in/slack/callback", data=sent)
    other = office.browser()
    again = other.post(
        "/sign-in/slack/callback", data=sent | fields(other.get("/sign-in").text, "/sign-in/slack")
    )

    assert first.status_code == 303
    assert again.status_code == 403


def test_a_way_back_that_began_in_another_browser_signs_nobody_in(office):
    """Otherwise somebody could sign others in as themselves, and read what they write."""
    attacker, victim = office.browser(), office.browser()
    way = goes_to_slack(attacker)

    answer = comes_back(victim, way)

    assert answer.status_code == 403
    assert victim.get("/").status_code == 303


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.example"},
        {"aud": "another-app"},
        {"exp": 1_000_000_000},
        {"nonce": "another"},
        {"nonce": None},
        {USER: None},
    ],
    ids=["issuer", "audience", "expired", "nonce", "no nonce", "nobody"],
)
def test_a_token_that_does_not_hold_signs_nobody_in(office, slack, claims):
    slack.claims = claims
    browser = office.browser()

    answer = comes_back(browser, goes_to_slack(browser))

    assert answer.status_code == 403
    assert browser.get("/").status_code == 303


def test_a_token_that_another_key_signed_signs_nobody_in(office, slack):
    slack.forger = rsa.generate_private_key(65537, 2048)
    browser = office.browser()

    assert comes_back(browser, goes_to_slack(browser)).status_code == 403


def test_a_code_that_slack_does_not_know_signs_nobody_in(office, slack):
    browser = office.browser()
    way = goes_to_slack(browser)
    slack.codes.clear()

    answer = comes_back(browser, way)

    assert answer.status_code == 403
    assert "Slack did not say who you are" in answer.text


def test_another_workspace_signs_nobody_in(redis_url, tmp_path, slack):
    slack.claims = {TEAM: "T0ELSEWHERE"}
    with opened(
        redis_url,
        tmp_path,
        DEPLOYBOT_URL="http://127.0.0.1",
        SLACK_CLIENT_ID=slack.client_id,
        SLACK_CLIENT_SECRET=slack.client_secret,
        SLACK_API_URL=slack.api,
    ) as office:
        office.of_team("T0HARBOUR")
        browser = office.browser()

        answer = comes_back(browser, goes_to_slack(browser))

    assert answer.status_code == 403
    assert "another Slack workspace" in answer.text


def test_slack_itself_may_be_left_for_and_nobody_else(office, slack):
    policy = office.browser().get("/sign-in").headers["content-security-policy"]

    assert f"form-action 'self' {slack.api.removesuffix('/api/')};" in policy


@pytest.mark.parametrize("half", ["SLACK_CLIENT_ID", "SLACK_CLIENT_SECRET"])
def test_half_of_what_it_takes_stops_the_start(half):
    other = {"SLACK_CLIENT_ID": "SLACK_CLIENT_SECRET", "SLACK_CLIENT_SECRET": "SLACK_CLIENT_ID"}

    with pytest.raises(ConfigError, match=f"^{other[half]} is wrong: it is not set"):
        read_settings({half: "something"})
