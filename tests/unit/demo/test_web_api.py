"""Slack's own client against the workspace: what a method answers, and what it refuses."""

from http.client import HTTPConnection

import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from deploybot.demo.workspace import WorkspaceServer, WorkspaceSettings
from deploybot.demo.workspace.methods import METHODS


def refused(call, **args):
    with pytest.raises(SlackApiError) as caught:
        call(**args)
    return caught.value.response


def test_the_token_says_who_the_bot_is(client, server):
    answer = client.auth_test()

    assert answer["user_id"] == "U0DEPLOYBOT"
    assert answer["bot_id"] == "B0DEPLOYBOT"
    assert answer["url"] == f"{server.url}/"
    assert "chat:write" in answer.headers["x-oauth-scopes"]


def test_a_wrong_token_and_no_token_are_told_apart(server):
    wrong = WebClient(token="xoxb-other", base_url=f"{server.url}/api/")

    assert refused(wrong.auth_test)["error"] == "invalid_auth"

    nobody = WebClient(base_url=f"{server.url}/api/")

    assert refused(nobody.auth_test)["error"] == "not_authed"


def test_the_token_may_come_as_a_form_field(server):
    connection = HTTPConnection("127.0.0.1", server.port)
    headers = {"Content-Type": "application/x-www-form-urlencoded"}

    connection.request("POST", "/api/auth.test", "token=xoxb-workspace-test", headers)

    assert b'"ok":true' in connection.getresponse().read()
    connection.close()


def test_api_test_says_back_what_it_was_sent(client):
    assert client.api_test(foo="bar")["args"] == {"foo": "bar"}
    assert refused(client.api_test, error="nope")["error"] == "nope"


def test_an_unknown_method_is_refused(client):
    assert refused(client.api_call, api_method="chat.shout")["error"] == "unknown_method"


def test_a_message_is_posted_and_found_again(client):
    posted = client.chat_postMessage(
        channel="C0DEPLOYS",
        text="Hello",
        metadata={"event_type": "deploybot", "event_payload": {"thread": "t1"}},
        unfurl_links=False,
    )

    message = posted["message"]
    assert message["bot_id"] == "B0DEPLOYBOT"
    assert message["app_id"] == "A0DEPLOYBOT"
    assert message["ts"] == posted["ts"]
    bare = client.conversations_history(channel="C0DEPLOYS")["messages"][0]
    full = client.conversations_history(channel="C0DEPLOYS", include_all_metadata=True)
    assert "metadata" not in bare
    assert full["messages"][0]["metadata"]["event_payload"] == {"thread": "t1"}


def test_a_channel_may_be_named_and_a_person_be_written_to(client):
    assert client.chat_postMessage(channel="#deploys", text="x")["channel"] == "C0DEPLOYS"
    assert client.chat_postMessage(channel="U0ANN", text="x")["channel"] == "D0ANN"


@pytest.mark.parametrize(
    ("args", "error"),
    [
        ({"channel": "C0NOWHERE", "text": "x"}, "channel_not_found"),
        ({"channel": "C0SECRET", "text": "x"}, "channel_not_found"),
        ({"channel": "C0QUIET", "text": "x"}, "not_in_channel"),
        ({"channel": "C0OLD", "text": "x"}, "is_archived"),
        ({"channel": "C0DEPLOYS", "text": "x" * 40_001}, "msg_too_long"),
        ({"channel": "C0DEPLOYS", "text": "x", "thread_ts": "1.0"}, "thread_not_found"),
        ({"channel": "C0DEPLOYS", "text": "x", "metadata": {"a": 1}}, "invalid_metadata_schema"),
        ({"channel": "C0DEPLOYS", "text": "x", "blocks": "nonsense"}, "invalid_blocks_format"),
        (
            {
                "channel": "C0DEPLOYS",
                "text": "x",
                "blocks": [{"type": "markdown", "text": "x" * 7000}] * 2,
            },
            "msg_blocks_too_long",
        ),
    ],
)
def test_a_message_that_cannot_be_posted_says_why(client, args, error):
    assert refused(client.chat_postMessage, **args)["error"] == error


def test_a_thread_counts_its_replies_and_broadcasts_stand_in_the_channel(client):
    root = client.chat_postMessage(channel="C0DEPLOYS", text="root")["ts"]
    client.chat_postMessage(channel="C0DEPLOYS", text="quiet", thread_ts=root)

    loud = client.chat_postMessage(
        channel="C0DEPLOYS", text="loud", thread_ts=root, reply_broadcast=True
    )

    assert loud["message"]["subtype"] == "thread_broadcast"
    texts = [m["text"] for m in client.conversations_history(channel="C0DEPLOYS")["messages"]]
    assert texts == ["loud", "root"]
    replies = client.conversations_replies(channel="C0DEPLOYS", ts=root)["messages"]
    assert [m["text"] for m in replies] == ["root", "quiet", "loud"]
    assert replies[0]["reply_count"] == 2
    assert refused(client.conversations_replies, channel="C0DEPLOYS", ts="1.0")["error"] == (
        "thread_not_found"
    )


