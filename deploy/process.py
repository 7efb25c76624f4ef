"""Running a configured command: argv only, in its own group, under a guard, its output bounded."""

import ctypes
import os
import re
import select
import selectors
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from io import RawIOBase
from pathlib import Path
from threading import Event
from typing import IO, Literal

from deploy.errors import LeaseLostError
from deploy.target import Guard

GUARD_SECONDS = 0.2
"""The guard is asked at least this often while a command runs."""
TAIL_LINES = 20
LINE_LENGTH = 500
GRACE_SECONDS = 5.0
"""How long a server may take to end after it was asked to."""

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)
_CONTROL = re.compile(
    r"\x1b\[[0-9;?]*[ -/]*[@-~]"  # colours and cursor movements
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"  # titles and links
    r"|[\x00-\x08\x0b-\x1f\x7f\x80-\x9f]"
)


@dataclass(frozen=True)
class Ran:
    """How a command ended; `exit_code` is negative for a signal, None when it ran into a limit.

    `limit` names that limit: its time was up, or it had printed nothing for too long.
    """

    exit_code: int | None
    tail: tuple[str, ...]
    limit: Literal["time", "silence"] | None = None


def _unnoticed() -> AbstractContextManager[Callable[[int], None]]:
    return nullcontext(lambda _: None)


@dataclass(frozen=True)
class Manner:
    """How a command is treated beyond its time.

    One that prints nothing for `silence_seconds` is ended. It is started inside the context of
    `starting`, which is told the number of its process, group and session. Before it is killed it is asked to end and may take `grace_seconds` for that,
    but not once the right to run has passed on (LeaseLostError).
    """

    silence_seconds: float | None = None
    grace_seconds: float = 0
    starting: Callable[[], AbstractContextManager[Callable[[int], None]]] = _unnoticed


QUIETLY = Manner()
"""A command that may be silent, and is killed without being asked."""


class GuardedPipe(RawIOBase):
    """The reading end of a pipe, which asks the guard while it waits; TimeoutError at the end."""

    def __init__(self, file: int, seconds: float, guard: Guard) -> None:
        self._file = file
        self._deadline = time.monotonic() + seconds
        self._guard = guard

    def readable(self) -> bool:
        """Tell that this end can be read."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes, at most `size`; none at the end."""
        while time.monotonic() < self._deadline:
            self._guard()
            if select.select([self._file], [], [], GUARD_SECONDS)[0]:
                return os.read(self._file, size if size > 0 else 65_536)
        raise TimeoutError("its time was up")


def plain(line: bytes) -> str:
    """Return a line of output without colours and control characters, cut to LINE_LENGTH."""
    return _CONTROL.sub("", line.decode("utf-8", "replace")).expandtabs().rstrip()[:LINE_LENGTH]


def run(
    argv: Sequence[str],
    *,
    directory: Path,
    variables: Mapping[str, str],
    seconds: float,
    guard: Guard,
    log: Callable[[str], None],
    manner: Manner = QUIETLY,
) -> Ran:
    """Run a command to its end, each line of its output given to `log`.

    One that runs for longer than `seconds`, or prints nothing for too long, is ended.
    Whatever the guard raises comes through, after the command and all its children are killed.
    Raises OSError when the command cannot be started.
    """
    limits = _Limits(seconds, manner.silence_seconds)
    tail: deque[str] = deque(maxlen=TAIL_LINES)
    with ExitStack() as stack:
        with manner.starting() as notice:
            child = stack.enter_context(_started(argv, directory, variables, subprocess.PIPE))
            notice(child.pid)
        try:
            for line in _lines(child, limits, guard):
                tail.append(plain(line))
                log(tail[-1])
        except LeaseLostError:
            raise
        except Exception:  # whatever a guard or a log raises: no command outlives its caller
            _ask_to_end(child, manner.grace_seconds)
            raise
        exit_code = child.poll()
        if exit_code is None:
            _ask_to_end(child, manner.grace_seconds)
    return Ran(exit_code, tuple(tail), limits.reached if exit_code is None else None)


def how(ran: Ran, limit: tuple[str, float], silence_seconds: float) -> str:
    """Return in words how a command failed; `limit` is the setting of its time and its value."""
    match ran.limit:
        case "time":
            return f"took longer than {limit[1]:g} s ({limit[0]}) and was ended"
        case "silence":
            return f"printed nothing for {silence_seconds:g} s (silence_seconds) and was ended"
        case None:
            return f"ended with exit code {ran.exit_code}"


@contextmanager
def serving(
    argv: Sequence[str], *, directory: Path, variables: Mapping[str, str], output: IO[bytes]
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server for as long as the block lasts; its output goes to the file `output`."""
    with _started(argv, directory, variables, output) as child:
        yield child
        _ask_to_end(child, GRACE_SECONDS)


def pause(seconds: float) -> None:
    """Let a moment pass between two looks at a thing that another process changes."""
    Event().wait(seconds)


def _ask_to_end(child: subprocess.Popen[bytes], seconds: float) -> None:
    if not seconds:
        return
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        child.wait(seconds)


class _Limits:
    """How long a command may run, and how long it may say nothing; which was `reached`."""

    def __init__(self, seconds: float, silence_seconds: float | None) -> None:
        self._deadline = time.monotonic() + seconds
        self._silence = silence_seconds
        self._heard = time.monotonic()
        self.reached: Literal["time", "silence"] | None = None

    def heard(self) -> None:
        """Begin to count the silence anew."""
        self._heard = time.monotonic()

    def are_over(self) -> bool:
        """Tell whether one of them is reached."""
        now = time.monotonic()
        if now >= self._deadline:
            self.reached = "time"
        elif self._silence is not None and now - self._heard >= self._silence:
            self.reached = "silence"
        return self.reached is not None


@contextmanager
def _started(
    argv: Sequence[str], directory: Path, variables: Mapping[str, str], output: int | IO[bytes]
) -> Iterator[subprocess.Popen[bytes]]:
    parent = os.getpid()

    def die_with_parent() -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)

    child = subprocess.Popen(
        list(argv),
        cwd=directory,
        env=dict(variables),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=die_with_parent,  # noqa: PLW1509 (it takes no lock, so threads do not matter)
    )
    try:
        yield child
    finally:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)  # the command, and whatever it left behind
        child.wait()
        if child.stdout is not None:
            child.stdout.close()


def _lines(child: subprocess.Popen[bytes], limits: _Limits, guard: Guard) -> Iterator[bytes]:
    pipe = child.stdout
    if pipe is None:
        return
    rest = b""
    is_open = True
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while is_open or child.poll() is None:
            guard()
            if limits.are_over():
                break
            ended = child.poll() is not None
            if not is_open:
                with suppress(subprocess.TimeoutExpired):
                    child.wait(GUARD_SECONDS)
            elif selector.select(0 if ended else GUARD_SECONDS):
                chunk = os.read(pipe.fileno(), 65_536)
                is_open = bool(chunk)
                limits.heard()
                *whole, rest = (rest + chunk).split(b"\n")
                yield from whole
                rest = rest[-65_536:]
            elif ended:
                break  # a grandchild keeps the pipe open; it ends with the group
    if rest:
        yield rest
