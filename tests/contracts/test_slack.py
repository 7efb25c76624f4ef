"""What SlackChannel promises, against a server that speaks Slack and fails on request."""

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from redis_server import wait_until
from slack_bot import TOKEN
from slack_desk import SETTINGS, Desk

from deploybot.approvals import Grant
from deploybot.demo.workspace import (
    WorkspaceServer,
    actions,
)
from deploybot.errors import DeliveryError
from deploybot.inbox import Answer
from deploybot.manifest import manifest
from deploybot.next_step import DoneForNow, RequestHumanInput
from deploybot.outbound.slack_calls import Pacing, RefusedCallError, UnsureCallError, slack_client
from deploybot.telling import Card, CardState


@pytest.fixture
def server() -> Iterator[WorkspaceServer]:
    with WorkspaceServer(SETTINGS) as running:
        yield running


@pytest.fixture
def desk(server: WorkspaceServer) -> Iterator[Desk]:
    yield Desk(server)
    assert server.workspace.faults.waiting() == [], "a fault was asked for and never met"


def _text(message: dict[str, Any]) -> str:
    return json.dumps(message["blocks"], ensure_ascii=False)


def _say(server: WorkspaceServer, user: str, channel: str, text: str) -> str:
    return str(actions.say(server.workspace, user, channel, text)["ts"])


def _late_click(desk: Desk, request_id: str, digest: str) -> str:
    """Let Ann approve what is closed already; return the words that she gets."""
    answer = Answer(
        thread="t1",
        request_id=request_id,
        digest=digest,
        approved=True,
        comment="",
        by="ann",
        channel="slack",
        address="U0ANN",
        delivery="late",
    )
    receipt = desk.story.inbox.answer(answer)
    assert not receipt.accepted
    return receipt.text


def _running_card(desk: Desk) -> Card:
    """Return the open card as it will be told while its deploy runs."""
    (card,) = [told for told in desk.story.told if isinstance(told, Card)]
    return replace(
        card,
        state=CardState.DEPLOYING,
        grants=(Grant(by="ben", at=desk.clock.now()),),
        operation="op1",
    )


def test_a_thread_from_elsewhere_gets_one_message_and_all_else_hangs_below_it(desk: Desk) -> None:
    desk.asked()

    desk.deliver()

    root, *below = desk.messages()
    assert "Eve asked over the API" in root["text"]
    assert {message["thread_ts"] for message in below} == {root["ts"]}
    assert [message.get("subtype") for message in below] == ["thread_broadcast", None]


def test_a_thread_from_slack_is_told_where_it_began(desk: Desk, server: WorkspaceServer) -> None:
    ts = _say(server, "U0EVE", "C0DEPLOYS", "deploy backend to production")
    desk.asked_in("C0DEPLOYS", ts)

    desk.deliver()

    said, *below = desk.messages()
    assert said["ts"] == ts
    assert {message["thread_ts"] for message in below} == {ts}
    assert below[0]["subtype"] == "thread_broadcast"


def test_a_request_from_direct_messages_is_shown_to_those_who_may_approve(
    desk: Desk, server: WorkspaceServer
) -> None:
    direct = server.workspace.conversations.direct("U0EVE").id
    ts = _say(server, "U0EVE", direct, "deploy backend to production")
    desk.asked_in(direct, ts)

    desk.deliver()
    desk.story.approves()
    desk.deliver()

    (shown,) = desk.messages()
    assert "Approved by Ben" in _text(shown)
    assert all(message["thread_ts"] == ts for message in desk.messages(direct)[1:])


def test_delivering_again_does_nothing(desk: Desk) -> None:
    desk.asked()

    for _ in range(3):
        desk.deliver()

    assert len(desk.calls("chat.postMessage")) == 3
    assert desk.calls("chat.update") == []


def test_one_card_lives_through_the_whole_deploy(desk: Desk) -> None:
    desk.asked()
    desk.deliver()
    open_card = desk.cards()

    desk.story.approves()
    desk.clock.passes(seconds=2)
    desk.deliver()

    (card,) = desk.cards()
    assert card["ts"] == open_card[0]["ts"]
    assert "approve" in _text(open_card[0])
    assert "action_id" not in _text(card)
    assert "Approved by Ben" in _text(card)
    assert "`switch` 0.1 s" in _text(card)
    assert "is live on production" in _text(desk.messages()[0])


def test_a_finished_card_keeps_its_steps_when_the_progress_is_forgotten(desk: Desk) -> None:
    desk.asked()
    desk.story.approves()
    desk.deliver()
    before = desk.cards()

    after_a_day = replace(desk.channel(), progress=defaultdict(tuple).__getitem__)
    after_a_day.deliver(desk.story.thread, desk.story.told, desk.noted, desk.noted.__setitem__)

    assert desk.cards() == before


