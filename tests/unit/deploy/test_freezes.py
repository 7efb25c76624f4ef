import re
import tomllib
from bisect import bisect_left
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import accumulate, pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from deploy.catalog import EnvironmentTable
from deploy.freezes import DAYS, FreezeTable, active, closing, opening

ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe")
MINUTE = timedelta(minutes=1)
YEAR = 2026


def freeze(begins, ends, zone: str = "UTC", **more) -> FreezeTable:
    table = {"begins": begins, "ends": ends, "time_zone": zone, "reason": "rest"}
    return FreezeTable.model_validate(table | more)


def at(text: str, zone: str = "UTC", fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold)


def is_on(table: FreezeTable, moment: datetime) -> bool:
    return bool(active([table], moment.astimezone(UTC)))


# -- the three forms ---------------------------------------------------------------


def test_a_weekly_freeze_lasts_from_one_day_to_another():
    weekend = freeze("fri 15:00", "mon 08:00", "Europe/Berlin")

    assert not is_on(weekend, at("2026-11-20T14:59", "Europe/Berlin"))
    assert is_on(weekend, at("2026-11-20T15:00", "Europe/Berlin"))
    assert is_on(weekend, at("2026-11-22T12:00", "Europe/Berlin"))
    assert is_on(weekend, at("2026-11-23T07:59", "Europe/Berlin"))
    assert not is_on(weekend, at("2026-11-23T08:00", "Europe/Berlin"))


def test_a_weekly_freeze_may_take_all_but_an_hour_of_the_week():
    nearly = freeze("mon 10:00", "mon 09:00")

    assert is_on(nearly, at("2026-11-23T08:59"))
    assert not is_on(nearly, at("2026-11-23T09:30"))
    assert is_on(nearly, at("2026-11-23T10:00"))


def test_a_daily_freeze_passes_midnight_and_counts_by_the_day_it_begins_on():
    nights = freeze("18:00", "08:00", days=["mon", "tue"])

    assert is_on(nights, at("2026-11-23T18:00"))
    assert is_on(nights, at("2026-11-25T07:59"))
    assert not is_on(nights, at("2026-11-25T18:00"))


def test_whole_days_are_frozen_from_midnight_to_midnight():
    weekend = freeze("00:00", "24:00", days=["sat", "sun"])

    assert not is_on(weekend, at("2026-11-20T23:59"))
    assert is_on(weekend, at("2026-11-21T00:00"))
    assert is_on(weekend, at("2026-11-22T23:59"))
    assert not is_on(weekend, at("2026-11-23T00:00"))


def test_a_dated_freeze_is_read_in_its_zone():
    sale = freeze(datetime(2026, 11, 26), datetime(2026, 12, 1, 8), "America/New_York")  # noqa: DTZ001

    assert not is_on(sale, at("2026-11-26T04:59"))
    assert is_on(sale, at("2026-11-26T05:00"))
    assert is_on(sale, at("2026-12-01T12:59"))
    assert not is_on(sale, at("2026-12-01T13:00"))


def test_a_dated_freeze_with_an_offset_needs_no_zone():
    sale = freeze("2026-11-26T00:00:00+01:00", "2026-11-27T00:00:00+01:00")

    assert is_on(sale, at("2026-11-25T23:00"))
    assert not is_on(sale, at("2026-11-26T23:00"))


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"begins": "fri 15:00", "ends": "08:00"}, "both with a day"),
        ({"begins": "friday", "ends": "mon 08:00"}, "a day and a time"),
        ({"begins": "24:01", "ends": "08:00"}, "a time such as"),
        ({"begins": "08:00", "ends": "08:00"}, "for whole days say 00:00 to 24:00"),
        ({"begins": "fri 15:00", "ends": "mon 08:00", "days": ["fri"]}, "only for a freeze"),
        ({"begins": "15:00", "ends": "18:00", "time_zone": "Berlin"}, "such as Europe/Berlin"),
        ({"begins": "15:00", "ends": "18:00", "time_zone": "../etc"}, "such as Europe/Berlin"),
        ({"begins": "2026-12-02T00:00", "ends": "2026-12-01T00:00"}, "ends before it begins"),
        ({"begins": "0001-01-01T00:00", "ends": "9999-12-31T23:59"}, "of this age of the world"),
        ({"begins": "15:00", "ends": "18:00", "reason": ""}, "reason"),
    ],
)
def test_a_freeze_that_makes_no_sense_is_refused_with_the_reason(table, says):
    zone = {"time_zone": "America/New_York", "reason": "rest"}

    with pytest.raises(ValidationError, match=says):
        FreezeTable.model_validate(zone | table)


