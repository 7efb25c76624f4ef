"""What was looked at, how it is, and what mends it: one line for a person, one object for a program."""

from dataclasses import asdict, dataclass
from typing import Literal

Verdict = Literal["ok", "warning", "wrong"]


@dataclass(frozen=True)
class Finding:
    """One line. `about` is a stable name; `mend` is what to do, "" where nothing is to be done."""

    verdict: Verdict
    about: str
    what: str
    mend: str = ""

    @property
    def text(self) -> str:
        """Return both sentences."""
        return f"{self.what} {self.mend}".strip()

    def row(self) -> dict[str, str]:
        """Return the same for a program."""
        return asdict(self)


def ok(about: str, what: str) -> Finding:
    """Say that this is as it should be."""
    return Finding("ok", about, what)


def warning(about: str, what: str, mend: str = "") -> Finding:
    """Say that this may be meant, or may cost something some day."""
    return Finding("warning", about, what, mend)


def wrong(about: str, what: str, mend: str) -> Finding:
    """Say that this will not work."""
    return Finding("wrong", about, what, mend)