def test_every_message_finds_its_thread(desk: Desk) -> None:
    desk.asked()

    desk.deliver()

    assert desk.aliases == {f"slack:C0DEPLOYS:{m['ts']}": "t1" for m in desk.messages()}
    payloads = [message["metadata"]["event_payload"] for message in desk.messages()]
    assert [payload["key"] for payload in payloads] == ["opening", "card:r1", "card:r1:detail"]
    assert {payload["thread"] for payload in payloads} == {"t1"}


@pytest.mark.parametrize("call", [1, 2, 3])
def test_a_message_that_slack_took_unsaid_is_found_and_not_posted_twice(
    desk: Desk, call: int
) -> None:
    desk.asked()
    for _ in range(call - 1):
        desk.fails("chat.postMessage", "delay", seconds=0)
    desk.fails("chat.postMessage", "drop_after")

    with pytest.raises(UnsureCallError) as lost:
        desk.deliver()
    desk.deliver()

    assert lost.value.retry_after is not None
    keys = [message["metadata"]["event_payload"]["key"] for message in desk.messages()]
    assert keys == ["opening", "card:r1", "card:r1:detail"]
    assert len(desk.aliases) == 3


def test_a_message_that_slack_took_unsaid_is_found_though_its_thread_has_gone_on(
    desk: Desk,
) -> None:
    desk.asked()
    desk.fails("chat.postMessage", "drop_after")
    with pytest.raises(UnsureCallError):
        desk.deliver()
    drawn_at = desk.story.thread.head

    desk.story.approves(by="eve")  # refused, and kept
    desk.deliver()

    payloads = [message["metadata"]["event_payload"] for message in desk.messages()]
    assert [payload["key"] for payload in payloads] == ["opening", "card:r1", "card:r1:detail"]
    assert drawn_at not in {payload["head"] for payload in payloads}


def test_every_message_says_where_its_thread_stood_when_it_was_drawn(desk: Desk) -> None:
    desk.asked()
    desk.deliver()
    asked = desk.story.thread.head

    desk.story.approves()
    desk.clock.passes(seconds=2)
    desk.deliver()

    heads = {
        message["metadata"]["event_payload"]["key"]: message["metadata"]["event_payload"]["head"]
        for message in desk.messages()
    }
    assert heads["card:r1:detail"] == asked
    assert heads["card:r1"] == heads["opening"] == desk.story.thread.head


def test_a_message_that_was_never_taken_is_posted_again(desk: Desk) -> None:
    desk.asked()
    desk.fails("chat.postMessage", "drop_before")

    with pytest.raises(UnsureCallError):
        desk.deliver()
    again = desk.deliver()

    assert len(desk.messages()) == 3
    assert again == pytest.approx(30, abs=1), "the first try may still come to pass"


def test_a_worker_that_dies_between_posting_and_noting_posts_nothing_twice(desk: Desk) -> None:
    desk.asked()

    def dies(key: str, value: str) -> None:
        if '"ts"' in value:
            raise SystemError("killed")
        desk.noted[key] = value

    with pytest.raises(SystemError):
        desk.deliver(note=dies)
    desk.deliver()

    assert len(desk.messages()) == 3


def test_slack_is_left_alone_for_as_long_as_it_asks(desk: Desk) -> None:
    desk.asked()
    desk.fails("chat.postMessage", "ratelimit", seconds=7)

    with pytest.raises(DeliveryError) as limited:
        desk.deliver()
    desk.deliver()

    assert limited.value.retry_after == 7
    assert len(desk.messages()) == 3
    assert desk.calls("conversations.history") == [], "a plain no leaves nothing to look for"


@pytest.mark.parametrize("kind", ["status", "error"])
def test_a_failing_slack_is_tried_again(desk: Desk, kind: str) -> None:
    desk.asked()
    desk.fails("chat.postMessage", kind)

    with pytest.raises(UnsureCallError) as failed:
        desk.deliver()
    desk.deliver()

    assert failed.value.retry_after is not None
    assert len(desk.messages()) == 3


def test_a_slow_slack_is_given_up_and_looked_up_later(desk: Desk) -> None:
    desk.asked()
    desk.timeout = 1
    desk.fails("chat.postMessage", "delay", seconds=1.5)

    with pytest.raises(UnsureCallError):
        desk.deliver()
    desk.timeout = 5
    wait_until(desk.messages)
    desk.deliver()

    assert len(desk.messages()) == 3


