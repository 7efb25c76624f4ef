"""When mail stands in for Slack: at once where it refuses, after minutes where it only fails."""

from datetime import datetime, timedelta

from fakes import NOON

from deploybot.errors import DeliveryError
from deploybot.fallback import DOWN, PATIENCE, instead, well_again
from deploybot.mail import REACH
from deploybot.outbound.slack_calls import RefusedCallError, UnsureCallError

REFUSED = RefusedCallError("Slack refused it.", "token_revoked")
SILENT = UnsureCallError("Slack did not answer.", retry_after=2)
BUSY = DeliveryError("Slack asks to wait 3 s.", retry_after=3)
MAILED = f"email:{REACH}"


def notes(error: DeliveryError, noted: dict[str, str], after: timedelta = timedelta()) -> set[str]:
    return set(instead("slack", error, noted, NOON + after))


def test_what_slack_refuses_is_told_by_mail_at_once() -> None:
    assert notes(REFUSED, {}) == {DOWN, MAILED}


def test_a_slack_that_fails_is_waited_for_and_then_not_any_more() -> None:
    down = instead("slack", SILENT, {}, NOON)

    assert set(down) == {DOWN}
    assert datetime.fromisoformat(down[DOWN]) == NOON
    assert notes(SILENT, down, PATIENCE - timedelta(seconds=1)) == set()
    assert notes(SILENT, down, PATIENCE) == {MAILED}


def test_being_asked_to_wait_is_no_failure() -> None:
    assert notes(BUSY, {}) == set()
    assert instead("email", SILENT, {}, NOON) == {}


def test_once_it_is_well_the_minutes_are_counted_anew() -> None:
    down = instead("slack", SILENT, {}, NOON)

    again = well_again("slack", down)

    assert again == {DOWN: ""}
    assert notes(SILENT, down | again, PATIENCE) == {DOWN}
    assert well_again("slack", {}) == {}


def test_it_is_noted_once() -> None:
    first = instead("slack", REFUSED, {}, NOON)

    assert instead("slack", REFUSED, first, NOON + PATIENCE) == {}
