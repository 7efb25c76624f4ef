"""Freeze windows: when an environment takes no changes, by a clock on a wall there; `policy` says to whom."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from deploy.values import Name, Person

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
LOOKS = 200
"""So many windows that follow on each other are looked through for an opening."""

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_CLOCK = re.compile(r"(?:(mon|tue|wed|thu|fri|sat|sun) )?([01][0-9]|2[0-4]):([0-5][0-9])")


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # what is not found, or is no name at all
        raise ValueError("the name of a time zone, such as Europe/Berlin") from None
    return name


def _clock(text: str) -> str:
    found = _CLOCK.fullmatch(text)
    if found is None or (found[2] == "24" and found[3] != "00"):
        raise ValueError("a time such as 18:00, a day and a time such as fri 15:00, or a date")
    return text


Clock = Annotated[str, AfterValidator(_clock)]
Zone = Annotated[str, AfterValidator(_zone)]


class FreezeTable(BaseModel):
    """One freeze: weekly (`fri 15:00` to `mon 08:00`), daily (`18:00` to `08:00`, on `days`) or dated.

    Times are those of `time_zone`. Where clocks are put back, an hour that comes twice is frozen
    from its first time on and until its second is over; where they are put forward, a time that
    never comes stands for the moment of the change.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    reason: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    begins: Clock | datetime = Field(union_mode="left_to_right")
    ends: Clock | datetime = Field(union_mode="left_to_right")
    days: tuple[Day, ...] = ()
    """On which days a daily freeze begins; every day without."""
    time_zone: Zone = "UTC"
    except_people: tuple[Person, ...] = ()
    except_services: tuple[Name, ...] = ()
    overrun_minutes: int = Field(default=0, ge=0, le=24 * 60)
    """What was asked for before the freeze may still start so long after it began."""
    also_roll_backs: bool = False

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        forms = {_form(self.begins), _form(self.ends)}
        if len(forms) > 1:
            raise ValueError("begins and ends: both with a day, both without, or both dates")
        if self.days and forms != {"daily"}:
            raise ValueError("days: only for a freeze whose begin and end are times of a day")
        if self.begins == self.ends:
            raise ValueError("it ends as it begins; for whole days say 00:00 to 24:00")
        if isinstance(self.begins, datetime) and isinstance(self.ends, datetime):
            try:
                window = next(windows(self, self.begins.date()))
            except OverflowError:
                raise ValueError("begins and ends: dates of this age of the world") from None
            if window.ends <= window.begins:
                raise ValueError("it ends before it begins")
        return self

    @property
    def zone(self) -> ZoneInfo:
        """The zone whose clocks count."""
        return ZoneInfo(self.time_zone)


@dataclass(frozen=True)
class Window:
    """One time at which a freeze is on: from `begins` until just before `ends`, both in UTC."""

    freeze: FreezeTable
    begins: datetime
    ends: datetime

    def told(self, moment: datetime) -> str:
        """Return a moment as the clocks of this freeze show it."""
        return f"{moment.astimezone(self.freeze.zone):%a %d %b %Y, %H:%M %Z}"


def active(freezes: Iterable[FreezeTable], now: datetime) -> tuple[Window, ...]:
    """Return the windows that `now` is in, the one that lasts longest first."""
    inside = (w for freeze in freezes for w in _near(freeze, now, 1) if w.begins <= now < w.ends)
    return tuple(sorted(inside, key=lambda window: window.ends, reverse=True))


def opening(freezes: tuple[FreezeTable, ...], now: datetime) -> datetime | None:
    """Return the first moment from `now` on that is in no window; None if there is none in sight."""
    for _ in range(LOOKS):
        inside = active(freezes, now)
        if not inside:
            return now
        now = inside[0].ends
    return None


def closing(freezes: Iterable[FreezeTable], now: datetime) -> Window | None:
    """Return the next window that begins after `now`, if one does within a week or is dated."""
    later = (w for freeze in freezes for w in _near(freeze, now, 8) if w.begins > now)
    return min(later, key=lambda window: window.begins, default=None)


def windows(freeze: FreezeTable, day: date) -> Iterator[Window]:
    """Yield the window that begins on a day of the freeze's zone, if one does; a dated one always."""
    begins, ends, zone = freeze.begins, freeze.ends, freeze.zone
    if isinstance(begins, datetime) and isinstance(ends, datetime):
        yield Window(freeze, _first(begins, zone), _last(ends, zone))
    if not (isinstance(begins, str) and isinstance(ends, str)):
        return
    first, start = _parsed(begins)
    last, end = _parsed(ends)
    if first is not None and last is not None:
        is_due, span = day.weekday() == first, (last - first) % 7
    else:
        is_due, span = not freeze.days or DAYS[day.weekday()] in freeze.days, 0
    if span == 0 and end <= start:
        span = 1 if first is None else 7
    if is_due:
        midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001 (a clock on a wall)
        closes = midnight + timedelta(days=span) + end
        yield Window(freeze, _first(midnight + start, zone), _last(closes, zone))


def _near(freeze: FreezeTable, now: datetime, ahead: int) -> Iterator[Window]:
    """Yield the windows that begin from eight days ago until so many days from now."""
    today = now.astimezone(freeze.zone).date()
    reach = range(1) if isinstance(freeze.begins, datetime) else range(-8, ahead + 1)
    for days in reach:
        yield from windows(freeze, today + timedelta(days=days))


def _form(moment: str | datetime) -> str:
    if isinstance(moment, datetime):
        return "dated"
    return "weekly" if " " in moment else "daily"


def _parsed(clock: str) -> tuple[int | None, timedelta]:
    """Return the number of the day, if one is named, and the time since its midnight."""
    day, _, time = clock.rpartition(" ")
    hours, minutes = time.split(":")
    since = timedelta(hours=int(hours), minutes=int(minutes))
    return (DAYS.index(day) if day else None), since


def _first(wall: datetime, zone: ZoneInfo) -> datetime:
    return _instant(wall, zone, fold=0)


def _last(wall: datetime, zone: ZoneInfo) -> datetime:
    last = _instant(wall, zone, fold=1)
    if wall.tzinfo is None and _shown(last - timedelta(seconds=1), zone) >= wall:
        return _instant(wall, zone, fold=0)  # clocks were put back to it: it was over before
    return last


def _instant(wall: datetime, zone: ZoneInfo, *, fold: int) -> datetime:
    """Return when clocks of the zone show this, for the first (0) or the last (1) time."""
    if wall.tzinfo is not None:
        return wall.astimezone(UTC)
    found = wall.replace(tzinfo=zone, fold=fold).astimezone(UTC)
    if _shown(found, zone) == wall:
        return found
    before = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    after = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    while after - before > timedelta(seconds=1):  # the moment at which clocks jump over it
        middle = before + timedelta(seconds=(after - before) // timedelta(seconds=2))
        before, after = (middle, after) if _shown(middle, zone) < wall else (before, middle)
    return after


def _shown(moment: datetime, zone: ZoneInfo) -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None, fold=0)
