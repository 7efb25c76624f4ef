"""`deploybot serve` and its neighbours as a person starts and stops them: real processes, one folder."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.free_ports import free_ports
from deploybot.demo.waiting import answers, until

pytestmark = pytest.mark.slow

PATIENCE = 30.0
CONFIG = """
[people.ann]
name = "Ann"
"""


@pytest.fixture(name="environ")
def _environ(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "deploybot.toml").write_text(CONFIG)
    (port,) = free_ports(1)
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "DEPLOYBOT_CONFIG": str(tmp_path / "deploybot.toml"),
        "DEPLOYBOT_STATE_DIR": str(tmp_path / "state"),
        "DEPLOYBOT_PORT": str(port),
    }


@pytest.fixture(name="served")
def _served(environ: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "deploybot", "serve", "--with-worker"]
    process = subprocess.Popen(command, env=environ, stderr=subprocess.PIPE)
    try:
        url = f"http://127.0.0.1:{environ['DEPLOYBOT_PORT']}/readyz"
        until(lambda: answers(url), PATIENCE, "the web process is ready")
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stderr is not None
        process.stderr.close()


def below(pid: int) -> set[int]:
    """Return every process that this one has started, and theirs."""
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except FileNotFoundError:
        return set()
    children = {int(child) for child in text.split()}
    return children.union(*(below(child) for child in children))


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_ends_the_workers_and_the_store_too(served, number):
    until(lambda: len(below(served.pid)) >= 6, PATIENCE, "store, pool, clock and workers run")
    started = below(served.pid)

    served.send_signal(number)

    assert served.wait(PATIENCE) == 0
    until(lambda: not any(is_running(pid) for pid in started), PATIENCE, "nothing is left running")


def test_commands_say_in_a_line_that_the_store_is_not_there(environ):
    command = [sys.executable, "-m", "deploybot", "audit"]

    ended = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)

    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert "`deploybot serve` starts one" in ended.stderr