def test_history_comes_in_pages_newest_first(client):
    for number in range(5):
        client.chat_postMessage(channel="C0DEPLOYS", text=str(number))

    pages = [
        ([message["text"] for message in page["messages"]], page["has_more"])
        for page in client.conversations_history(channel="C0DEPLOYS", limit=2)
    ]

    assert pages == [(["4", "3"], True), (["2", "1"], True), (["0"], False)]


def test_history_between_two_timestamps(client):
    stamps = [client.chat_postMessage(channel="C0DEPLOYS", text=str(n))["ts"] for n in range(4)]

    between = client.conversations_history(
        channel="C0DEPLOYS", oldest=stamps[1], latest=stamps[3], inclusive=False
    )

    assert [message["text"] for message in between["messages"]] == ["2"]


def test_only_own_messages_can_be_changed(client, people):
    said = people.does("ann", "say", channel="C0DEPLOYS", text="hello")["ts"]
    own = client.chat_postMessage(channel="C0DEPLOYS", text="first")["ts"]

    client.chat_update(channel="C0DEPLOYS", ts=own, text="second")

    message = client.conversations_history(channel="C0DEPLOYS", limit=1)["messages"][0]
    assert (message["text"], message["edited"]["user"]) == ("second", "U0DEPLOYBOT")
    change = {"channel": "C0DEPLOYS", "text": "x"}
    assert refused(client.chat_update, ts=said, **change)["error"] == "cant_update_message"
    assert refused(client.chat_update, ts="1.000000", **change)["error"] == "message_not_found"
    change["text"] = "é" * 2001
    assert refused(client.chat_update, ts=own, **change)["error"] == "msg_too_long"

    assert refused(client.chat_delete, channel="C0DEPLOYS", ts=said)["error"] == (
        "cant_delete_message"
    )


def test_a_deleted_message_is_gone_but_its_thread_stands(client):
    alone = client.chat_postMessage(channel="C0DEPLOYS", text="alone")["ts"]
    root = client.chat_postMessage(channel="C0DEPLOYS", text="root")["ts"]
    client.chat_postMessage(channel="C0DEPLOYS", text="reply", thread_ts=root)

    client.chat_delete(channel="C0DEPLOYS", ts=alone)
    client.chat_delete(channel="C0DEPLOYS", ts=root)

    left = client.conversations_history(channel="C0DEPLOYS")["messages"]
    assert [message.get("subtype") for message in left] == ["tombstone"]
    assert refused(client.chat_delete, channel="C0DEPLOYS", ts=alone)["error"] == (
        "message_not_found"
    )


def test_an_ephemeral_message_is_no_history(client, people):
    client.chat_postEphemeral(channel="C0DEPLOYS", user="U0ANN", text="only you")

    assert client.conversations_history(channel="C0DEPLOYS")["messages"] == []
    seen = {user: people("GET", f"/_human/{user}/state")[1]["messages"] for user in ("ann", "ben")}
    assert [message["text"] for message in seen["ann"]] == ["only you"]
    assert seen["ben"] == []
    assert refused(client.chat_postEphemeral, channel="C0DEPLOYS", user="U0GONE", text="x")[
        "error"
    ] == ("user_not_in_channel")


def test_a_permalink_names_the_message_and_its_thread(client, server):
    root = client.chat_postMessage(channel="C0DEPLOYS", text="root")["ts"]
    reply = client.chat_postMessage(channel="C0DEPLOYS", text="reply", thread_ts=root)["ts"]

    link = client.chat_getPermalink(channel="C0DEPLOYS", message_ts=reply)["permalink"]

    number = reply.replace(".", "")
    assert link == f"{server.url}/archives/C0DEPLOYS/p{number}?thread_ts={root}&cid=C0DEPLOYS"


def test_channels_are_listed_as_far_as_the_bot_sees_them(client):
    public = client.conversations_list(exclude_archived=True)["channels"]
    private = client.conversations_list(types="private_channel")["channels"]

    assert [channel["name"] for channel in public] == ["deploys", "quiet"]
    assert [channel["name"] for channel in private] == ["few"]
    assert client.conversations_info(channel="C0QUIET")["channel"]["is_member"] is False
    assert refused(client.conversations_info, channel="C0SECRET")["error"] == "channel_not_found"


