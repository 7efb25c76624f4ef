"""Standard output and standard error: harmless text, colours for terminals only, JSON for scripts."""

import json
import re
import sys
from collections.abc import Iterable
from typing import Any

from rich.console import Console, RenderableType
from rich.text import Text

_UNSEEN = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f"
)
_HARMFUL = re.compile(f"[{_UNSEEN}\ud800-\udfff]")
"""What a terminal would obey, or what turns, hides or doubles the text around it."""
PIPE_WIDTH = 1000
"""Columns where nobody looks: nothing is cut or folded for a program that reads."""


def harmless(text: str) -> str:
    """Return the text with what a terminal would obey made visible, such as ␛ for an escape."""
    return _HARMFUL.sub(_shown, text)


def one_line(text: str) -> str:
    """Return the text on one line, harmless."""
    return harmless(" ".join(text.split()))


def to_json(value: Any, *, lines: bool = False) -> str:
    """Return JSON in which nothing is hidden: control and bidi characters stand as escapes."""
    text = json.dumps(value, ensure_ascii=False, indent=None if lines else 2)
    return _HARMFUL.sub(lambda found: json.dumps(found[0])[1:-1], text)


class Terminal:
    """Where a command speaks: results on standard output, the rest on standard error."""

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json
        self.out = _console(stderr=False)
        self.err = _console(stderr=True)

    @property
    def is_live(self) -> bool:
        """Whether somebody sits there: a terminal reads and shows."""
        return sys.stdin.isatty() and sys.stderr.isatty() and not self.as_json

    def show(self, what: RenderableType) -> None:
        """Print a result; without the blanks behind it that only make up a terminal's table."""
        if self.out.is_terminal:
            self.out.print(what)
            return
        with self.out.capture() as captured:
            self.out.print(what)
        write("\n".join(line.rstrip() for line in captured.get().splitlines()))

    def say(self, text: str, style: str = "") -> None:
        """Print a sentence of ours as a result."""
        self.show(Text(harmless(text), style=style))

    def note(self, text: str, style: str = "dim") -> None:
        """Print a sentence beside the result, on standard error."""
        self.err.print(Text(harmless(text), style=style), soft_wrap=True)

    def json(self, value: Any) -> None:
        """Print one JSON document."""
        write(to_json(value))

    def json_line(self, value: Any) -> None:
        """Print one line of JSON Lines, at once."""
        write(to_json(value, lines=True))


def indented(lines: Iterable[str], by: int = 6) -> Text:
    """Return lines of others' words, each harmless and indented."""
    return Text("\n").join(Text(f"{' ' * by}{harmless(line)}") for line in lines)


def write(text: str) -> None:
    """Write what is to be read as it is, such as by a program, on standard output."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _console(*, stderr: bool) -> Console:
    console = Console(stderr=stderr, highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = PIPE_WIDTH
    return console


def _shown(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code < 0x20:
        return chr(0x2400 + code)
    return "␡" if code == 0x7F else f"\\u{code:04x}"
