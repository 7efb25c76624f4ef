"""Somebody at a terminal: starts a command on a pseudo-terminal, reads what it shows, and types."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self

_STYLED = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH120, PTH100


class Terminal:
    """One command on a terminal so many columns wide; a context manager."""

    def __init__(self, *arguments: str, environ: Mapping[str, str], columns: int = 80) -> None:
        self.shown = ""
        """Everything that came, escapes included."""
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "deploybot", *arguments],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={"TERM": "xterm", **environ},
            cwd=ROOT,
            start_new_session=True,
            preexec_fn=_take_terminal,  # noqa: PLW1509 - one system call, so that Ctrl-C arrives
        )
        os.close(slave)

    @property
    def text(self) -> str:
        """What was shown, without colours."""
        return _STYLED.sub("", self.shown).replace("\r", "")

    def sees(self, text: str, seconds: float = 40) -> None:
        """Wait until this is on the screen, and look on from there."""
        deadline = time.monotonic() + seconds
        while text not in self.text:
            assert time.monotonic() < deadline, f"{text!r} was not shown, but: {self.text}"
            assert self._read(0.1) or self.process.poll() is None, (
                f"ended before {text!r}: {self.text}"
            )

    def forgets(self) -> None:
        """Look only at what comes from now on."""
        self.shown = ""

    def types(self, line: str) -> None:
        """Type a line and Enter."""
        os.write(self._master, f"{line}\n".encode())

    def presses(self, key: bytes) -> None:
        """Press keys, such as Ctrl-C."""
        os.write(self._master, key)

    def ends(self, seconds: float = 40) -> int:
        """Wait for the end, and return the exit code."""
        deadline = time.monotonic() + seconds
        while self.process.poll() is None:
            assert time.monotonic() < deadline, f"did not end: {self.text}"
            self._read(0.1)
        while self._read(0.0):
            pass
        return self.process.returncode

    def _read(self, seconds: float) -> bool:
        ready, _, _ = select.select([self._master], [], [], seconds)
        try:
            got = os.read(self._master, 65536) if ready else b""
        except OSError:  # Linux: the other end is closed
            got = b""
        self.shown += got.decode("utf-8", "replace")
        return bool(got)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._master)


def _take_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
