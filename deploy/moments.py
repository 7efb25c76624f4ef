"""Times that people name: when a change is to start, in the time zone of its environment."""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from deploy.errors import Refusal, RefusedError

FURTHEST = timedelta(days=7)
"""How far ahead a start may be approved."""

_TIME = re.compile(
    r"(?:(?P<day>today|tonight|tomorrow|\d{4}-\d{2}-\d{2})[ T]+(?:at )?)?(?P<hour>\d{1,2})[:.](?P<minute>\d{2})",
    re.IGNORECASE,
)


def parse_start(text: str, now: datetime, zone: str) -> datetime:
    """Return the moment that `text` names, in UTC: the next one for a time without a day.

    `text` is `HH:MM`, `YYYY-MM-DD HH:MM`, `tomorrow HH:MM`, or ISO 8601 with an offset. Raises
    RefusedError for what is none, is past, is too far ahead, or does not exist because clocks are
    put forward then. A time that comes twice is its first one.
    """
    moment = _named(" ".join(text.split()), now, ZoneInfo(zone))
    if moment <= now:
        raise _refused(text, f"is past: it is {now.astimezone(ZoneInfo(zone)):%H:%M} in {zone} now")
    if moment - now > FURTHEST:
        raise _refused(text, f"is more than {FURTHEST.days} days ahead")
    return moment


def _named(text: str, now: datetime, zone: ZoneInfo) -> datetime:
    try:
        exact = datetime.fromisoformat(text)
    except ValueError:
        exact = None
    if exact is not None and exact.tzinfo is not None:
        return exact.astimezone(UTC)
    found = _TIME.fullmatch(text)
    if found is None:
        raise _refused(text, "is no time: write HH:MM or YYYY-MM-DD HH:MM")
    local = now.astimezone(zone)
    day = (found["day"] or "").lower()
    try:
        date = datetime.fromisoformat(day).date() if day[:1].isdigit() else local.date()
        wanted = datetime(date.year, date.month, date.day, int(found["hour"]), int(found["minute"]))  # noqa: DTZ001 - local on purpose, for a line
    except ValueError as error:
        raise _refused(text, "is no time of any day") from error
    if day == "tomorrow":
        wanted += timedelta(days=1)
    moment = wanted.replace(tzinfo=zone).astimezone(UTC)
    if (not day and moment <= now) or (day == "tonight" and moment <= now):
        wanted += timedelta(days=1)
        moment = wanted.replace(tzinfo=zone).astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None) != wanted:
        raise _refused(text, f"does not exist in {zone.key}: clocks are put forward then")
    return moment


def _refused(text: str, why: str) -> RefusedError:
    return RefusedError(
        Refusal("time_refused", f"{text[:40]!r} {why}. Nothing was scheduled; name another time.")
    )
