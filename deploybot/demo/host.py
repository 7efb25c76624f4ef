"""Keeps one demo service running: whatever `current` points at, swapped without a gap when it moves."""

import argparse
import ctypes
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen
from threading import Event

from deploy import process
from deploy.errors import TargetError
from deploy.targets.health import ask
from deploy.targets.release_directory import ReleaseDirectory

LOOK_SECONDS = 0.05
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class _Running:
    sha: str
    child: "Popen[bytes]"
    ending: ExitStack

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return self.child.poll() is None


class Host:
    """One service of one environment on one port.

    A new release is started beside the old one, on the same port (SO_REUSEPORT). Once it answers,
    the old one is asked to end, and answers those who wait already.
    """

    def __init__(
        self, directory: ReleaseDirectory, port: int, argv: Sequence[str], variables: dict[str, str]
    ) -> None:
        self.directory = directory
        self.port = port
        self.argv = argv
        self.variables = variables
        self._serving: _Running | None = None
        self._coming: _Running | None = None

    def run(self, ended: Event) -> None:
        """Serve until `ended` is set."""
        try:
            while not ended.wait(LOOK_SECONDS):
                self.look()
        finally:
            self._end(self._coming)
            self._end(self._serving)

    def look(self) -> None:
        """Compare what runs with what should, and take the next step towards it."""
        wanted = self._wanted()
        for running in (self._coming, self._serving):
            if running is not None and not running.alive:
                self._end(running)
        if self._coming is not None and self._coming.sha != wanted:
            self._end(self._coming)
        if wanted is None:
            self._end(self._serving)
        elif self._serving is None or self._serving.sha != wanted:
            if self._coming is None:
                self._coming = self._start(wanted)
            elif ask(f"http://127.0.0.1:{self.port}/healthz", 1.0).sha == wanted:
                self._end(self._serving)
                self._serving, self._coming = self._coming, None

    def _wanted(self) -> str | None:
        try:
            return self.directory.live_sha()
        except TargetError:
            return self._serving.sha if self._serving else None

    def _start(self, sha: str) -> _Running:
        ending = ExitStack()
        variables = {**self.variables, "PORT": str(self.port), "SHA": sha}
        child = ending.enter_context(
            process.serving(
                self.argv,
                directory=self.directory.release(sha),
                variables=variables,
                output=sys.stderr.buffer,
            )
        )
        return _Running(sha, child, ending)

    def _end(self, running: _Running | None) -> None:
        if running is None:
            return
        running.ending.close()
        if running is self._serving:
            self._serving = None
        if running is self._coming:
            self._coming = None


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until asked to end, or until the process that started this one is gone."""
    options = _parser().parse_args(arguments)
    ended = Event()
    parent = os.getppid()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        return 1
    variables = {"ENVIRONMENT": options.environment, "SERVICE": options.service}
    variables |= dict(one.split("=", 1) for one in options.set)
    directory = ReleaseDirectory(options.base, options.environment, options.service)
    Host(directory, options.port, options.argv, variables).run(ended)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploybot.demo.host", description=__doc__)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--environment", required=True)
    parser.add_argument("--service", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    default = [sys.executable, "-B", "server.py"]
    parser.add_argument("argv", nargs="*", default=default, help="the command, after --")
    return parser


if __name__ == "__main__":
    sys.exit(main())
