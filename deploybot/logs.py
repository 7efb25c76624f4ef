"""How log lines look: constant text, then what it is about as key=value; never anybody's words."""

import logging

_PLAIN = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class _Formatter(logging.Formatter):
    """Appends whatever was given as `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        about = " ".join(
            f"{key}={value}" for key, value in vars(record).items() if key not in _PLAIN
        )
        line = super().format(record)
        return f"{line} [{about}]" if about else line


def configure() -> None:
    """Send log lines to standard error; called once, by the process' entry point."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    for noisy in ("httpx2", "openai", "slack_bolt", "rq"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
