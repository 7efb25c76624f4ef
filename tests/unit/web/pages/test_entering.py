"""Signing in by choice and by mail; with Slack in `test_entering_slack`."""

import re
from collections.abc import Iterator

import pytest
from page_office import Browser, PageOffice, fields, opened
from redis_server import wait_until
from smtp_sink import SmtpSink

from deploybot.config import read_settings
from deploybot.errors import ConfigError


@pytest.fixture
def sink() -> Iterator[SmtpSink]:
    with SmtpSink() as sink:
        yield sink


@pytest.fixture
def office(redis_url, tmp_path, sink) -> Iterator[PageOffice]:
    mail = {
        "DEPLOYBOT_URL": "http://127.0.0.1",
        "DEPLOYBOT_EMAIL_ADDRESS": "bot@shop.example",
        "DEPLOYBOT_SMTP_URL": sink.url,
    }
    with opened(redis_url, tmp_path, **mail) as office:
        yield office


def asks_for_a_link(browser: Browser, address: str):
    page = browser.get("/sign-in")
    return browser.post(
        "/sign-in/mail", data=fields(page.text, "/sign-in/mail") | {"address": address}
    )


def link_in(sink: SmtpSink) -> str:
    wait_until(lambda: sink.mails)
    found = re.search(r"http://127\.0\.0\.1(/sign-in/link/\S+)", sink.mails[-1].get_content())
    assert found
    return found[1]


@pytest.mark.parametrize(
    "path", ["/", "/waiting", "/environments", "/threads/t1", "/threads/t1/events/1"]
)
def test_nothing_is_seen_before_signing_in(office, path):
    answer = office.browser().get(path)

    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/sign-in")


@pytest.mark.parametrize("path", ["/live", "/threads/t1/live"])
def test_nothing_is_listened_to_before_signing_in(office, path):
    assert office.browser().get(path).status_code == 303


def test_whoever_signs_in_goes_on_to_where_they_wanted(office):
    browser = office.browser()
    way = browser.get("/threads/t1").headers["location"]

    page = browser.get(way)
    entered = browser.post("/sign-in/choice", data=fields(page.text) | {"person": "ann"})

    assert entered.headers["location"] == "/threads/t1"


def test_the_cookie_is_for_us_alone(office):
    browser = office.browser()
    entered = browser.signs_in("ann")

    cookie = entered.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Domain" not in cookie


def test_where_we_are_reached_by_https_the_cookie_goes_no_other_way(redis_url, tmp_path):
    with opened(
        redis_url,
        tmp_path,
        DEPLOYBOT_URL="https://bot.example",
        DEPLOYBOT_SIGN_IN_BY_CHOICE="",
    ) as office:
        cookie = office.browser().get("/sign-in").headers["set-cookie"]

    assert cookie.startswith("__Host-deploybot=")
    assert "Secure" in cookie
    assert "Path=/" in cookie


def test_an_id_that_somebody_else_planted_is_not_signed_in(office):
    planted = "x" * 43
    victim = office.browser()
    victim.cookies.set("deploybot", planted)

    victim.signs_in("ann")

    attacker = office.browser()
    attacker.cookies.set("deploybot", planted)
    assert victim.get("/").status_code == 200
    assert attacker.get("/").status_code == 303


@pytest.mark.parametrize(
    "environ",
    [
        {"DEPLOYBOT_HOST": "0.0.0.0"},
        {"DEPLOYBOT_HOST": "bot.example"},
        {"DEPLOYBOT_URL": "https://bot.example"},
    ],
)
def test_nobody_chooses_who_they_are_where_others_can_come_in(environ):
    with pytest.raises(ConfigError, match="DEPLOYBOT_SIGN_IN_BY_CHOICE"):
        read_settings({"DEPLOYBOT_SIGN_IN_BY_CHOICE": "1", **environ})


@pytest.mark.parametrize(
    "headers", [{"host": "bot.example"}, {"x-forwarded-for": "10.0.0.7"}, {"via": "1.1 proxy"}]
)
def test_nobody_chooses_who_they_are_from_elsewhere(office, headers):
    browser = office.browser()
    page = browser.get("/sign-in")
    sent = fields(page.text, "/sign-in/choice") | {"person": "ann"}

    assert "Ann" not in browser.get("/sign-in", headers=headers).text
    assert browser.post("/sign-in/choice", data=sent, headers=headers).status_code == 404


