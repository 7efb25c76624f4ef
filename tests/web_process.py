"""The web process as a machine runs it: started, called, killed and started again, on one port."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from failing import Failing
from redis_server import running_server

from deploy.free_ports import free_ports
from deploybot.demo.waiting import answers, until

PATIENCE = 30.0
SECRET_KEY = "k" * 40
PEOPLE = """
[people]
ann = { name = "Ann" }
ben = { name = "Ben" }
"""


def token_of(person: str) -> str:
    """Return the person's bearer token."""
    return f"token-of-{person}-for-tests"


class WebProcess:
    """`deploybot serve` in a session of its own, below a shell that ends with it."""

    def __init__(self, environ: Mapping[str, str], folder: Path, port: int = 0) -> None:
        self.port = port or free_ports(1)[0]
        self.url = f"http://127.0.0.1:{self.port}"
        self.failing = Failing(folder)
        self.moves_to(environ)
        self._log = folder / "web.log"
        self._shell: subprocess.Popen[bytes] | None = None

    def moves_to(self, environ: Mapping[str, str]) -> None:
        """Take these variables from the next start on."""
        self._environ = {
            **environ,
            "DEPLOYBOT_PORT": str(self.port),
            "DEPLOYBOT_FAILPOINT": self.failing.setting,
        }

    def start(self) -> None:
        """Start it, and return once it answers."""
        with self._log.open("ab") as log:
            self._shell = subprocess.Popen(
                ["/bin/sh", "-c", '"$0" -m deploybot serve; exit $?', sys.executable],
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        until(self._is_up, PATIENCE, f"the web process answers\n{self.log()}")

    def kill(self) -> None:
        """End it as a machine does that loses its power."""
        if self._shell is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self._shell.pid, signal.SIGKILL)
        self._shell.wait()
        self._shell = None

    def stop(self) -> int:
        """Ask it to end, and return its exit code."""
        assert self._shell is not None
        below = Path(f"/proc/{self._shell.pid}/task/{self._shell.pid}/children").read_text()
        os.kill(int(below.split()[0]), signal.SIGTERM)
        code = self._shell.wait(PATIENCE)
        self._shell = None
        return code

    @property
    def has_died(self) -> bool:
        """Whether it is gone, by whosever hand."""
        return self._shell is None or self._shell.poll() is not None

    def log(self) -> str:
        """Return what it wrote to its log."""
        return self._log.read_text() if self._log.exists() else ""

    def call(
        self, method: str, path: str, body: object = None, *, by: str = "ann", key: str = ""
    ) -> tuple[int, Any]:
        """Return status and JSON of an answer; (0, None) when there was none."""
        headers = {"Authorization": f"Bearer {token_of(by)}"}
        headers |= {"Idempotency-Key": key} if key else {}
        sent = None if body is None else json.dumps(body)
        headers |= {"Content-Type": "application/json"} if sent else {}
        connection = HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, sent, headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        except (OSError, HTTPException):
            return 0, None
        finally:
            connection.close()

    def _is_up(self) -> bool:
        assert not self.has_died, self.log()
        return answers(f"{self.url}/healthz")


@contextmanager
def lone_web_process(folder: Path) -> Iterator[tuple[WebProcess, str]]:
    """Yield a web process with nobody to work, and the address of its store."""
    (folder / "deploybot.toml").write_text(PEOPLE)
    with running_server() as redis_url:
        environ = {
            "PATH": os.environ["PATH"],  # noqa: TID251 - handed on to a child
            "DEPLOYBOT_CONFIG": str(folder / "deploybot.toml"),
            "DEPLOYBOT_STATE_DIR": str(folder / "state"),
            "DEPLOYBOT_REDIS_URL": redis_url,
            "DEPLOYBOT_SECRET_KEY": SECRET_KEY,
            "DEPLOYBOT_API_TOKENS": ",".join(f"{who}:{token_of(who)}" for who in ("ann", "ben")),
        }
        web = WebProcess(environ, folder)
        try:
            web.start()
            yield web, redis_url
        finally:
            web.kill()
