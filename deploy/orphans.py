"""What a command left running when its worker died: found by its session, and ended."""

import os
import signal
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")
_BOOT = _PROC / "sys/kernel/random/boot_id"


def boot() -> str:
    """Return what tells this start of this machine from every other."""
    return _BOOT.read_text().strip()


def end(session: int, variable: str) -> int:
    """Kill the processes of a session that see `variable` (NAME=value); return how many.

    The variable is asked for because a session's number may be given to somebody else's later.
    """
    ended = 0
    for folder in _PROC.iterdir():
        if folder.name.isdigit() and _session(folder) == session and _sees(folder, variable):
            with suppress(ProcessLookupError, PermissionError):
                os.kill(int(folder.name), signal.SIGKILL)
                ended += 1
    return ended


def _session(folder: Path) -> int | None:
    try:
        after_the_name = (folder / "stat").read_text().rpartition(")")[2].split()
        return int(after_the_name[3])
    except (OSError, ValueError, IndexError):
        return None


def _sees(folder: Path, variable: str) -> bool:
    try:
        return variable.encode() in (folder / "environ").read_bytes().split(b"\0")
    except OSError:
        return False
