"""What the page is given: its files under a strict policy, one person's view, and a live feed."""

import json
import re
from http.client import HTTPConnection
from importlib.resources import files

import pytest


def fetch(server, path, **headers):
    connection = HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request("GET", path, headers=headers)
    response = connection.getresponse()
    body = response.read().decode()
    connection.close()
    return response, body


def test_every_file_of_the_page_is_served_and_nothing_else(server):
    response, page = fetch(server, "/")
    names = set(re.findall(r'"/static/([\w.]+)"', page))

    policy = response.headers["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert {"app.js", "style.css", "blocks.css", "icon.svg"} == names
    for entry in (files("deploybot.demo.workspace") / "static").iterdir():
        assert fetch(server, f"/static/{entry.name}")[0].status == 200
        names |= set(re.findall(r'from "\./([\w.]+)"', entry.read_text()))
    assert all(fetch(server, f"/static/{name}")[0].status == 200 for name in names)
    assert fetch(server, "/static/settings.py")[0].status == 404
    assert fetch(server, "/static/..%2fsettings.py")[0].status == 404


def test_the_page_has_no_inline_script_style_or_outside_address():
    for entry in (files("deploybot.demo.workspace") / "static").iterdir():
        text = entry.read_text()
        if entry.name.endswith(".html"):
            assert not re.search(r"<script(?![^>]*src=)|<style|\sstyle=|\son\w+=", text)
        outside = re.findall(r"https?://[\w.]+", text)
        assert set(outside) <= {"http://www.w3.org"}, entry.name


def test_a_person_sees_their_channels_and_no_others(people):
    ann = people("GET", "/_human/ann/state")[1]
    ben = people("GET", "/_human/ben/state")[1]

    assert "C0FEW" in [channel["id"] for channel in ann["channels"]]
    assert "C0FEW" not in [channel["id"] for channel in ben["channels"]]
    assert [channel["id"] for channel in ben["channels"] if channel["kind"] == "im"] == ["D0BEN"]


@pytest.fixture
def feed(server):
    connections = []

    def open_feed(user, after):
        connection = HTTPConnection("127.0.0.1", server.port, timeout=10)
        connections.append(connection)
        connection.request("GET", f"/_human/{user}/feed?after={after}")
        return connection.getresponse()

    yield open_feed
    for connection in connections:
        connection.close()


def next_change(stream):
    while True:
        line = stream.readline().decode()
        assert line, "the feed ended"
        if line.startswith("data: "):
            return json.loads(line[6:])


def test_the_feed_tells_what_happened_since_and_what_happens_now(client, people, feed):
    seq = people("GET", "/_human/ben/state")[1]["seq"]
    client.chat_postMessage(channel="C0DEPLOYS", text="before")

    stream = feed("ben", seq)

    assert next_change(stream)["body"]["text"] == "before"
    client.chat_postEphemeral(channel="C0DEPLOYS", user="U0ANN", text="not for Ben")
    client.chat_postMessage(channel="C0DEPLOYS", text="after")
    assert next_change(stream)["body"]["text"] == "after"


def test_a_page_from_an_earlier_life_is_told_to_start_again(client, feed):
    client.chat_postMessage(channel="C0DEPLOYS", text="x")

    assert next_change(feed("ann", 9999))["kind"] == "reset"


def test_mail_is_shown_to_whom_it_is_addressed_and_its_html_cannot_act(people, server):
    mail = {"id": "m1", "from": "bot@x.test", "to": "Ann <ann@harbour.test>", "subject": "S"}
    people.control("mail", **mail, html="<b>Hi</b><script>alert(1)</script>")

    seen = {user: people("GET", f"/_human/{user}/state")[1]["mail"] for user in ("ann", "ben")}
    assert [one["id"] for one in seen["ann"]] == ["m1"]
    assert seen["ben"] == []
    policy = fetch(server, "/_mail/m1/html")[0].headers["Content-Security-Policy"]
    assert "sandbox" in policy
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert "allow-scripts" not in policy
    assert people("POST", "/_human/ben/reply_mail", {"id": "m1", "text": "x"})[0] == 409


def test_a_mail_without_a_mail_server_is_refused_in_words(people):
    status, answer = people("POST", "/_human/ann/send_mail", {"text": "deploy backend"})

    assert status == 409
    assert "not sent" in answer["error"]
