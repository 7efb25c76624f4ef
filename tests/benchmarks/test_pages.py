"""How soon a page begins to arrive, with ten thousand threads in the store."""

import statistics
import time
from collections.abc import Iterator
from datetime import timedelta
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from benchmarks.conftest import Table
from page_office import PageOffice, long_thread, opened
from slack_bot import served

from deploybot.events import ApiMessageReceived, Finished, QuestionAsked
from deploybot.thread import Thread

pytestmark = pytest.mark.benchmark
THREADS = 10_000
WAITING = 150
TIMES = 25
BAR = 150
"""Milliseconds to the first byte, in the median."""


@pytest.fixture
def office(redis_url: str, tmp_path: Path) -> Iterator[PageOffice]:
    with opened(redis_url, tmp_path) as office:
        yield office


def filled(office: PageOffice) -> None:
    """Store threads of six events each, of which some wait for people."""
    store, clock = office.story.store, office.story.clock
    for number in range(THREADS):
        now = clock.time + timedelta(milliseconds=number)
        said = ApiMessageReceived(
            at=now, by="ann", delivery=f"d{number}", text=f"deploy backend, number {number}"
        )
        asked = QuestionAsked(at=now, by="agent:deploy", question_id="q", question="Which one?")
        done = Finished(at=now, by="agent:deploy", message="`backend` is live on production.")
        events = [said, asked] if number < WAITING else [said, done, said, done, said, done]
        store.append(Thread(f"t{number:05}"), *events)


def test_a_page_begins_to_arrive_at_once_with_ten_thousand_threads(
    office: PageOffice, table: Table
) -> None:
    filled(office)
    long_thread(office, 2000)
    paths = {
        "the list of 10,000 threads": "/",
        "a later page of it": "/?status=done",
        "who is waited for, 150 threads": "/waiting",
        "a thread of 6 events": "/threads/t09000",
        "a thread of 2,000 events": "/threads/tlong",
    }
    cookie = f"deploybot={office.browser('ben').cookies['deploybot']}"

    slow = []
    with served(office.app()) as address:
        for name, path in paths.items():
            taken, size = [], 0
            for _ in range(TIMES):
                milliseconds, size = first_byte(address, path, cookie)
                taken.append(milliseconds)
            median, worst = statistics.median(taken), max(taken)
            figure = f"{median:.0f} ms, {size / 1000:.0f} kB"
            table.add(f"first byte of {name}", figure, f"worst {worst:.0f} ms", f"< {BAR} ms")
            if median >= BAR or size >= 100_000:
                slow.append((name, median, size))

    assert slow == []


def first_byte(address: str, path: str, cookie: str) -> tuple[float, int]:
    """Return how many ms the first byte took, and how many bytes came."""
    connection = HTTPConnection(urlsplit(address).netloc)
    connection.connect()
    start = time.perf_counter()
    connection.request("GET", path, headers={"Cookie": cookie})
    answer = connection.getresponse()
    taken = (time.perf_counter() - start) * 1000
    body = answer.read()
    connection.close()
    assert answer.status == 200, body
    return taken, len(body)
