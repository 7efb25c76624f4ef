"""Keeps one process per queue, one per mailbox and the clock running, and ends them in order; the processes' work is elsewhere."""

import functools
import gc
import importlib
import logging
import os
import selectors
import signal
import socket
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import cast

from deploybot.alarms import Alarms
from deploybot.bootstrap import now as bootstrap_now
from deploybot.errors import ConfigError
from deploybot.queue import QUEUES
from workers import clock
from workers.clock import ClockSettings
from workers.worker import WorkerSettings, die_with_parent, worker_for

logger = logging.getLogger(__name__)

PRELOADED = ("workers.jobs", "slack_sdk")
"""Imported once, before forking: a job then starts in milliseconds."""
CLOCK = "clock"
LISTENER = "listener"
HEALTHY_SECONDS = 30.0
"""A process that ends by itself after so long had been well."""
HEALTHY_UNTIL_KILLED_SECONDS = 1.0
"""The same for one that somebody killed: it could begin its work, so another can."""
FIRST_PAUSE = 0.1
LONGEST_PAUSE = 30.0
_HEARD = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)


@dataclass(frozen=True, kw_only=True)
class PoolSettings:
    """What the pool runs: a queue named twice gets two processes."""

    url: str
    queues: Sequence[str] = tuple(QUEUES.values())
    with_clock: bool = True
    mailboxes: int = 0
    """How many mailboxes are read, each by a process of its own."""
    worker: WorkerSettings = field(default_factory=WorkerSettings)
    clock: ClockSettings = field(default_factory=ClockSettings)
    preload: Sequence[str] = PRELOADED
    alarms: str = ""
    """`module:function` that returns what the clock tells people by; "" for the log alone."""
    warm: str = "workers.jobs:bot"
    """`module:function` that each worker calls once, so that no job builds the bot anew; "" for none.
    What it reads, such as the configuration, is read again after SIGHUP."""
    listener: str = ""
    """`module:function` that a process of its own calls with an event that says when to stop."""


@dataclass
class _Child:
    """One process that is to run: `start_at` is when it may be started, again."""

    name: str
    main: Callable[[], None]
    pid: int = 0
    started: float = 0.0
    start_at: float = 0.0
    pause: float = FIRST_PAUSE


