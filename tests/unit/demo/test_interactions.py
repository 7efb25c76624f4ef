"""Clicks, modals and response addresses, as Slack sends and takes them."""

import json

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.webhook import WebhookClient

from deploybot.demo.workspace import Workspace
from deploybot.demo.workspace.errors import SlackError


def posted(client, card, **more):
    return client.chat_postMessage(channel="C0DEPLOYS", text="card", blocks=card, **more)["ts"]


def click(people, ts, user="ann", action="approve", **more):
    return people.does(user, "click", channel="C0DEPLOYS", ts=ts, action_id=action, **more)


def opens(client, modal, receiver, kind="block_actions"):
    opened = []

    def handle(payload):
        answer = client.views_open(trigger_id=payload["trigger_id"], view=modal)
        opened.append(answer["view"]["id"])

    receiver.handlers[kind] = handle
    return opened


def test_a_click_tells_who_clicked_what_where(client, people, receiver, card):
    ts = posted(client, card, thread_ts=None)

    answer = click(people, ts, "ben", "deny")

    payload = receiver.of("block_actions")[0]["payload"]
    assert answer["deliveries"][0]["status"] == 200
    assert payload["user"]["id"] == "U0BEN"
    assert payload["team"] == {"id": "T0HARBOUR", "domain": "harbour"}
    assert payload["container"] == {
        "type": "message",
        "message_ts": ts,
        "channel_id": "C0DEPLOYS",
        "is_ephemeral": False,
    }
    assert payload["message"]["blocks"][0]["text"]["text"] == "Deploy backend to production?"
    action = payload["actions"][0]
    assert (action["action_id"], action["block_id"], action["value"], action["type"]) == (
        "deny",
        "decision",
        "req-1",
        "button",
    )
    assert payload["response_url"].startswith("http://127.0.0.1:")


def test_a_click_on_what_is_not_there_any_more_is_refused(client, people, card):
    ts = posted(client, card)
    body = {"channel": "C0DEPLOYS", "ts": ts, "action_id": "approve"}

    client.chat_update(channel="C0DEPLOYS", ts=ts, text="Approved")

    assert people("POST", "/_human/ann/click", body)[0] == 409
    assert people("POST", "/_human/ann/click", {**body, "ts": "1.0"})[0] == 409
    assert people("POST", "/_human/eve/click", {**body, "channel": "C0FEW"})[0] == 409


def test_a_choice_in_a_message_carries_the_option(client, people, receiver):
    options = [
        {"text": {"type": "plain_text", "text": name}, "value": name} for name in ("one", "two")
    ]
    blocks = [
        {
            "type": "actions",
            "block_id": "b",
            "elements": [{"type": "static_select", "action_id": "pick", "options": options}],
        }
    ]
    ts = posted(client, blocks)

    click(people, ts, action="pick", value="two")

    action = receiver.of("block_actions")[0]["payload"]["actions"][0]
    assert action["selected_option"] == options[1]
    wrong = {"channel": "C0DEPLOYS", "ts": ts, "action_id": "pick", "value": "three"}
    assert people("POST", "/_human/ann/click", wrong)[0] == 409


def test_a_modal_is_opened_filled_and_submitted(client, people, receiver, card, modal):
    opened = opens(client, modal, receiver)
    click(people, posted(client, card), action="deny")

    early = people.does("ann", "submit", view_id=opened[0], values={})
    done = people.does(
        "ann", "submit", view_id=opened[0], values={"text": "backend first", "next": "backend"}
    )

    assert early["outcome"] == "invalid"
    assert list(early["errors"]) == ["reason"]
    assert done["outcome"] == "closed"
    payload = receiver.of("view_submission")[0]["payload"]
    assert payload["view"]["private_metadata"] == "req-1"
    assert payload["view"]["callback_id"] == "deny_reason"
    values = payload["view"]["state"]["values"]
    assert values["reason"]["text"] == {"type": "plain_text_input", "value": "backend first"}
    assert values["next"]["next"]["selected_option"]["value"] == "backend"
    assert len(receiver.of("view_submission")) == 1