@pytest.mark.parametrize(
    ("changes", "code", "says"),
    [
        ({"where": "C0OTHER"}, "not_in_channel", "invite it there"),
        ({"where": "C0NOBODY"}, "channel_not_found", "invite the bot or correct its id"),
        ({"where": "C0OLD"}, "is_archived", "name another one"),
        ({"token": "xoxb-wrong"}, "invalid_auth", "check SLACK_BOT_TOKEN"),
    ],
)
def test_what_slack_refuses_for_good_is_for_the_operator(
    desk: Desk, changes: dict[str, str], code: str, says: str
) -> None:
    desk.asked()
    for name, value in changes.items():
        setattr(desk, name, value)

    with pytest.raises(RefusedCallError) as refused:
        desk.deliver()

    assert refused.value.retry_after is None
    assert refused.value.code == code
    assert says in str(refused.value)
    assert "xoxb" not in str(refused.value)


@pytest.mark.parametrize("error", ["missing_scope", "token_revoked", "new_error"])
def test_other_refusals_are_final_as_well(desk: Desk, error: str) -> None:
    desk.asked()
    desk.fails("chat.postMessage", "error", error=error)

    with pytest.raises(RefusedCallError, match=error) as refused:
        desk.deliver()

    assert refused.value.retry_after is None


REFUSING = {
    "C0OLD": "it is archived",
    "C0OTHER": "I am not in it",
    "C0NOBODY": "I am not in it",
}


@pytest.mark.parametrize("channel", REFUSING)
def test_where_slack_takes_nothing_the_thread_goes_on_in_the_channel_of_the_file(
    desk: Desk, channel: str
) -> None:
    desk.asked_in(channel, "1700000000.000100")

    for _ in range(2):
        desk.deliver()

    said, card, detail = desk.messages()
    assert f"This began in <#{channel}>, where I cannot write: {REFUSING[channel]}." in said["text"]
    assert {card["thread_ts"], detail["thread_ts"]} == {said["ts"]}
    assert "approve" in _text(card)


def test_what_waits_is_shown_again_when_its_channel_is_archived(
    desk: Desk, server: WorkspaceServer
) -> None:
    ts = _say(server, "U0EVE", "C0SECOND", "deploy backend to production")
    desk.asked_in("C0SECOND", ts)
    desk.deliver()
    assert desk.messages() == []
    server.workspace.conversations.by_id["C0SECOND"].archived = True

    desk.story.approves()
    desk.deliver()

    said, card, *_ = desk.messages()
    assert "it is archived. It goes on here" in said["text"]
    assert "Approved by Ben" in _text(card)


def test_a_channel_that_refuses_everywhere_is_for_the_operator(desk: Desk) -> None:
    desk.where = "C0OTHER"
    desk.asked_in("C0OLD", "1700000000.000100")

    with pytest.raises(RefusedCallError) as refused:
        desk.deliver()

    assert refused.value.code == "not_in_channel"


@pytest.mark.parametrize("call", [1, 2])
def test_what_slack_finds_too_long_is_told_in_short_with_the_way_to_the_whole(
    desk: Desk, call: int
) -> None:
    desk.asked()
    for _ in range(call - 1):
        desk.fails("chat.postMessage", "delay", seconds=0)
    desk.fails("chat.postMessage", "error", error="msg_too_long")

    desk.deliver()

    short = desk.messages()[call - 1]
    assert "Read it all on <https://bot.example/threads/t1|the thread's page>" in _text(short)
    if call == 2:
        assert '"approve"' in _text(short), "it can still be answered"
    desk.story.approves()
    desk.clock.passes(seconds=2)
    desk.deliver()
    assert "Approved by Ben" in _text(desk.cards()[0])


@pytest.mark.parametrize("error", ["token_revoked", "missing_scope", "account_inactive"])
def test_a_whisper_waits_while_slack_refuses_the_bot_itself(desk: Desk, error: str) -> None:
    desk.asked()
    request = desk.story.request
    desk.story.denies("not today")
    words = _late_click(desk, request.id, request.digest)
    desk.fails("chat.postEphemeral", "error", error=error)

    with pytest.raises(RefusedCallError, match=error):
        desk.deliver()
    desk.deliver()

    told = [call["args"]["text"] for call in desk.calls("chat.postEphemeral")]
    assert told == [words, words], "refused once, and told once"


def test_a_burst_is_told_at_once_and_then_one_message_a_second(desk: Desk) -> None:
    desk.asked()
    desk.pacing = Pacing(burst=2)

    with pytest.raises(DeliveryError) as early:
        desk.deliver()
    told = len(desk.messages())
    desk.clock.passes(seconds=early.value.retry_after or 0)
    desk.deliver()

    assert told == 2
    assert early.value.retry_after == pytest.approx(1, abs=0.1)
    assert len(desk.messages()) == 3


