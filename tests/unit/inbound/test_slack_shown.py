"""What a click or a dialog brings back of what was shown, whatever the payload looks like."""

from typing import Any

import pytest
from slack_bot import click

from deploybot.inbound.slack_buttons import Reference
from deploybot.inbound.slack_shown import shown_in

ABOUT = Reference(thread="t1", request="r1", digest="d" * 64, head="h" * 64, environment="x")


def test_a_button_and_a_dialog_bring_back_what_they_carry() -> None:
    pressed = click({"action_id": "approve", "value": ABOUT.dumps()})
    sent = {"type": "view_submission", "view": {"private_metadata": ABOUT.dumps()}}

    assert shown_in(pressed) == shown_in(sent) == ABOUT


def test_what_earlier_versions_have_shown_is_read_and_written_as_they_did() -> None:
    earlier = '{"t":"t1","r":"r1","d":"abc"}'

    about = shown_in(click({"action_id": "approve", "value": earlier}))

    assert about == Reference(thread="t1", request="r1", digest="abc")
    assert about is not None
    assert about.dumps() == earlier


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"actions": []},
        {"actions": "approve"},
        {"actions": ["approve"]},
        click({"action_id": "choose:1", "value": "1"}),
        click({"action_id": "approve", "value": 7}),
        click({"action_id": "approve"}),
        {"view": None},
        {"view": {"private_metadata": "choose:t1:q1"}},
    ],
)
def test_what_is_about_no_request_says_nothing_of_one(payload: dict[str, Any]) -> None:
    assert shown_in(payload) is None