def test_somebody_who_is_not_known_is_told_so(office):
    answer = office.browser().signs_in("zoe")

    assert answer.status_code == 403
    assert "I do not know you here" in answer.text


def test_somebody_who_was_taken_off_the_list_sees_nothing_more(office):
    browser = office.browser("eve")
    assert browser.get("/").status_code == 200

    office.known("ann", "ben")
    later = Browser(office.app())
    later.cookies = browser.cookies

    assert later.get("/").status_code == 403


def test_a_link_signs_its_person_in_once(office, sink):
    browser = office.browser()
    assert asks_for_a_link(browser, "Ben@shop.example").headers["location"] == "/sign-in/sent"
    link = link_in(sink)

    page = browser.get(link)
    assert "Go on as Ben" in page.text
    assert browser.get(link).status_code == 200, "looking at it spends nothing"
    entered = browser.post(link, data=fields(page.text))
    again = Browser(office.app())
    again.get("/sign-in")
    late = again.post(link, data=fields(again.get("/sign-in").text))

    assert entered.status_code == 303
    assert "Ben" in browser.get("/").text
    assert late.status_code == 403
    assert "used already" in late.text
    assert sink.recipients == ["ben@shop.example"]


def test_the_answer_is_the_same_for_an_address_that_nobody_has(office, sink):
    known, unknown = office.browser(), office.browser()
    one = asks_for_a_link(known, "ann@shop.example")
    two = asks_for_a_link(unknown, "zoe@shop.example")

    wait_until(lambda: sink.mails)
    assert (one.status_code, one.headers["location"]) == (two.status_code, two.headers["location"])
    assert sink.recipients == ["ann@shop.example"]


def test_an_address_gets_three_links_in_a_quarter_of_an_hour(office, sink):
    browser = office.browser()
    for _ in range(6):
        asks_for_a_link(browser, "ann@shop.example")
    asks_for_a_link(browser, "ben@shop.example")

    wait_until(lambda: "ben@shop.example" in sink.recipients)
    wait_until(lambda: sink.recipients.count("ann@shop.example") == 3)


def test_a_place_that_tries_too_often_has_to_wait(office):
    browser = office.browser()

    answers = [asks_for_a_link(browser, f"x{number}@shop.example") for number in range(21)]

    assert {answer.status_code for answer in answers[:20]} == {303}
    assert answers[20].status_code == 429
    assert "Wait 15 minutes" in answers[20].text


def test_no_link_is_kept_as_it_is(office, sink):
    asks_for_a_link(office.browser(), "ann@shop.example")
    secret = link_in(sink).rpartition("/")[2]

    kept = b" ".join(office.connection.keys("*"))
    assert secret.encode() not in kept
    assert b"sign-in:" in kept


def test_a_form_for_signing_in_that_another_site_sends_does_nothing(office):
    browser = office.browser()
    sent = fields(browser.get("/sign-in").text) | {"person": "ann"}

    foreign = browser.post("/sign-in/choice", data=sent, headers={"origin": "https://evil.example"})
    bare = browser.post("/sign-in/choice", data={"person": "ann"})

    assert foreign.status_code == bare.status_code == 403
    assert browser.get("/").status_code == 303


def test_signing_out_ends_the_session_and_everywhere_ends_them_all(office):
    one, two, three = (office.browser("ann") for _ in range(3))
    kept = dict(one.cookies)

    one.sends("/sign-out", "/sign-out", where="here")
    one.cookies.update(kept)
    assert one.get("/").status_code == 303, "the old cookie opens nothing"
    assert two.get("/").status_code == 200

    two.sends("/sign-out", "/sign-out", where="everywhere")
    assert three.get("/").status_code == 303


def test_looking_at_any_page_changes_nothing_but_when_the_session_was_used(office):
    thread = office.asks_for_approval()
    browser = office.browser("ben")
    before = {key: office.connection.dump(key) for key in office.connection.keys("*")}

    for path in ("/", "/waiting", "/environments", "/sign-in", "/sign-out", "/sign-in/sent"):
        assert browser.get(path).status_code == 200
    for path in (f"/threads/{thread.id}", f"/threads/{thread.id}/events/1"):
        assert browser.get(path).status_code == 200

    after = {key: office.connection.dump(key) for key in office.connection.keys("*")}
    assert after == before
