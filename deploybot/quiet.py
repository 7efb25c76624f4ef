"""How many lines alike a log takes: whoever floods the web process must not fill the disk with them.

Pure: the time is that of the lines themselves. What was left out is counted, and told once a minute.
"""

import logging
from collections import Counter
from collections.abc import Iterator

WINDOW = 60.0
"""Seconds after which lines alike may come again, and what was left out is told."""
REFUSED, ANSWERED = 20, 300
"""How many lines alike a window has room for: of refusals and errors, and of requests that were answered."""
_FROM_OUTSIDE = ("deploybot.web", "uvicorn")

_Key = tuple[str, str, str, int]


class Quiet:
    """Decides about one line after another; only those that senders outside can cause are limited."""

    def __init__(self) -> None:
        self._ends = 0.0
        self._seen: Counter[_Key] = Counter()

    def lets(self, record: logging.LogRecord) -> bool:
        """Tell whether this line may be written, and count it."""
        if not record.name.startswith(_FROM_OUTSIDE):
            return True
        key = _key(record)
        self._seen[key] += 1
        return self._seen[key] <= _room(key)

    def told(self, now: float) -> Iterator[logging.LogRecord]:
        """Yield a line for each kind of which some were left out, when a window has ended."""
        if now < self._ends:
            return
        seen, self._seen, self._ends = self._seen, Counter(), now + WINDOW
        for key, count in seen.items():
            if (left_out := count - _room(key)) > 0:
                yield _line(key, left_out)


def _key(record: logging.LogRecord) -> _Key:
    """Return what makes lines alike; all of it is ours, none of it a sender's words."""
    status = getattr(record, "status", 0)
    return (record.name, str(record.msg), str(getattr(record, "route", "")), int(status))


def _room(key: _Key) -> int:
    return ANSWERED if 0 < key[3] < 400 else REFUSED


def _line(key: _Key, left_out: int) -> logging.LogRecord:
    name, text, route, status = key
    fields: dict[str, object] = {"action": "quiet", "left_out": left_out, "lines": text}
    fields |= {"route": route} if route else {}
    fields |= {"status": status} if status else {}
    return logging.makeLogRecord(
        {
            "name": name,
            "msg": "left out lines that were alike",
            "levelno": logging.WARNING,
            "levelname": "WARNING",
            **fields,
        }
    )
