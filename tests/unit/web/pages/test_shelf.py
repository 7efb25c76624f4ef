import pytest
from fakes import FakeClock
from story import Story

from deploybot.errors import TamperedError
from deploybot.thread import Thread
from deploybot.web.pages.shelf import Shelf


class Counting:
    """A store that tells from where on it was read."""

    def __init__(self, story: Story) -> None:
        self._store = story.store
        self.read_from: list[int] = []
        self.error: Exception | None = None

    def refresh(self, thread: Thread) -> Thread:
        self.read_from.append(len(thread.events))
        if self.error:
            raise self.error
        return self._store.refresh(thread)


@pytest.fixture
def story() -> Story:
    return Story(clock=FakeClock())


def test_what_was_read_is_not_read_again(story):
    store = Counting(story)
    shelf = Shelf(store)
    story.person_says("hello")
    before = shelf.load("t1")

    story.person_says("and again")
    after = shelf.load("t1")

    assert store.read_from == [0, len(before.events)]
    assert after == story.thread


def test_what_no_longer_verifies_is_not_taken_from_the_shelf(story):
    store = Counting(story)
    shelf = Shelf(store)
    story.person_says("hello")
    shelf.load("t1")

    store.error = TamperedError("event 2 does not verify")

    with pytest.raises(TamperedError):
        shelf.load("t1")


def test_what_was_not_looked_at_for_longest_goes_first(story):
    store = Counting(story)
    shelf = Shelf(store, events=10)
    for name in ("t1", "t2", "t1", "t3"):
        story.thread_id = name
        if not story.thread.events:
            story.person_says("hello").person_says("hello")
        shelf.load(name)

    store.read_from.clear()
    for name in ("t3", "t2"):
        shelf.load(name)

    assert store.read_from[0] > 0
    assert store.read_from[1] == 0
