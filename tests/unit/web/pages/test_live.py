"""What open pages are told, over a real server: an answer without an end needs a real connection."""

from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from urllib.parse import urlsplit

import pytest
from page_office import PageOffice, opened
from slack_bot import served

from deploybot.events import ApiMessageReceived


@pytest.fixture
def office(redis_url, tmp_path) -> Iterator[PageOffice]:
    with opened(redis_url, tmp_path) as office:
        yield office


@pytest.fixture
def listen(office):
    """Open a live address as Ben; close it at the end."""
    connections = []
    with served(office.app()) as address:

        def to(path: str) -> HTTPResponse:
            cookie = f"deploybot={office.browser('ben').cookies['deploybot']}"
            connection = HTTPConnection(urlsplit(address).netloc, timeout=20)
            connections.append(connection)
            connection.request("GET", path, headers={"Cookie": cookie})
            return connection.getresponse()

        yield to
        for connection in connections:
            connection.close()


def data(answer: HTTPResponse) -> str:
    """Return what the next message says."""
    for line in iter(answer.readline, b""):
        if line.startswith(b"data:"):
            return line.removeprefix(b"data:").strip().decode()
    raise AssertionError("the stream ended")


def says(office: PageOffice, text: str) -> None:
    now = office.story.clock.now()
    said = ApiMessageReceived(at=now, by="ann", delivery=text, text=text)
    office.story.inbox.hear(office.story.thread_id, said, dedupe=(text,))


def test_a_threads_page_is_told_of_each_event_behind_what_it_shows(office, listen):
    thread = office.asks_for_approval()
    length = len(thread.events)

    answer = listen(f"/threads/{thread.id}/live?after={length - 1}")

    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-store"
    assert data(answer) == str(length)
    says(office, "and hello")
    assert data(answer) == str(length + 1)


def test_a_page_that_shows_more_than_there_is_is_told_of_what_comes(office, listen):
    thread = office.asks_for_approval()

    answer = listen(f"/threads/{thread.id}/live?after=9999")
    says(office, "hello")

    assert data(answer) == str(len(thread.events) + 1)


def test_the_list_is_told_when_any_thread_changes(office, listen):
    answer = listen("/live")
    assert data(answer) == "changed", "at once: something may have moved since the list was drawn"

    says(office, "hello")

    assert data(answer) == "changed"


def test_there_is_nothing_to_listen_to_in_a_thread_that_nobody_began(office, listen):
    assert listen("/threads/nobody/live").status == 404
