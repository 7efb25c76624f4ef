"""Runs a workspace as a process of its own that ends with its parent."""

import argparse
import ctypes
import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType

from pydantic import ValidationError

from deploybot.demo.workspace.server import WorkspaceServer
from deploybot.demo.workspace.settings import WorkspaceSettings

_PR_SET_PDEATHSIG = 1


def main() -> int:
    """Serve until a signal; print the address as the first line. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m deploybot.demo.workspace")
    parser.add_argument("--settings", type=Path, required=True, help="JSON of WorkspaceSettings")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    asked = parser.parse_args()
    end_with(os.getppid())
    try:
        settings = WorkspaceSettings.model_validate_json(asked.settings.read_bytes())
    except (OSError, ValidationError) as error:
        sys.stderr.write(f"The workspace did not start: {asked.settings} cannot be used. {error}\n")
        return 2
    done = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        done.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    with WorkspaceServer(settings, asked.port) as server:
        sys.stdout.write(f"{server.url}\n")
        sys.stdout.flush()
        done.wait()
    return 0


def end_with(parent: int) -> None:
    """Have the kernel end this process when its parent ends (Linux; elsewhere it is not done).

    The kernel means the thread that started it: start it from one that lives long.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
