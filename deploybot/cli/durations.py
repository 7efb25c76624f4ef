"""Lengths of time as people type them, such as 90s, 30m, 2h, 1d or 2h30m, in seconds."""

import re

import typer

_FORM = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", re.IGNORECASE)
_SECONDS = (86400, 3600, 60, 1)
LONGEST = 366 * 86400


def seconds_of(text: str) -> int:
    """Return the seconds; raises typer.BadParameter for what is no length of time."""
    found = _FORM.fullmatch(text.replace(" ", ""))
    parts = found.groups() if found else ()
    total = sum(int(n or 0) * each for n, each in zip(parts, _SECONDS, strict=False))
    if not 0 < total <= LONGEST:
        raise typer.BadParameter(f"{text!r} is no length of time; write it as 90s, 30m, 2h or 1d.")
    return total
