"""How log lines look: constant text, then what it is about as key=value; never a secret."""

import logging

from deploybot.redaction import Redactor

_PLAIN = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class _Formatter(logging.Formatter):
    """Appends whatever was given as `extra`, and takes out secrets, in traces as well."""

    redactor = Redactor()

    def format(self, record: logging.LogRecord) -> str:
        about = " ".join(
            f"{key}={value}" for key, value in vars(record).items() if key not in _PLAIN
        )
        line = super().format(record)
        return self.redactor.text(f"{line} [{about}]" if about else line)


_FORMATTER = _Formatter("%(asctime)s %(levelname)s %(name)s %(message)s")


def configure() -> None:
    """Send log lines to standard error; called once, by the process' entry point."""
    handler = logging.StreamHandler()
    handler.setFormatter(_FORMATTER)
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    for noisy in ("httpx2", "openai", "slack_bolt", "rq"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def keep_secret(redactor: Redactor) -> None:
    """Let no line of this process hold what `redactor` knows; called as soon as it knows it."""
    _FORMATTER.redactor = redactor
