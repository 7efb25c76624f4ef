"""Messages that are edited or deleted after they were heard: seen, said so, and not followed."""

from collections.abc import Iterator
from typing import Any

import pytest
from redis_server import wait_until
from slack_bot import bot, served
from slack_office import Office, opened

from deploybot.demo.workspace import actions
from deploybot.demo.workspace.message import Message
from deploybot.events import MessageAltered
from deploybot.next_step import DoneForNow
from deploybot.thread import Status

ASKS = "@deploybot deploy backend main to production"


@pytest.fixture
def office() -> Iterator[Office]:
    with opened(retry_delays=(0.0, 0.2, 0.5, 2.0, 5.0)) as office, served(bot(office.desk)) as url:
        office.server.bot_url = url
        yield office


def asked(office: Office) -> str:
    """Let Eve ask in the channel, and the bot show its card; return what she wrote by its id."""
    said = actions.say(office.server, "eve", "C0DEPLOYS", ASKS)
    (office.story.thread_id,) = office.story.store.list().threads
    office.story.model_will(office.deploy)
    office.works()
    return str(said["ts"])


def sentences(office: Office, word: str) -> list[Message]:
    office.tell()
    messages = office.server.conversations.by_id["C0DEPLOYS"].messages.values()
    return [one for one in messages if f"Eve {word} a message" in one.text]


def kinds(office: Office) -> list[str]:
    return [event.kind for event in office.story.thread.events]


def test_an_edited_request_is_said_to_be_seen_and_not_followed(office: Office) -> None:
    ts = asked(office)
    card = office.shown(office.card("r1"))

    actions.edit(office.server, "eve", "C0DEPLOYS", ts, f"{ASKS} and frontend")

    (told,) = sentences(office, "edited")
    assert told.thread_ts == ts
    assert "not followed" in told.text
    assert "“deploy backend main to production”" in told.text
    assert "write it as a new message" in told.text
    assert office.shown(office.card("r1")) == card
    assert office.story.thread.standing.request is not None, "it can still be approved"


def test_who_edits_again_is_told_in_the_same_message(office: Office) -> None:
    ts = asked(office)

    for words in ("one", "two", "three"):
        actions.edit(office.server, "eve", "C0DEPLOYS", ts, f"{ASKS} {words}")
        office.tell()

    assert len(sentences(office, "edited")) == 1
    assert kinds(office).count("message_altered") == 3


def test_a_deleted_request_stays_on_the_record_and_can_still_be_answered(office: Office) -> None:
    ts = asked(office)

    actions.delete(office.server, "eve", "C0DEPLOYS", ts)

    (told,) = sentences(office, "deleted")
    assert "its words stay on the record, on the thread's page" in told.text
    assert "deploy backend" not in told.text, "what was deleted is not quoted"
    (event,) = (e for e in office.story.thread.events if isinstance(e, MessageAltered))
    assert event.by == "eve"
    office.click("ben", "approve", office.card("r1"))
    office.works()
    assert office.story.deployer.ran


def test_a_deleted_reply_is_said_too(office: Office) -> None:
    asked(office)
    reply = actions.say(office.server, "ben", "C0DEPLOYS", "wait for me", office.card("r1"))

    actions.delete(office.server, "ben", "C0DEPLOYS", str(reply["ts"]))

    (event,) = (e for e in office.story.thread.events if isinstance(e, MessageAltered))
    assert (event.by, event.ts) == ("ben", reply["ts"])


def test_once_all_is_done_an_edit_is_on_the_record_and_disturbs_nobody(office: Office) -> None:
    said = actions.say(office.server, "eve", "C0DEPLOYS", "@deploybot thanks")
    (office.story.thread_id,) = office.story.store.list().threads
    office.story.model_will(DoneForNow(message="Gladly."))
    office.works()
    assert office.story.thread.status is Status.DONE

    actions.edit(office.server, "eve", "C0DEPLOYS", said["ts"], "@deploybot thank you")

    assert sentences(office, "edited") == []
    assert kinds(office)[-1] == "message_altered"


def test_what_the_bot_and_slack_change_by_themselves_is_no_edit(office: Office) -> None:
    ts = asked(office)
    where = office.server.conversations.by_id["C0DEPLOYS"]
    said = where.messages[ts]

    office.server.change(where, said, said)  # as when a preview of a link is added
    office.tell()

    assert not {"message_altered"} & set(kinds(office))


def test_an_edit_of_what_was_never_said_to_the_bot_is_of_no_concern(office: Office) -> None:
    said = actions.say(office.server, "eve", "C0DEPLOYS", "lunch?")

    sent = actions.edit(office.server, "eve", "C0DEPLOYS", said["ts"], "lunch at noon?")

    assert {one["status"] for one in sent["deliveries"]} == {200}
    assert office.story.store.list().threads == ()


@pytest.mark.parametrize("change", ["edit", "delete"])
def test_a_change_that_comes_before_its_message_is_sent_again_behind_it(
    office: Office, change: str
) -> None:
    office.server.courier.hold()
    said = actions.say(office.server, "eve", "C0DEPLOYS", "@deploybot what's live?")
    held = office.server.courier.kept()
    office.server.courier.holding = False
    if change == "edit":
        words = "@deploybot what's live on staging?"
        sent = actions.edit(office.server, "eve", "C0DEPLOYS", said["ts"], words)
    else:
        sent = actions.delete(office.server, "eve", "C0DEPLOYS", said["ts"])
    assert {one["status"] for one in sent["deliveries"]} == {503}

    for event_id in held:
        office.server.courier.redeliver(event_id)
    (office.story.thread_id,) = office.story.store.list().threads

    def came() -> bool:
        return any(isinstance(event, MessageAltered) for event in office.story.thread.events)

    wait_until(came, 30)
    assert kinds(office)[0] == "slack_message_received"
    assert len(kinds(office)) == 2


def test_the_same_change_delivered_many_times_is_kept_once(office: Office) -> None:
    ts = asked(office)
    office.server.courier.duplicate_next = 1
    actions.edit(office.server, "eve", "C0DEPLOYS", ts, f"{ASKS} now")
    sent: list[Any] = office.server.ledger.entries(0, direction="to_bot", name="message")

    for _ in range(3):
        office.server.courier.redeliver(sent[-1]["id"])

    assert kinds(office).count("message_altered") == 1
