"""What a Slack user object says of its owner: whose it is, and why they may not answer."""

import pytest

from deploybot.accounts import Account, refusal_of, vouches_for
from deploybot.ports import Person

MIA = Person(id="mia", name="Mia", email="Mia@shop.example")


def user(**more: object) -> dict[str, object]:
    return {"id": "U0MIA", "team_id": "T0HOME", "profile": {"email": "mia@SHOP.example"}} | more


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({}, ""),
        ({"is_restricted": True}, "account_guest"),
        ({"is_ultra_restricted": True}, "account_guest"),
        ({"is_bot": True}, "account_bot"),
        ({"is_workflow_bot": True}, "account_bot"),
        ({"id": "USLACKBOT"}, "account_bot"),
        ({"deleted": True, "is_restricted": True}, "account_closed"),
        ({"is_stranger": True}, "account_foreign"),
        ({"team_id": "T0OTHER"}, "account_foreign"),
        ({"team_id": ""}, "account_foreign"),
        ({"team_id": "E0ORG", "enterprise_user": {"teams": ["T0HOME", "T0OTHER"]}}, ""),
        ({"team_id": "E0ORG", "enterprise_user": {"teams": ["T0OTHER"]}}, "account_foreign"),
    ],
)
def test_each_reason_has_its_code(more: dict[str, object], code: str) -> None:
    refusal = refusal_of(Account.of(user(**more)), "T0HOME")

    assert (refusal.reason_code if refusal else "") == code


@pytest.mark.parametrize(
    ("more", "vouches"),
    [
        ({}, True),
        ({"is_email_confirmed": True}, True),
        ({"is_email_confirmed": False}, False),
        ({"profile": {"email": "mia@elsewhere.example"}}, False),
        ({"profile": {}}, False),
        ({"profile": None}, False),
    ],
)
def test_only_a_verified_address_vouches_for_its_person(
    more: dict[str, object], vouches: bool
) -> None:
    assert vouches_for(Account.of(user(**more)), MIA) is vouches


def test_nobody_without_an_address_is_vouched_for() -> None:
    nobody = Person(id="zoe", name="Zoe")

    assert not vouches_for(Account.of(user(profile={"email": ""})), nobody)
