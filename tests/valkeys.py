"""Several Valkeys on the loopback: a primary, replicas, Sentinels, each a process that can be killed or cut off."""

import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import redis
from redis_server import wait_until

from deploy.free_ports import free_ports
from deploybot.embedded import _program
from deploybot.redis_safety import client

HOST = "127.0.0.1"
SAFE = ("--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction")
DOWN_AFTER_MS = 1000


@dataclass
class Valkey:
    """One server, or Sentinel, on a port of its own."""

    folder: Path
    arguments: tuple[str, ...]
    port: int = field(default_factory=lambda: free_ports(1)[0])
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> "Valkey":
        self.folder.mkdir(exist_ok=True)
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                (_program(), *self.arguments, "--port", str(self.port), "--bind", HOST,
                 "--dir", str(self.folder), "--daemonize", "no"),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder,
            )  # fmt: skip
        wait_until(self.answers)
        return self

    def answers(self) -> bool:
        with suppress(redis.RedisError), client(self.url) as connection:
            return bool(connection.ping())
        return False

    @property
    def url(self) -> str:
        return f"redis://{HOST}:{self.port}"

    def role(self) -> str:
        with suppress(redis.RedisError), client(self.url) as connection:
            return str(connection.role()[0].decode())
        return ""

    def kill(self) -> None:
        """End it as a machine does that loses its power."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None


class Cable:
    """A way to a server that can be cut, so that nothing gets through, or led to another server."""

    def __init__(self, to: int) -> None:
        self._listener = socket.create_server((HOST, 0))
        self.port: int = self._listener.getsockname()[1]
        self._to = to
        self._open: list[socket.socket] = []
        self._lock = threading.Lock()
        self.whole = True
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"redis://{HOST}:{self.port}"

    def cut(self) -> None:
        """Let nothing through any more; connections end, and new ones find nobody."""
        self.whole = False
        self._end_all()

    def lead_to(self, port: int) -> None:
        """Lead to another server from now on, as an address does that is moved by hand."""
        self._to, self.whole = port, True
        self._end_all()

    def close(self) -> None:
        self.whole = False
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._end_all()

    def _end_all(self) -> None:
        with self._lock:
            ended, self._open = self._open, []
        for one in ended:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                peer, _ = self._listener.accept()
                threading.Thread(target=self._carry, args=(peer,), daemon=True).start()

    def _carry(self, peer: socket.socket) -> None:
        with peer:
            if not self.whole:
                return
            try:
                server = socket.create_connection((HOST, self._to), timeout=5)
            except OSError:
                return
            server.settimeout(None)
            with server:
                with self._lock:
                    self._open += [peer, server]
                back = threading.Thread(target=_pass_on, args=(server, peer), daemon=True)
                back.start()
                _pass_on(peer, server)
                back.join()


def _pass_on(source: socket.socket, drain: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(1 << 16):
            drain.sendall(data)
    for one in (source, drain):
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)


@contextmanager
def primary_and_replica(folder: Path) -> Iterator[tuple[Valkey, Valkey, Cable]]:
    """Yield a primary, its replica, and the cable between them."""
    primary = Valkey(folder / "primary", SAFE)
    try:
        primary.start()
        cable = Cable(primary.port)
        behind = ("--replicaof", f"{HOST} {cable.port}", "--repl-diskless-load", "disabled")
        replica = Valkey(folder / "replica", (*SAFE, *behind))
        try:
            replica.start()
            wait_until(lambda: is_in_step(replica))
            yield primary, replica, cable
        finally:
            cable.close()
            replica.kill()
    finally:
        primary.kill()


def is_in_step(replica: Valkey) -> bool:
    with client(replica.url) as connection:
        return connection.info("replication").get("master_link_status") == "up"


def caught_up(primary: Valkey, replica: Valkey) -> bool:
    """Tell whether the replica has all that the primary has written."""
    with client(primary.url) as one, client(replica.url) as other:
        written = one.info("replication")["master_repl_offset"]
        return is_in_step(replica) and other.info("replication")["slave_repl_offset"] >= written


def promote(replica: Valkey) -> None:
    """Make it a primary, as somebody does by hand."""
    with client(replica.url) as connection:
        connection.replicaof("NO", "ONE")
    wait_until(lambda: replica.role() == "master")


@contextmanager
def watched(folder: Path, *, sentinels: int = 1) -> Iterator[tuple[Valkey, Valkey, str]]:
    """Yield a primary and its replica under the eyes of Sentinels, and the address to give a bot."""
    primary = Valkey(folder / "primary", SAFE)
    replica = Valkey(folder / "replica", (*SAFE, "--replicaof", f"{HOST} {primary.port}"))
    eyes = [_sentinel(folder / f"sentinel{n}", primary.port, sentinels) for n in range(sentinels)]
    try:
        for one in (primary, replica):
            one.start()
        wait_until(lambda: is_in_step(replica))
        for eye in eyes:
            eye.start()
        for eye in eyes:
            wait_until(lambda eye=eye: _sees_replica(eye))
        hosts = ",".join(f"{HOST}:{eye.port}" for eye in eyes)
        yield primary, replica, f"redis+sentinel://{hosts}/main"
    finally:
        for one in (*eyes, replica, primary):
            one.kill()


def _sentinel(folder: Path, port: int, of: int) -> Valkey:
    folder.mkdir()
    (folder / "conf").write_text(
        f"sentinel monitor main {HOST} {port} {of // 2 + 1}\n"
        f"sentinel down-after-milliseconds main {DOWN_AFTER_MS}\n"
        "sentinel failover-timeout main 10000\n"
    )
    return Valkey(folder, (str(folder / "conf"), "--sentinel"))


def _sees_replica(eye: Valkey) -> bool:
    with suppress(redis.RedisError), client(eye.url) as connection:
        seen = connection.execute_command("SENTINEL", "REPLICAS", "main")
        return bool(seen)
    return False
