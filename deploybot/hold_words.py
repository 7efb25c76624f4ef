"""Whole messages that lock, free or change a lock, read by plain code; who may is `hold_rules`'.

`lock backend on production for 2h: schema migration`. What begins like one and is none gets a
sentence with the right form: no model is left to guess at a lock.
"""

import re
from datetime import datetime
from difflib import get_close_matches

from deploy.catalog import Catalog
from deploy.errors import RefusedError
from deploy.moments import parse_start
from deploybot.hold_phrases import written
from deploybot.next_step import DoneForNow, ListHolds, NextStep, PlaceHold, ReleaseHold

LONGEST = 1000
"""Letters of the longest message that is read at all."""

_NAME = r"[a-z0-9][a-z0-9_-]*"
_PLACE = (
    rf"(?:the )?(?P<service>{_NAME}|(?:all|everything))(?: service)?"
    rf"(?: (?:on|in|of|at|from|for))?(?: (?P<environment>{_NAME}))?"
)
_SPAN = r"(?P<span>\d[\d. a-z]*?|an? (?:hour|day|week)|half an hour)"
_DAY = r"(?:today|tonight|tomorrow|\d{4}-\d{2}-\d{2})"
_UNTIL = rf"(?P<until>(?:{_DAY}[ t](?:at )?)?\d{{1,2}}[:.]\d{{2}})"
_WARN = r"(?:,? ?\(?(?:as a )?warn(?:ing)?[ -]only\)?)"
_WHY = r"(?:(?: ?:| because| -| \N{EN DASH}| \N{EM DASH}) ?(?P<reason>.+?))?"
_LOCK_OF = r"(?:the |my )?lock (?:of|on|for) "

_LOCK = re.compile(
    rf"lock {_PLACE}(?P<warns>{_WARN})?(?: (?:for {_SPAN}|until {_UNTIL}))?(?P<warns_too>{_WARN})?{_WHY}",
    re.IGNORECASE,
)
_UNLOCK = re.compile(
    rf"(?:unlock|release(?: (?:the )?(?:hold|lock) (?:on|of))?) {_PLACE}", re.IGNORECASE
)
_EXTEND = re.compile(
    rf"extend {_LOCK_OF}{_PLACE} (?:(?:by|for) {_SPAN}|(?:until|to) {_UNTIL})", re.IGNORECASE
)
_HAND_OVER = re.compile(
    rf"hand (?:over )?(?:{_LOCK_OF})?{_PLACE} (?:over )?to (?P<to>@?\S+(?: \S+)?)", re.IGNORECASE
)
_TAKE_OVER = re.compile(rf"take over (?:{_LOCK_OF})?{_PLACE}{_WHY}", re.IGNORECASE)
_ASKS = re.compile(
    r"(?:(?:what|which|show|list|who has|are there|any|what are|what is|whats|what's)(?: me)? )*"
    r"(?:the |any |all )?(?:current )?(?:locks|locked|held)(?: (?:now|there are))?",
    re.IGNORECASE,
)
_BEGINS_LIKE_ONE = re.compile(
    r"(?:lock|unlock|extend (?:the |my )?lock|(?:hand|take) over (?:the |my )?lock"
    r"|hand (?:the |my )?lock)\b",
    re.IGNORECASE,
)

