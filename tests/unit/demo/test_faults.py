"""What can go wrong between the bot and Slack, on request."""

import time
from http.client import RemoteDisconnected
from urllib.error import URLError

import pytest
from slack_sdk.errors import SlackApiError

LOST = (URLError, ConnectionError, RemoteDisconnected)


def texts(people):
    return [message["text"] for message in people("GET", "/_control/messages")[1]]


def test_too_many_requests_say_when_to_come_back(client, people):
    people.control("faults", method="chat.postMessage", kind="ratelimit", seconds=7, count=2)

    for _ in range(2):
        with pytest.raises(SlackApiError) as caught:
            client.chat_postMessage(channel="C0DEPLOYS", text="x")

        assert caught.value.response.status_code == 429
        assert caught.value.response.headers["Retry-After"] == "7"
    assert client.chat_postMessage(channel="C0DEPLOYS", text="y")["ok"] is True
    assert texts(people) == ["y"]


def test_a_dropped_connection_before_and_after_the_work(client, people):
    people.control("faults", method="chat.postMessage", kind="drop_before")
    with pytest.raises(LOST):
        client.chat_postMessage(channel="C0DEPLOYS", text="never")

    people.control("faults", method="chat.postMessage", kind="drop_after")
    with pytest.raises(LOST):
        client.chat_postMessage(channel="C0DEPLOYS", text="done, but who knows")

    assert texts(people) == ["done, but who knows"]
    calls = people("GET", "/_control/ledger?method=chat.postMessage")[1]
    assert [(call["status"], call["fault"]) for call in calls] == [
        (None, "drop_before"),
        (None, "drop_after"),
    ]


def test_a_server_error_a_slack_error_and_a_delay(client, people):
    people.control("faults", kind="status", status=503)
    with pytest.raises(SlackApiError) as caught:
        client.auth_test()
    assert caught.value.response.status_code == 503

    people.control("faults", method="auth.test", kind="error", error="token_revoked")
    with pytest.raises(SlackApiError, match="token_revoked"):
        client.auth_test()

    people.control("faults", kind="delay", seconds=0.3)
    started = time.perf_counter()
    client.auth_test()
    assert time.perf_counter() - started >= 0.3


def test_faults_are_listed_and_cleared(client, people):
    people.control("faults", method="views.open", kind="status")

    assert people("GET", "/_control/faults")[1][0]["method"] == "views.open"
    assert people("DELETE", "/_control/faults")[0] == 204
    assert people("GET", "/_control/faults")[1] == []
    assert client.auth_test()["ok"] is True


def test_real_pacing_allows_a_burst_per_channel(client, people):
    people.control("pace", on=True, burst=3)

    for _ in range(3):
        client.chat_postMessage(channel="C0DEPLOYS", text="x")
    with pytest.raises(SlackApiError) as caught:
        client.chat_postMessage(channel="C0DEPLOYS", text="too soon")

    assert caught.value.response["error"] == "ratelimited"
    assert caught.value.response.headers["Retry-After"] == "1"
    assert client.chat_postMessage(channel="U0ANN", text="elsewhere")["ok"] is True


def test_two_hundred_requests_a_second(client):
    started = time.perf_counter()
    for number in range(200):
        client.chat_postMessage(channel="C0DEPLOYS", text=str(number))
    seconds = time.perf_counter() - started

    assert seconds < 5, f"200 messages took {seconds:.1f} s"
