"""What Slack does late, after a newer call: an older look, or a second message; neither stays."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from redis_server import wait_until
from slack_desk import SETTINGS, Desk

from deploybot.demo.workspace import WorkspaceServer
from deploybot.outbound.slack_calls import UnsureCallError
from deploybot.outbox import tellings
from deploybot.telling import Card, CardState

LATE = 1.5
"""Seconds by which Slack is late; longer than the bot waits here."""


@pytest.fixture
def desk() -> Iterator[Desk]:
    with WorkspaceServer(SETTINGS) as server:
        yield Desk(server)


def text_of(desk: Desk) -> str:
    (shown,) = desk.cards()
    return str(shown["text"])


def card(desk: Desk, state: CardState) -> Card:
    """Return the card of the open request as it looks in a state."""
    (open_card,) = (one for one in tellings(desk.story.thread) if isinstance(one, Card))
    return replace(open_card, state=state, by="ann", at=desk.clock.now())


@pytest.mark.row(26)
def test_an_older_look_that_slack_shows_late_is_put_right(desk: Desk) -> None:
    desk.asked()
    desk.deliver()
    older, newer = card(desk, CardState.IN_LINE), card(desk, CardState.EXPIRED)
    desk.timeout = 1
    desk.fails("chat.update", "delay", seconds=LATE)
    with pytest.raises(UnsureCallError):
        desk.deliver(only=(older,))
    desk.timeout = 5
    desk.deliver(only=(newer,))
    assert "expired" in text_of(desk)
    wait_until(lambda: "in line" in text_of(desk))

    desk.clock.passes(seconds=10)
    early = desk.deliver(only=(newer,))
    desk.clock.passes(seconds=20)
    at_its_time = desk.deliver(only=(newer,))

    assert "expired" in text_of(desk)
    assert early == pytest.approx(20, abs=1)
    assert at_its_time is None
    assert len(desk.calls("chat.update")) == 3, "the late one, the newer one, and that once more"


def test_a_worker_that_dies_while_it_updates_leaves_word_of_it(desk: Desk) -> None:
    desk.asked()
    desk.deliver()

    def dies(key: str, value: str) -> None:
        desk.noted[key] = value
        raise SystemError("killed")

    with pytest.raises(SystemError):
        desk.deliver(note=dies, only=(card(desk, CardState.IN_LINE),))
    newer = card(desk, CardState.EXPIRED)
    desk.deliver(only=(newer,))
    desk.clock.passes(seconds=30)
    desk.deliver(only=(newer,))

    assert "expired" in text_of(desk)
    assert [call["args"]["ts"] for call in desk.calls("chat.update")] == [desk.cards()[0]["ts"]] * 2


@pytest.mark.row(26)
def test_a_second_message_that_slack_posts_late_is_taken_away(desk: Desk) -> None:
    desk.asked()
    desk.timeout = 1
    for seconds in (0, LATE):  # the opening in time, the card not
        desk.fails("chat.postMessage", "delay", seconds=seconds)
    with pytest.raises(UnsureCallError):
        desk.deliver()
    desk.timeout = 5
    desk.deliver()
    kept = text_of(desk)
    wait_until(lambda: len(desk.cards()) == 2)

    desk.clock.passes(seconds=30)
    desk.deliver()

    assert text_of(desk) == kept
    assert desk.noted["card:r1"].count(str(desk.cards()[0]["ts"])) == 1
