import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from deploybot.embedded import EmbeddedServer, url_of
from deploybot.errors import ConfigError
from deploybot.redis_safety import client

OWNER = """
import sys
from pathlib import Path
from deploybot.embedded import EmbeddedServer
from deploybot.redis_safety import client
server = EmbeddedServer.start(Path(sys.argv[1]))
connection = client(server.url)
print(server.pid, flush=True)
number = 0
while True:
    number += 1
    connection.xadd("written", {"number": number}, id=f"{number}-0")
    print(number, flush=True)
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "redis"


@pytest.fixture
def owner(directory: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        (sys.executable, "-c", OWNER, str(directory)), stdout=subprocess.PIPE, text=True
    )
    with process:
        yield process
        process.kill()


def wait_until_gone(pid: int) -> None:
    for _ in range(2000):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        threading.Event().wait(0.005)
    pytest.fail(f"process {pid} still runs")


def test_an_acknowledged_write_survives_the_sudden_death_of_the_owner(
    directory: Path, owner: subprocess.Popen[str]
) -> None:
    assert owner.stdout is not None
    server_pid = int(owner.stdout.readline())
    acknowledged = 0
    while acknowledged < 200:
        acknowledged = int(owner.stdout.readline())

    owner.kill()
    owner.wait()
    acknowledged = max([acknowledged, *map(int, owner.stdout.read().split())])

    with EmbeddedServer.start(directory) as again:
        wait_until_gone(server_pid)
        assert client(again.url).xlen("written") >= acknowledged


def test_an_acknowledged_write_survives_the_sudden_death_of_the_server(directory: Path) -> None:
    server = EmbeddedServer.start(directory)
    connection = client(server.url)
    for number in range(100):
        connection.rpush("written", number)

    os.kill(server.pid, signal.SIGKILL)
    server.stop()

    with EmbeddedServer.start(directory) as again:
        assert client(again.url).llen("written") == 100


def test_a_restart_keeps_what_was_written(directory: Path) -> None:
    with EmbeddedServer.start(directory) as server:
        client(server.url).set("kept", "yes")

    with EmbeddedServer.start(directory) as again:
        assert client(again.url).get("kept") == b"yes"
        assert again.url == server.url


def test_a_second_owner_is_refused_and_told_who_holds_the_directory(directory: Path) -> None:
    with EmbeddedServer.start(directory) as server:
        with pytest.raises(ConfigError, match=f"in use by process {os.getpid()}"):
            EmbeddedServer.start(directory)

        assert client(server.url).ping()


def test_of_many_that_start_at_once_exactly_one_becomes_the_owner(directory: Path) -> None:
    starters = [
        subprocess.Popen(
            (sys.executable, "-c", OWNER, str(directory)),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        for _ in range(4)
    ]

    first_lines = []
    for starter in starters:
        assert starter.stdout is not None
        first_lines.append(starter.stdout.readline())
    for starter in starters:
        starter.kill()
        starter.communicate()

    assert len([line for line in first_lines if line]) == 1


def test_a_server_left_over_by_a_dead_owner_is_ended_and_its_writes_are_kept(
    directory: Path,
) -> None:
    # Started away from the main thread, the server is not told when its owner dies.
    script = (
        "import sys, threading, os; from pathlib import Path\n"
        "from deploybot.embedded import EmbeddedServer\n"
        "from deploybot.redis_safety import client\n"
        "def run():\n"
        "    server = EmbeddedServer.start(Path(sys.argv[1]))\n"
        "    client(server.url).set('kept', 'yes')\n"
        "    print(server.pid, flush=True)\n"
        "    os.kill(os.getpid(), 9)\n"
        "threading.Thread(target=run).start()\n"
    )
    left = subprocess.run(
        (sys.executable, "-c", script, str(directory)), stdout=subprocess.PIPE, check=False
    )
    left_over = int(left.stdout)
    os.kill(left_over, 0)

    with EmbeddedServer.start(directory) as server:
        assert server.pid != left_over
        assert client(server.url).get("kept") == b"yes"
        wait_until_gone(left_over)


def test_nobody_else_may_look_into_the_directory(directory: Path) -> None:
    directory.mkdir(mode=0o755)

    with EmbeddedServer.start(directory):
        assert directory.stat().st_mode & 0o777 == 0o700


def test_nothing_listens_on_the_network(directory: Path) -> None:
    with EmbeddedServer.start(directory) as server:
        assert client(server.url).config_get("port") == {b"port": b"0"} or (
            client(server.url).config_get("port") == {"port": "0"}
        )


def test_a_directory_too_deep_for_a_socket_still_works(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["a-rather-long-name"] * 8)

    with EmbeddedServer.start(deep) as server:
        assert client(url_of(deep)).ping()
        assert len(server.url) < 110


def test_after_stop_nobody_answers_and_stopping_twice_is_fine(directory: Path) -> None:
    server = EmbeddedServer.start(directory)

    server.stop()
    server.stop()

    wait_until_gone(server.pid)
    with pytest.raises(redis.ConnectionError):
        client(server.url).ping()


def test_a_server_that_cannot_read_its_log_says_where_the_reason_stands(directory: Path) -> None:
    with EmbeddedServer.start(directory) as server:
        client(server.url).set("kept", "yes")
    for part in (directory / "appendonlydir").glob("*.incr.aof"):
        part.write_bytes(b"*3\r\n$3\r\nSET\r\nnonsense" + part.read_bytes())

    with pytest.raises(ConfigError, match=r"server\.log"):
        EmbeddedServer.start(directory)