class Pool:
    """The supervisor; call `run` from the main thread of a process that does nothing else.

    SIGTERM and SIGINT end everything in order; SIGHUP renews every process after its job.
    """

    def __init__(self, settings: PoolSettings) -> None:
        self._settings = settings
        self._children = [
            _Child(queue, functools.partial(self._work, queue, uuid.uuid4().hex))
            for queue in settings.queues
        ]
        if settings.with_clock:
            self._children.append(_Child(CLOCK, self._tick))
        if settings.listener:
            self._children.append(_Child(LISTENER, self._listen))
        for index in range(settings.mailboxes):
            self._children.append(_Child(f"mailbox {index + 1}", functools.partial(_read, index)))
        self._stopping = False

    def run(self) -> int:
        """Run until SIGTERM or SIGINT and every process has finished its job; return the exit code."""
        for name in self._settings.preload:
            importlib.import_module(name)
        gc.collect()
        gc.freeze()  # what is loaded now stays shared with every forked process
        with _signals() as wait_for_signal:
            while True:
                self._reap()
                if self._stopping and not any(child.pid for child in self._children):
                    return 0
                if not self._stopping:
                    self._start_missing()
                for number in wait_for_signal(self._seconds_to_next_start()):
                    if number != signal.SIGCHLD:
                        self._stopping |= number != signal.SIGHUP
                        self._end_children()

    def _start_missing(self) -> None:
        now = time.monotonic()
        for child in self._children:
            if not child.pid and child.start_at <= now:
                child.started = now
                child.pid = self._fork(child)
                logger.info(
                    "started a process",
                    extra={"action": "start", "role": child.name, "child": child.pid},
                )

    def _fork(self, child: _Child) -> int:
        parent = os.getpid()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid:
            return pid
        code = 1
        try:
            for number in _HEARD:
                signal.signal(number, signal.SIG_DFL)
            signal.set_wakeup_fd(-1)
            os.setpgid(0, 0)  # Ctrl-C reaches the pool alone, which then ends everybody once
            die_with_parent(signal.SIGTERM, parent=parent)
            child.main()
            code = 0
        except BaseException:  # whatever it is, this copy of the pool must not go on
            logger.exception("a process ended", extra={"action": "end", "role": child.name})
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _work(self, queue: str, name: str) -> None:
        if self._settings.warm:
            _named(self._settings.warm)()
        worker = worker_for(queue, self._settings.url, self._settings.worker, name=name)
        worker.work(logging_level="WARNING")

    def _tick(self) -> None:
        stop = _until_told()
        clock.run(self._settings.url, self._settings.clock, stop, self._alarms())

    def _alarms(self) -> Alarms | None:
        if not self._settings.alarms:
            return None
        try:
            return cast(Alarms, _named(self._settings.alarms)(bootstrap_now))
        except ConfigError as error:
            logger.warning(
                "alarms go to the log alone", extra={"action": "start", "why": str(error)}
            )
            return None

    def _listen(self) -> None:
        stop = _until_told()
        _named(self._settings.listener)(stop)

    def _reap(self) -> None:
        for child in self._children:
            if not child.pid:
                continue
            try:
                pid, status = os.waitpid(child.pid, os.WNOHANG)
            except ChildProcessError:  # reaped by somebody else in this process
                pid, status = child.pid, 0
            if pid:
                child.pid = 0
                self._plan_restart(child, os.waitstatus_to_exitcode(status))

    def _plan_restart(self, child: _Child, code: int) -> None:
        """Start it again at once if it was asked to end or had been well, else after a doubling pause."""
        now = time.monotonic()
        if self._stopping or code == 0:
            child.start_at = now
            return
        if now - child.started > (HEALTHY_SECONDS if code > 0 else HEALTHY_UNTIL_KILLED_SECONDS):
            child.pause = FIRST_PAUSE
        child.start_at = now + child.pause - FIRST_PAUSE
        child.pause = min(2 * child.pause, LONGEST_PAUSE)
        logger.error(
            "a process ended unasked",
            extra={"action": "restart", "role": child.name, "code": code},
        )

    def _seconds_to_next_start(self) -> float | None:
        if self._stopping:
            return None
        missing = [child.start_at for child in self._children if not child.pid]
        return max(0.0, min(missing) - time.monotonic()) if missing else None

    def _end_children(self) -> None:
        """Let every process finish its job and end; asked a second time, the workers drop theirs."""
        logger.info("ending processes", extra={"action": "end", "stopping": self._stopping})
        for child in self._children:
            if child.pid:
                with suppress(ProcessLookupError):
                    os.kill(child.pid, signal.SIGTERM)


def _named(name: str) -> Callable[..., object]:
    module, _, function = name.partition(":")
    found: Callable[..., object] = getattr(importlib.import_module(module), function)
    return found


def _until_told() -> threading.Event:
    """Return an event that is set when this process is told to end."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


def _read(index: int) -> None:
    """Read a mailbox; only the process that does needs to know how."""
    importlib.import_module("workers.mailboxes").read(index)


@contextmanager
def _signals() -> Iterator[Callable[[float | None], bytes]]:
    """Yield a function that waits for signals, at most so many seconds, and returns their numbers."""
    reader, writer = socket.socketpair()
    with reader, writer, selectors.DefaultSelector() as selector:
        reader.setblocking(False)  # noqa: FBT003 - the library's own signature
        writer.setblocking(False)  # noqa: FBT003
        selector.register(reader, selectors.EVENT_READ)
        before = {number: signal.signal(number, lambda *_: None) for number in _HEARD}
        earlier = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)

        def wait(seconds: float | None) -> bytes:
            if not selector.select(seconds):
                return b""
            return reader.recv(4096)

        try:
            yield wait
        finally:
            signal.set_wakeup_fd(earlier)
            for number, handler in before.items():
                signal.signal(number, handler)
