"""Lengths of time as people type them."""

import pytest
import typer

from deploybot.cli.durations import seconds_of


@pytest.mark.parametrize(
    ("typed", "seconds"),
    [("90s", 90), ("30m", 1800), ("2h", 7200), ("1d", 86400), ("2h30m", 9000), ("2h 30m", 9000)],
)
def test_a_length_of_time_is_read(typed, seconds):
    assert seconds_of(typed) == seconds


@pytest.mark.parametrize(
    "typed", ["", "0s", "2", "h", "two hours", "-1h", "1.5h", "999999d", "1h2d"]
)
def test_what_is_none_is_refused_with_the_form(typed):
    with pytest.raises(typer.BadParameter, match="90s, 30m, 2h or 1d"):
        seconds_of(typed)
