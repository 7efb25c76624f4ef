"""How log lines look: constant text, then what it is about, as words or as JSON; never a secret.

What is given as `extra`, and what `about` adds for as long as its block lasts, are ids and codes:
no text that people wrote belongs there.
"""

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TextIO

from deploybot.quiet import Quiet
from deploybot.redaction import Redactor

_PLAIN = {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName", "color_message"}
_OURS = ("deploybot", "workers", "deploy")
_NOISY = ("httpx2", "openai", "slack_bolt", "rq", "urllib3", "opentelemetry")
_TALKATIVE = ("dkimpy", "flufl.bounce")
"""What these say of a mail that they cannot use is its sender's own words."""
_ABOUT: ContextVar[Mapping[str, str]] = ContextVar("about", default=MappingProxyType({}))


class _Formatter(logging.Formatter):
    """Appends whatever was given as `extra`, and takes out secrets, in traces as well."""

    redactor = Redactor()
    form = "plain"

    def format(self, record: logging.LogRecord) -> str:
        about = {key: value for key, value in vars(record).items() if key not in _PLAIN}
        about = {**_ABOUT.get(), **about}
        if self.form == "json":
            return self._as_json(record, about)
        told = " ".join(f"{key}={value}" for key, value in about.items())
        line = super().format(record)
        return self.redactor.text(f"{line} [{told}]" if told else line)

    def _as_json(self, record: logging.LogRecord, about: Mapping[str, object]) -> str:
        """Return one line of JSON; each value is cleaned by itself, so that the line stays JSON."""
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "process": record.process,
            **{key: value if _is_plain(value) else str(value) for key, value in about.items()},
        }
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(self.redactor.plain(line), ensure_ascii=False, default=str)


class _Handler(logging.StreamHandler[TextIO]):
    """Leaves out lines alike when there are too many, and says how many."""

    def __init__(self) -> None:
        super().__init__()
        self._quiet = Quiet()

    def emit(self, record: logging.LogRecord) -> None:
        """Write the line, if there is room for it."""
        for line in self._quiet.told(record.created):
            super().emit(line)
        if self._quiet.lets(record):
            super().emit(record)


_FORMATTER = _Formatter("%(asctime)s %(levelname)s %(name)s %(message)s")


def configure(form: str = "plain", level: str = "info") -> None:
    """Send log lines to standard error; called by the process' entry point.

    Called again once the settings are read. `form` is plain or json; `level` is about our own
    lines: those of libraries are told from INFO on, of the talkative ones from WARNING on.
    """
    _FORMATTER.form = form
    root = logging.getLogger()
    if not any(handler.formatter is _FORMATTER for handler in root.handlers):
        handler = _Handler()
        handler.setFormatter(_FORMATTER)
        root.addHandler(handler)
    root.setLevel(logging.INFO)
    for name in _OURS:
        logging.getLogger(name).setLevel(level.upper())
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)


@contextmanager
def about(**ids: str) -> Iterator[None]:
    """Add these ids to every line that is logged within the block, in this thread or task."""
    token = _ABOUT.set({**_ABOUT.get(), **ids})
    try:
        yield
    finally:
        _ABOUT.reset(token)


def keep_secret(redactor: Redactor) -> None:
    """Let no line of this process hold what `redactor` knows; called as soon as it knows it."""
    _FORMATTER.redactor = redactor


def _is_plain(value: object) -> bool:
    return value is None or isinstance(value, bool | int | float | str)
