from datetime import UTC, datetime, timedelta

import pytest

from deploy.locks import Hold

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def hold(**changes) -> Hold:
    values = {
        "service": "api",
        "environment": "production",
        "owner": "ann",
        "reason": "migration",
        "at": AT,
    }
    return Hold.model_validate(values | changes)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, True),
        ({"service": None}, True),
        ({"service": "web"}, False),
        ({"environment": "staging"}, False),
        ({"expires": AT + HOUR}, True),
        ({"expires": AT}, False),
        ({"expires": AT - HOUR}, False),
    ],
)
def test_a_hold_stops_what_it_covers_while_it_lasts(changes, expected):
    assert hold(**changes).stops("deploy", "api", "production", AT) is expected


def test_the_owner_of_a_hold_may_go_on_and_others_may_not():
    assert not hold().stops("deploy", "api", "production", AT, requesters=("ann",))
    assert hold().stops("deploy", "api", "production", AT, requesters=("ben",))
    assert hold().stops("roll_back", "api", "production", AT, requesters=("ben",))


def test_after_a_roll_back_nobody_deploys_and_anybody_may_go_further_back():
    made = hold(made_by="rollback", owner="ann")

    assert made.stops("deploy", "api", "production", AT, requesters=("ann",))
    assert not made.stops("roll_back", "api", "production", AT)