def test_the_bot_joins_a_public_channel(client):
    assert client.conversations_join(channel="C0QUIET")["channel"]["is_member"] is True
    assert client.conversations_join(channel="C0QUIET")["warning"] == "already_in_channel"
    assert "U0DEPLOYBOT" in client.conversations_members(channel="C0QUIET")["members"]


def test_a_direct_message_is_opened_with_one_active_person(client):
    assert client.conversations_open(users="U0BEN")["channel"]["id"] == "D0BEN"
    assert refused(client.conversations_open, users="U0NOBODY")["error"] == "user_not_found"
    assert refused(client.conversations_open, users="U0GONE")["error"] == "user_disabled"


def test_people_carry_the_flags_that_matter_for_rights(client):
    users = {user["id"]: user for user in client.users_list()["members"]}

    assert users["U0ANN"]["profile"]["email"] == "ann@harbour.test"
    assert users["U0EVE"]["is_restricted"] is True
    assert users["U0GONE"]["deleted"] is True
    assert users["U0DEPLOYBOT"]["is_bot"] is True
    assert client.users_info(user="U0BEN")["user"] == users["U0BEN"]
    assert client.users_lookupByEmail(email="Ben@harbour.test")["user"]["id"] == "U0BEN"
    assert refused(client.users_info, user="U0NOBODY")["error"] == "user_not_found"
    assert refused(client.users_lookupByEmail, email="x@x.test")["error"] == "users_not_found"


def test_groups_and_who_is_in_them(client):
    groups = client.usergroups_list(include_users=True)["usergroups"]

    assert [(group["handle"], group["users"]) for group in groups] == [
        ("shippers", ["U0ANN", "U0BEN"])
    ]
    assert client.usergroups_users_list(usergroup="S0SHIP")["users"] == ["U0ANN", "U0BEN"]
    assert refused(client.usergroups_users_list, usergroup="S0NO")["error"] == "no_such_subteam"
    assert refused(client.usergroups_users_list, usergroup="S0OFF")["error"] == "subteam_disabled"


def test_reactions_come_and_go_once(client):
    ts = client.chat_postMessage(channel="C0DEPLOYS", text="x")["ts"]
    target = {"channel": "C0DEPLOYS", "timestamp": ts, "name": "eyes"}

    client.reactions_add(**target)

    message = client.conversations_history(channel="C0DEPLOYS")["messages"][0]
    assert message["reactions"] == [{"name": "eyes", "users": ["U0DEPLOYBOT"], "count": 1}]
    assert refused(client.reactions_add, **target)["error"] == "already_reacted"
    client.reactions_remove(**target)
    assert refused(client.reactions_remove, **target)["error"] == "no_reaction"
    target["name"] = "No Emoji"
    assert refused(client.reactions_add, **target)["error"] == "invalid_name"


def test_the_team_and_the_app_say_who_they_are(client):
    assert client.team_info()["team"]["id"] == "T0HARBOUR"
    assert client.bots_info(bot="B0DEPLOYBOT")["bot"]["app_id"] == "A0DEPLOYBOT"
    assert refused(client.bots_info, bot="B0OTHER")["error"] == "bot_not_found"


def test_a_message_of_nothing_is_refused(client):
    nothing = {"channel": "C0DEPLOYS", "text": " "}

    answer = refused(client.api_call, api_method="chat.postMessage", json=nothing)

    assert answer["error"] == "no_text"


def test_a_missing_argument_is_named(client):
    answer = refused(client.api_call, api_method="chat.postMessage", json={"text": "x"})

    assert answer["error"] == "invalid_arguments"
    assert "channel" in answer["response_metadata"]["messages"][0]


def test_every_method_with_a_scope_refuses_without_it(settings):
    poor = settings.model_copy(update={"scopes": ()})
    with WorkspaceServer(poor) as server:
        client = WebClient(token=poor.bot_token, base_url=f"{server.url}/api/")
        for name, method in METHODS.items():
            if method.scopes:
                answer = refused(client.api_call, api_method=name)

                assert answer["error"] == "missing_scope"
                assert answer["needed"] == ",".join(method.scopes)


def test_a_name_nobody_has_is_refused_at_start():
    with pytest.raises(ValueError, match="U0WHO"):
        WorkspaceSettings.model_validate(
            {
                "bot_token": "xoxb-1",
                "signing_secret": "s",
                "channels": [{"id": "C1", "name": "c", "members": ["U0WHO"]}],
            }
        )