def test_steps_are_shown_at_most_once_a_second_and_the_last_one_always(desk: Desk) -> None:
    desk.asked()
    desk.deliver()
    running = _running_card(desk)
    for number in range(5):
        entry = {"kind": "step", "name": f"step {number}", "ok": True, "seconds": 1.0}
        desk.story.store.report("op1", entry)
        if number == 0:
            desk.deliver(only=(running,))
            continue
        with pytest.raises(DeliveryError) as later:
            desk.deliver(only=(running,))
        assert later.value.retry_after is not None
        assert 0 < later.value.retry_after <= 1

    desk.clock.passes(seconds=1)
    desk.deliver(only=(running,))

    assert "step 4" in _text(desk.cards()[0])
    assert len(desk.calls("chat.update")) == 2


def test_a_deleted_card_is_posted_anew(desk: Desk, server: WorkspaceServer) -> None:
    desk.asked()
    desk.deliver()
    client = slack_client(TOKEN, f"{server.url}/api/")
    client.chat_delete(channel="C0DEPLOYS", ts=desk.cards()[0]["ts"])

    desk.story.approves()
    desk.clock.passes(seconds=2)
    desk.deliver()

    (card,) = desk.cards()
    assert "Approved by Ben" in _text(card)


def test_a_thread_whose_first_message_is_gone_goes_on_below_a_new_one(desk: Desk) -> None:
    desk.asked()
    desk.deliver()
    desk.fails("chat.postMessage", "error", error="thread_not_found")

    desk.story.model_will(DoneForNow(message="Never mind.")).person_says("stop", by="eve")
    desk.clock.passes(seconds=2)
    desk.deliver()
    desk.story.model_will(DoneForNow(message="Still done.")).person_says("really?", by="eve")
    desk.clock.passes(seconds=2)
    desk.deliver()

    alone, after = desk.messages()[-2:]
    assert alone["thread_ts"] == alone["ts"], "it is the head of a thread of its own"
    assert after["thread_ts"] == alone["ts"]


def test_a_refused_click_is_told_to_that_person_alone_where_the_card_is_seen(desk: Desk) -> None:
    desk.asked()
    request = desk.story.request
    desk.story.denies("backend first?")
    answer = _late_click(desk, request.id, request.digest)
    desk.deliver()
    desk.deliver()

    whispers = desk.calls("chat.postEphemeral")
    assert len(whispers) == 1
    body = whispers[0]["args"]
    assert body["user"] == "U0ANN"
    assert body["text"] == answer
    assert "thread_ts" not in body


def test_somebody_who_cannot_be_whispered_to_holds_nothing_up(desk: Desk) -> None:
    desk.asked()
    request = desk.story.request
    desk.story.denies("backend first?")
    _late_click(desk, request.id, request.digest)
    desk.fails("chat.postEphemeral", "error", error="user_not_in_channel")

    desk.deliver()
    desk.deliver()

    assert len(desk.calls("chat.postEphemeral")) == 1


def test_a_question_shows_its_answer_afterwards(desk: Desk) -> None:
    ask = RequestHumanInput(question="Ship it?", format="yes_no")
    desk.story.model_will(ask).person_says("hm", by="eve")
    desk.deliver()
    asked = desk.messages()[1]

    question = desk.story.thread.standing.question
    assert question is not None
    desk.story.inbox.answer_question("t1", question.question_id, "Yes", by="ann", delivery="d")
    desk.deliver()

    assert "choose:0" in _text(asked)
    answered = desk.messages()[1]
    assert answered["ts"] == asked["ts"]
    assert "Ann answered:" in _text(answered)


def test_the_manifest_asks_for_what_these_tests_needed_and_no_more() -> None:
    asked = manifest("https://bot.example/")

    assert asked["oauth_config"]["scopes"]["bot"] == list(SETTINGS.scopes)
    assert asked["settings"]["event_subscriptions"] == {
        "request_url": "https://bot.example/slack/events",
        "bot_events": list(SETTINGS.events),
    }
    assert asked["settings"]["interactivity"]["request_url"].endswith("/slack/events")
    assert asked["settings"]["socket_mode_enabled"] is False


def test_without_an_address_the_manifest_turns_to_socket_mode() -> None:
    settings = manifest(None)["settings"]

    assert settings["socket_mode_enabled"] is True
    assert "request_url" not in json.dumps(settings)


def test_links_are_never_unfurled(desk: Desk) -> None:
    desk.asked("see https://evil.example")

    desk.deliver()

    for call in desk.calls("chat.postMessage"):
        assert call["args"]["unfurl_links"] in (False, "0", "false")
        assert call["args"]["unfurl_media"] in (False, "0", "false")
