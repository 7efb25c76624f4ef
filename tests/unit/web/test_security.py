import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from deploybot.web.security import SecurityHeaders, foreign, is_loopback, own_path, same_token


def request(host: str = "bot.example", *, client: str = "127.0.0.1", **headers: str) -> Request:
    sent = {"host": host, **{name.replace("_", "-"): value for name, value in headers.items()}}
    raw = [(name.encode(), value.encode()) for name, value in sent.items()]
    return Request(
        {
            "type": "http",
            "method": "POST",
            "scheme": "http",
            "path": "/",
            "query_string": b"",
            "headers": raw,
            "client": (client, 1),
        }
    )


@pytest.mark.parametrize(
    ("headers", "is_foreign"),
    [
        ({}, False),
        ({"origin": "http://bot.example"}, False),
        ({"origin": "https://bot.example"}, False),
        ({"origin": "https://evil.example"}, True),
        ({"origin": "null"}, True),
        ({"origin": "https://bot.example.evil.example"}, True),
        ({"sec_fetch_site": "same-origin", "origin": "https://bot.example"}, False),
        ({"sec_fetch_site": "none"}, False),
        ({"sec_fetch_site": "same-site"}, True),
        ({"sec_fetch_site": "cross-site"}, True),
        ({"sec_fetch_site": "cross-site", "origin": "https://bot.example"}, True),
    ],
)
def test_what_another_site_sent_is_known_by_what_the_browser_says(headers, is_foreign):
    assert foreign(request(**headers), "https://bot.example") is is_foreign


@pytest.mark.parametrize(
    ("asked", "is_here"),
    [
        (request("127.0.0.1:8801"), True),
        (request("localhost:8801"), True),
        (request("[::1]:8801", client="::1"), True),
        (request("bot.example"), False),
        (request("127.0.0.1.evil.example"), False),
        (request("127.0.0.1", client="10.0.0.7"), False),
        (request("127.0.0.1", x_forwarded_for="10.0.0.7"), False),
        (request("127.0.0.1", forwarded="for=10.0.0.7"), False),
        (request("127.0.0.1", via="1.1 proxy"), False),
    ],
)
def test_only_this_machine_by_its_own_name_is_here(asked, is_here):
    assert is_loopback(asked) is is_here


@pytest.mark.parametrize(
    ("path", "leads_to"),
    [
        ("/threads/t1?before=3", "/threads/t1?before=3"),
        ("/", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/a\\b", "/"),
        ("/\t/evil.example", "/"),
        ("https://evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("", "/"),
    ],
)
def test_nobody_is_sent_to_another_site(path, leads_to):
    assert own_path(path) == leads_to


def test_an_empty_token_is_no_token():
    assert not same_token("", "")
    assert not same_token("a", "b")
    assert same_token("a", "a")
    assert not same_token("a", "ä")


def test_every_answer_says_what_a_browser_may_do_with_it():
    async def page(_: Request) -> PlainTextResponse:
        return PlainTextResponse("words")

    app = Starlette(routes=[Route("/", page)])
    app.add_middleware(SecurityHeaders, form_targets=("https://slack.example",))
    headers = TestClient(app).get("/").headers

    policy = headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert "form-action 'self' https://slack.example" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