def test_the_bot_may_refuse_update_or_push(client, people, receiver, card, modal):
    opened = opens(client, modal, receiver)
    click(people, posted(client, card), action="deny")
    filled = {"view_id": opened[0], "values": {"text": "no"}}
    update = {**modal, "blocks": [{"type": "divider"}]}

    receiver.answers["view_submission"] = (
        200,
        '{"response_action":"errors","errors":{"reason":"Longer, please"}}',
    )
    refused = people.does("ann", "submit", **filled)
    receiver.answers["view_submission"] = (500, "")
    failed = people.does("ann", "submit", **filled)
    receiver.answers["view_submission"] = (
        200,
        json.dumps({"response_action": "push", "view": modal}),
    )
    pushed = people.does("ann", "submit", **filled)
    receiver.answers["view_submission"] = (
        200,
        json.dumps({"response_action": "update", "view": update}),
    )
    updated = people.does("ann", "submit", **filled)

    assert (refused["outcome"], refused["errors"]) == ("errors", {"reason": "Longer, please"})
    assert failed["outcome"] == "failed"
    assert pushed["outcome"] == "pushed"
    assert updated["outcome"] == "updated"
    stack = people("GET", "/_control/views")[1]["stacks"]["U0ANN"]
    assert [view["blocks"][0]["type"] for view in stack] == ["divider", "input"]
    assert stack[1]["previous_view_id"] == stack[0]["id"]


def test_a_closed_modal_is_told_when_the_view_asks_for_it(client, people, receiver, card, modal):
    opened = opens(client, modal, receiver)
    click(people, posted(client, card), action="deny")

    people.does("ann", "close", view_id=opened[0])

    assert receiver.of("view_closed")[0]["payload"]["view"]["id"] == opened[0]
    assert people("POST", "/_human/ann/close", {"view_id": opened[0]})[0] == 409


def test_a_trigger_is_good_once_and_for_three_seconds(settings, modal):
    clock = [1000.0]
    workspace = Workspace(settings, lambda: clock[0])
    good, late = workspace.views.trigger("U0ANN"), workspace.views.trigger("U0ANN")

    clock[0] += 2.9
    workspace.views.open(good, modal)
    with pytest.raises(SlackError, match="exchanged_trigger_id"):
        workspace.views.open(good, modal)
    clock[0] += 0.2
    with pytest.raises(SlackError, match="expired_trigger_id"):
        workspace.views.open(late, modal)
    with pytest.raises(SlackError, match="invalid_trigger_id"):
        workspace.views.open("1.2.3", modal)
    workspace.close()


def test_a_view_is_updated_unless_it_changed_meanwhile(client, people, receiver, card, modal):
    opened = opens(client, modal, receiver)
    click(people, posted(client, card), action="deny")
    seen = people("GET", "/_control/views")[1]["stacks"]["U0ANN"][0]["hash"]

    client.views_update(view_id=opened[0], view=modal, hash=seen)

    with pytest.raises(SlackApiError, match="hash_conflict"):
        client.views_update(view_id=opened[0], view=modal, hash=seen)
    with pytest.raises(SlackApiError, match="not_found"):
        client.views_update(view_id="V0NONE", view=modal)


def test_a_home_is_published_for_one_person(client, people):
    home = {"type": "home", "blocks": [{"type": "divider"}]}

    client.views_publish(user_id="U0ANN", view=home)

    assert people("GET", "/_human/ann/state")[1]["views"]["home"]["type"] == "home"
    assert people("GET", "/_human/ben/state")[1]["views"]["home"] is None


def test_a_response_address_answers_aside_replaces_and_ends(client, people, receiver, card):
    ts = posted(client, card)
    click(people, ts)
    webhook = WebhookClient(receiver.of("block_actions")[0]["payload"]["response_url"])

    aside = webhook.send(text="Only you", response_type="ephemeral", replace_original=False)
    webhook.send(text="Approved", replace_original=True)

    assert (aside.status_code, aside.body) == (200, "ok")
    texts = {
        message["text"]: message["only_for"]
        for message in people("GET", "/_control/messages?channel=C0DEPLOYS")[1]
    }
    assert texts == {"Only you": "U0ANN", "Approved": None}
    assert webhook.send(text="", blocks=[{"type": "nonsense"}]).status_code == 400
    webhook.send(delete_original=True)
    assert webhook.send(text="x", replace_original=True).status_code == 400
    assert webhook.send(text="one too many").status_code == 404


def test_a_click_that_is_not_answered_is_not_sent_again(client, people, receiver, card):
    receiver.answers["block_actions"] = (500, "")

    answer = click(people, posted(client, card))

    assert answer["deliveries"][0]["status"] == 500
    click(people, posted(client, card))
    assert len(receiver.of("block_actions")) == 2