def test_a_freeze_is_the_same_after_it_was_written_down():
    for table in (
        freeze("fri 15:00", "mon 08:00"),
        freeze("18:00", "08:00", days=["mon"]),
        freeze("2026-11-26T00:00:00", "2026-12-01T08:00:00"),
    ):
        assert FreezeTable.model_validate(table.model_dump()) == table
        assert FreezeTable.model_validate_json(table.model_dump_json()) == table


def test_the_freezes_of_the_documentation_mean_something():
    text = (Path(__file__).parents[3] / "docs/policy.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"## Freeze windows\n\n```toml\n(.*?)```", text, re.DOTALL)
    table = tomllib.loads(block)["environments"]["production"]
    services = {"services": {"frontend": {}}, "approvers": ["ann", "ben"]}

    found = EnvironmentTable.model_validate(table | services).freezes

    assert len(found) == 3
    assert {freeze.time_zone for freeze in found} == {"Europe/Berlin"}


# -- openings ----------------------------------------------------------------------


def test_the_opening_is_where_no_freeze_is_left():
    weekend = freeze("fri 15:00", "mon 08:00")
    nights = freeze("18:00", "09:00")

    assert opening((weekend, nights), at("2026-11-20T16:00")) == at("2026-11-23T09:00")
    assert opening((weekend, nights), at("2026-11-20T12:00")) == at("2026-11-20T12:00")


def test_an_opening_that_never_comes_is_not_waited_for():
    assert opening((freeze("00:00", "24:00"),), at("2026-11-20T16:00")) is None


def test_the_next_closing_is_told_ahead():
    window = closing([freeze("fri 15:00", "mon 08:00", "Europe/Berlin")], at("2026-11-19T12:00"))

    assert window is not None
    assert window.told(window.begins) == "Fri 20 Nov 2026, 15:00 CET"


# -- when clocks change ------------------------------------------------------------


@cache
def changes(zone: str) -> tuple[datetime, ...]:
    """Return the minutes of a year at which clocks change, found by looking at every one."""
    start = datetime(YEAR, 1, 1, tzinfo=UTC)
    hours = [start + timedelta(hours=n) for n in range(366 * 24)]
    turned = [
        (one, other)
        for one, other in pairwise(hours)
        if one.astimezone(ZoneInfo(zone)).utcoffset()
        != other.astimezone(ZoneInfo(zone)).utcoffset()
    ]
    return tuple(
        next(
            minute
            for minute in (one + n * MINUTE for n in range(1, 61))
            if minute.astimezone(ZoneInfo(zone)).utcoffset()
            == other.astimezone(ZoneInfo(zone)).utcoffset()
        )
        for one, other in turned
    )


class Oracle:
    """Knows when a freeze is on by looking at the clock on the wall in each minute of two weeks."""

    def __init__(self, zone: str, middle: datetime) -> None:
        self.minutes = [middle + n * MINUTE for n in range(-9 * 1440, 9 * 1440)]
        self.wall = [m.astimezone(ZoneInfo(zone)).replace(tzinfo=None) for m in self.minutes]
        self.reached = list(accumulate(self.wall, max))
        self.to_come = list(accumulate(reversed(self.wall), min))[::-1]

    def frozen(self, begins: str, ends: str, days: tuple[str, ...] = ()) -> set[datetime]:
        """Return the frozen minutes: on since the wall first showed a begin, till it last shows before the end."""
        found: set[datetime] = set()
        for day in sorted({wall.date() for wall in self.wall}):
            begin = self._on(day, begins, days)
            if begin is None:
                continue
            end = self._end(begin, ends)
            since, until = bisect_left(self.reached, begin), bisect_left(self.to_come, end)
            found.update(self.minutes[since:until])
        return found

    def _on(self, day, begins: str, days: tuple[str, ...]) -> datetime | None:
        name, _, clock = begins.rpartition(" ")
        wanted = (name,) if name else days or DAYS
        hours, minutes = map(int, clock.split(":"))
        midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001
        is_due = DAYS[day.weekday()] in wanted
        return midnight + timedelta(hours=hours, minutes=minutes) if is_due else None

    def _end(self, begin: datetime, ends: str) -> datetime:
        name, _, clock = ends.rpartition(" ")
        hours, minutes = map(int, clock.split(":"))
        end = begin.replace(hour=0, minute=0) + timedelta(hours=hours, minutes=minutes)
        while end <= begin or (name and DAYS[end.weekday()] != name):
            end += timedelta(days=1)
        return end


ORACLES = {(zone, change): Oracle(zone, change) for zone in ZONES for change in changes(zone)}
clocks = st.builds("{:02d}:{:02d}".format, st.integers(0, 23), st.sampled_from((0, 15, 30, 59)))
"""Many of them fall into the hours that are missing, or come twice."""
near_two = st.builds("{:02d}:{:02d}".format, st.integers(1, 3), st.integers(0, 59))
times = clocks | near_two


def test_clocks_change_twice_a_year_in_each_zone():
    assert [len(changes(zone)) for zone in ZONES] == [2, 2, 2]
    wall = [changes(ZONES[2])[n].astimezone(ZoneInfo(ZONES[2])).utcoffset() for n in (0, 1)]
    assert abs(wall[0] - wall[1]) == timedelta(minutes=30)


@pytest.mark.parametrize(("zone", "change"), ORACLES, ids=lambda value: f"{value}"[:16])
@settings(max_examples=15, deadline=None, phases=(Phase.generate,))
@given(data=st.data())
def test_every_minute_around_a_change_of_clocks_is_as_the_wall_says(zone, change, data):
    begins, ends = data.draw(times), data.draw(times)
    weekly = data.draw(st.booleans())
    days = data.draw(st.lists(st.sampled_from(DAYS), unique=True, max_size=3))
    if weekly:
        turned = change.astimezone(ZoneInfo(zone)).weekday()
        day = st.sampled_from((DAYS[turned], DAYS[turned - 1], *DAYS))
        begins, ends, days = f"{data.draw(day)} {begins}", f"{data.draw(day)} {ends}", []
    if begins == ends:
        return
    oracle = ORACLES[zone, change]
    expected = oracle.frozen(begins, ends, tuple(days))

    table = freeze(begins, ends, zone, days=days)

    looked_at = [change + n * MINUTE for n in range(-240, 240)]
    looked_at += [change + n * 61 * MINUTE for n in range(-30, 30)]
    told = {minute for minute in looked_at if is_on(table, minute)}
    assert told == expected & set(looked_at)


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("index", [0, 1])
def test_an_opening_is_the_first_minute_that_is_not_frozen(zone, index):
    change = changes(zone)[index]
    table = freeze("sat 20:00", "mon 02:30", zone)
    expected = ORACLES[zone, change].frozen("sat 20:00", "mon 02:30")

    found = opening((table,), change)

    assert change in expected
    assert found is not None
    assert found not in expected
    assert found - MINUTE in expected


def test_an_hour_that_comes_twice_is_frozen_once_and_to_its_end():
    zone = "Europe/Berlin"
    night = freeze("02:30", "02:45", zone)

    assert is_on(night, at("2026-10-25T02:30", zone))
    assert is_on(night, at("2026-10-25T02:00", zone, fold=1))
    assert is_on(night, at("2026-10-25T02:44", zone, fold=1))
    assert not is_on(night, at("2026-10-25T02:45", zone, fold=1))


def test_a_time_that_never_comes_is_the_moment_of_the_change():
    zone = "Europe/Berlin"

    assert is_on(freeze("02:30", "04:00", zone), at("2026-03-29T03:00", zone))
    assert not is_on(freeze("01:00", "02:30", zone), at("2026-03-29T03:00", zone))
    assert is_on(freeze("01:00", "02:30", zone), at("2026-03-29T01:59", zone))
