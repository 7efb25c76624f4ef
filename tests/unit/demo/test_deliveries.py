"""What the bot is sent: signed, in Slack's shapes, and again when it does not answer."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from deploybot.demo.workspace import WorkspaceServer
from deploybot.demo.workspace.courier import signature


def test_the_signature_is_the_one_of_slacks_documentation():
    body = (
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow"
        b"&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner"
        b"&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands"
        b"%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
        b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    )

    signed = signature("8f742231b10e8888abcd99yyyzzz85a5", "1531420618", body)

    assert signed == "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"


def test_a_mention_is_delivered_as_mention_and_as_message(people, receiver):
    answer = people.does("ann", "say", channel="C0DEPLOYS", text="@deploybot what's live?")

    mention = receiver.of("app_mention")[0]["payload"]
    message = receiver.of("message")[0]["payload"]
    assert mention["type"] == "event_callback"
    assert mention["event"]["text"] == "<@U0DEPLOYBOT> what's live?"
    assert mention["event"]["user"] == "U0ANN"
    assert mention["event"]["ts"] == message["event"]["ts"] == answer["ts"]
    assert mention["event_id"] != message["event_id"]
    assert mention["authorizations"][0]["user_id"] == "U0DEPLOYBOT"
    assert message["event"]["channel_type"] == "channel"
    assert message["event"]["blocks"][0]["elements"][0]["elements"][0] == {
        "type": "user",
        "user_id": "U0DEPLOYBOT",
    }
    assert [delivery["status"] for delivery in answer["deliveries"]] == [200, 200]
    assert all(delivery["ms"] < 1000 for delivery in answer["deliveries"])
    assert receiver.forged == 0


def test_words_without_a_mention_are_a_message_only(people, receiver):
    people.does("ann", "say", channel="C0DEPLOYS", text="a <b> & @nobody #deploys ben@deploybot.io")

    assert receiver.of("app_mention") == []
    text = receiver.of("message")[0]["payload"]["event"]["text"]
    assert text == "a &lt;b&gt; &amp; @nobody <#C0DEPLOYS|> ben@deploybot.io"


def test_a_direct_message_and_a_reply_say_where_they_stand(people, receiver):
    people.does("ann", "say", channel="D0ANN", text="psst")
    root = people.does("ben", "say", channel="C0DEPLOYS", text="root")["ts"]

    people.does("ann", "say", channel="C0DEPLOYS", text="reply", thread_ts=root)

    direct, _, reply = [entry["payload"]["event"] for entry in receiver.of("message")]
    assert (direct["channel"], direct["channel_type"]) == ("D0ANN", "im")
    assert (reply["thread_ts"], reply["parent_user_id"]) == (root, "U0BEN")


def test_a_channel_without_the_bot_is_not_heard(people, receiver):
    answer = people.does("ann", "say", channel="C0QUIET", text="@deploybot hello?")

    assert answer["deliveries"] == []
    assert receiver.got == []


def test_the_bots_own_words_come_back_to_it(client, receiver):
    client.chat_postMessage(channel="C0DEPLOYS", text="I am here")

    event = receiver.wait("message")[0]["payload"]["event"]
    assert event["bot_id"] == "B0DEPLOYBOT"


def test_edits_and_deletions_are_told(people, receiver):
    ts = people.does("ann", "say", channel="C0DEPLOYS", text="ship it")["ts"]

    people.does("ann", "edit", channel="C0DEPLOYS", ts=ts, text="do not ship it")
    people.does("ann", "delete", channel="C0DEPLOYS", ts=ts)

    _, changed, deleted = [entry["payload"]["event"] for entry in receiver.of("message")]
    assert changed["subtype"] == "message_changed"
    assert changed["message"]["text"] == "do not ship it"
    assert changed["message"]["edited"]["user"] == "U0ANN"
    assert changed["previous_message"]["text"] == "ship it"
    assert (deleted["subtype"], deleted["deleted_ts"]) == ("message_deleted", ts)


def test_nobody_edits_what_another_said(people):
    ts = people.does("ann", "say", channel="C0DEPLOYS", text="mine")["ts"]

    status, answer = people(
        "POST", "/_human/ben/edit", {"channel": "C0DEPLOYS", "ts": ts, "text": "yours"}
    )

    assert status == 409
    assert "not a message of ben" in answer["error"]


@pytest.mark.parametrize("user", ["gone", "U0NOBODY"])
def test_who_is_not_there_cannot_speak(people, user):
    body = {"channel": "C0DEPLOYS", "text": "x"}

    assert people("POST", f"/_human/{user}/say", body)[0] == 409


def test_an_event_that_failed_comes_again_with_slacks_retry_headers(people, receiver):
    receiver.answers["message"] = (500, "")

    people.does("ann", "say", channel="C0DEPLOYS", text="x")

    tries = receiver.wait("message", 4)
    headers = [
        (t["headers"].get("X-Slack-Retry-Num"), t["headers"].get("X-Slack-Retry-Reason"))
        for t in tries
    ]
    assert headers == [
        (None, None),
        ("1", "http_error"),
        ("2", "http_error"),
        ("3", "http_error"),
    ]
    assert len({t["payload"]["event_id"] for t in tries}) == 1


def test_an_event_that_was_answered_too_late_comes_again(people, receiver):
    receiver.stall["message"] = threading.Event()

    answer = people.does("ann", "say", channel="C0DEPLOYS", text="x")["deliveries"][0]

    assert (answer["status"], answer["error"]) == (None, "http_timeout")
    again = receiver.wait("message", 2)[1]
    assert again["headers"]["X-Slack-Retry-Reason"] == "http_timeout"


def test_without_a_bot_the_words_are_kept_and_the_failure_is_told(people, server, client):
    server.workspace.bot_url = None

    answer = people.does("ann", "say", channel="C0DEPLOYS", text="anybody?")

    assert answer["deliveries"][0]["error"] == "connection_failed"
    assert client.conversations_history(channel="C0DEPLOYS")["messages"][0]["text"] == "anybody?"


def test_duplicates_and_lost_answers_on_request(people, receiver):
    people.control("events", duplicate_next=1)
    people.does("ann", "say", channel="C0DEPLOYS", text="twice")

    first, second = receiver.wait("message", 2)
    assert first["payload"] == second["payload"]

    people.control("events", forget_next=1)
    lost = people.does("ann", "say", channel="C0DEPLOYS", text="lost")["deliveries"][0]

    assert lost["error"] == "http_timeout"
    assert len(receiver.wait("message", 4)) == 4


def test_events_are_held_back_and_released(people, receiver):
    people.control("events", hold=True)
    people.does("ann", "say", channel="C0DEPLOYS", text="later")

    assert receiver.got == []
    assert people.control("events", hold=False)["released"] == 1
    assert receiver.wait("message")[0]["payload"]["event"]["text"] == "later"


def test_an_earlier_event_is_sent_once_more(people, receiver):
    people.does("ann", "say", channel="C0DEPLOYS", text="x")
    event_id = receiver.of("message")[0]["payload"]["event_id"]

    again = people.control("redeliver", event_id=event_id, attempt=2)

    assert (again["status"], again["attempt"]) == (200, 2)
    assert receiver.of("message")[1]["payload"]["event_id"] == event_id
    assert people("POST", "/_control/redeliver", {"event_id": "EvNone"})[0] == 404


def test_a_forged_request_is_sent_as_asked(people, receiver):
    forged = people.control("send", body="{}", headers={"X-Slack-Signature": "v0=00"})

    assert forged["status"] == 401
    assert receiver.forged == 1


def test_the_bots_address_is_verified_with_a_challenge(people, receiver):
    assert people.control("bot", url=receiver.url, verify=True)["verified"] is True


def test_opening_the_home_is_told(people, receiver):
    people.does("ann", "open_home")

    assert receiver.of("app_home_opened")[0]["payload"]["event"]["user"] == "U0ANN"


def test_a_slash_command_is_answered_for_one_person(people, receiver):
    receiver.answers["/deploy"] = (200, '{"text": "On it"}')

    people.does("ann", "say", channel="C0DEPLOYS", text="/deploy backend")

    command = receiver.of("/deploy")[0]["payload"]
    assert (command["text"], command["user_id"]) == ("backend", "U0ANN")
    message = people("GET", "/_control/messages?channel=C0DEPLOYS")[1][0]
    assert (message["text"], message["only_for"]) == ("On it", "U0ANN")


def test_the_ledger_tells_both_directions_in_order(people, client, receiver):
    people.does("ann", "say", channel="C0DEPLOYS", text="x")
    client.chat_postMessage(channel="C0DEPLOYS", text="y")

    calls = people("GET", "/_control/ledger?direction=from_bot")[1]
    sent = people("GET", "/_control/ledger?direction=to_bot&name=message")[1]
    assert [call["method"] for call in calls] == ["chat.postMessage"]
    assert calls[0]["args"]["text"] == "y"
    assert calls[0]["answer"]["ok"] is True
    assert "xoxb-" not in str(calls)
    assert sent[0]["status"] == 200
    assert sent[0]["payload"]["event"]["text"] == "x"


def test_many_people_speak_at_once_and_no_timestamp_is_given_twice(people, server: WorkspaceServer):
    def speak(number: int) -> str:
        answer = people.does(("ann", "ben")[number % 2], "say", channel="C0DEPLOYS", text="x")
        return answer["ts"]

    with ThreadPoolExecutor(8) as pool:
        stamps = list(pool.map(speak, range(80)))

    assert len(set(stamps)) == 80
    assert len(server.workspace.conversations.by_id["C0DEPLOYS"].messages) == 80