_UNITS = {"m": 60, "min": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
_PIECE = re.compile(
    r"(\d+(?:\.\d+)?) ?(m|min|minutes?|mins?|h|hours?|hrs?|d|days?|w|weeks?)(?:(?: and)? |$|(?=\d))"
)
_IN_WORDS = {
    "an hour": 3600,
    "half an hour": 1800,
    "a day": 86_400,
    "a week": 7 * 86_400,
}


def read(text: str, by: str, at: datetime, catalog: Catalog) -> NextStep | None:
    """Return what a message that `by` wrote at this time means for locks; None when it is not about them."""
    if len(text) > LONGEST:
        begins = _BEGINS_LIKE_ONE.match(text[:LONGEST].lstrip())
        return DoneForNow(message=f"{_NOT_READ} Say it shorter.") if begins else None
    plain = _plain(text)
    if _ASKS.fullmatch(plain):
        return ListHolds()
    for pattern, form in _FORMS.items():
        if found := pattern.fullmatch(plain):
            try:
                return _understood(found, pattern, by, at, catalog)
            except _UnreadError as error:
                if _is_about_a_lock(plain, found, catalog):
                    return DoneForNow(message=f"{error} Write: `{_form(form, catalog)}`.")
    if _BEGINS_LIKE_ONE.match(plain):
        word = plain.split()[0].lower()
        form = next((form for form in _FORMS.values() if form.startswith(word)), _FORMS[_LOCK])
        return DoneForNow(message=f"{_NOT_READ} Write: `{_form(form, catalog)}`.")
    return None


_NOT_READ = "I read locks word by word, and could not read this one, so nothing was changed."

_FORMS = {
    _LOCK: "lock {place} for 2h: schema migration",
    _UNLOCK: "unlock {place}",
    _EXTEND: "extend the lock of {place} by 1h",
    _HAND_OVER: "hand {place} to NAME",
    _TAKE_OVER: "take over {place}",
}


def _form(form: str, catalog: Catalog) -> str:
    """Return the form with a place that there is, the most guarded one."""
    tables = sorted(catalog.environments.items(), key=lambda item: item[1].order)
    environment, table = tables[-1] if tables else ("production", None)
    service = next(iter(table.services), "backend") if table else "backend"
    return form.format(place=written(service, environment))


def _plain(text: str) -> str:
    """Return the message on one line, without quotes around it, courtesies, and a full stop."""
    plain = " ".join(text.split()).strip(
        "`\"'\N{LEFT DOUBLE QUOTATION MARK}\N{RIGHT DOUBLE QUOTATION MARK} "
    )
    plain = re.sub(r"^(?:please|pls),? ", "", plain, flags=re.IGNORECASE)
    return re.sub(r"[ ,]*(?:please)?[.!?]*$", "", plain, flags=re.IGNORECASE)


def _is_about_a_lock(plain: str, found: re.Match[str], catalog: Catalog) -> bool:
    """Tell whether words that could be about anything ("release v2", "take over the world") are not."""
    if _BEGINS_LIKE_ONE.match(plain):
        return True
    named = {name.lower() for name in (found["service"], found["environment"]) if name}
    in_a_place = bool(named & catalog.environments.keys()) or not plain.lower().startswith("rel")
    return len(named) == 2 and in_a_place and bool(named & catalog.services.keys())


class _UnreadError(Exception):
    """A sentence on what in the message cannot be understood."""


def _understood(
    found: re.Match[str], pattern: re.Pattern[str], by: str, at: datetime, catalog: Catalog
) -> NextStep:
    """Return the step; raises _UnreadError."""
    service, environment = _place(found, catalog)
    if pattern is _UNLOCK:
        return ReleaseHold(service=service, environment=environment, by=by)
    step = PlaceHold(service=service, environment=environment, by=by)
    if pattern is _HAND_OVER:
        return step.model_copy(update={"how": "handed_over", "to": found["to"]})
    if pattern is _TAKE_OVER:
        return step.model_copy(update={"how": "taken_over", "reason": found["reason"] or ""})
    ends = _ends(found, at, catalog.environments[environment].time_zone)
    if pattern is _EXTEND:
        return step.model_copy(update={"how": "extended", **ends})
    warns = bool(found["warns"] or found["warns_too"])
    return step.model_copy(update={"reason": found["reason"] or "", "warn_only": warns, **ends})


def _ends(found: re.Match[str], at: datetime, zone: str) -> dict[str, object]:
    if found["span"]:
        seconds = _seconds(found["span"])
        if seconds is None:
            raise _UnreadError(f"{found['span'][:40]!r} is no length of time; nothing was changed.")
        return {"seconds": seconds}
    if found["until"]:
        try:
            return {"until": parse_start(found["until"], at, zone)}
        except RefusedError as error:
            text = str(error).replace("Nothing was scheduled", "Nothing was changed")
            raise _UnreadError(text) from error
    return {}


def _place(found: re.Match[str], catalog: Catalog) -> tuple[str | None, str]:
    """Return the service (None for all) and environment; raises _UnreadError."""
    first, second = found["service"].lower(), (found["environment"] or "").lower()
    environments = catalog.environments
    if not second and first in environments:
        return None, first
    if second not in environments and first in environments and second in catalog.services:
        first, second = second, first  # "production backend"
    if not second:
        if first in catalog.services:
            raise _UnreadError(f"You did not say where {first} is to change, so nothing was.")
        raise _unknown("environment", first, tuple(environments))
    if second not in environments:
        raise _unknown("environment", second, tuple(environments))
    if first in ("all", "everything"):
        return None, second
    services = tuple(environments[second].services)
    if first not in services:
        raise _unknown("service", first, services)
    return first, second


def _unknown(what: str, name: str, known: tuple[str, ...]) -> _UnreadError:
    begins = [one for one in known if one.startswith(name)]
    near = begins if len(begins) == 1 else get_close_matches(name, known, n=1)
    hint = f"Did you mean {near[0]}?" if near else f"Known: {', '.join(known) or 'none'}."
    return _UnreadError(f"No {what} {name[:60]!r}, so nothing was changed. {hint}")


def _seconds(span: str) -> int | None:
    """Return how many seconds `2h`, `1h 30m`, `90 minutes` or `an hour` are; None for anything else."""
    low = span.lower().strip()
    if low in _IN_WORDS:
        return _IN_WORDS[low]
    total, at = 0.0, 0
    while at < len(low):
        piece = _PIECE.match(low, at)
        if piece is None:
            return None
        unit = piece[2]
        total += float(piece[1]) * (_UNITS["min"] if unit.startswith("min") else _UNITS[unit[0]])
        at = piece.end()
    return round(total) or None
