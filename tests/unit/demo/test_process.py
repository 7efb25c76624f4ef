"""The workspace as a process of its own: it says where it is, and ends with its parent."""

import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

COMMAND = [sys.executable, "-m", "deploybot.demo.workspace", "--settings"]
PARENT = "import subprocess, sys; subprocess.Popen(sys.argv[1:]); sys.stdin.readline()"


@pytest.fixture
def given(settings, tmp_path: Path) -> Path:
    path = tmp_path / "workspace.json"
    path.write_text(settings.model_dump_json())
    return path


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        assert selector.select(20), "the workspace said nothing"
        return process.stdout.readline().strip()


def answers(url: str) -> bool:
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=5)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def test_it_prints_its_address_and_ends_on_a_signal(given):
    with subprocess.Popen([*COMMAND, given], stdout=subprocess.PIPE, text=True) as process:
        url = first_line(process)

        assert answers(url)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        assert not answers(url)


def test_settings_that_cannot_be_used_are_refused_in_words(tmp_path):
    path = tmp_path / "wrong.json"
    path.write_text("{}")

    done = subprocess.run([*COMMAND, path], capture_output=True, text=True, timeout=30, check=False)

    assert done.returncode == 2
    assert "bot_token" in done.stderr
    assert "Traceback" not in done.stderr


def test_it_ends_when_its_parent_is_killed(given):
    command = [sys.executable, "-c", PARENT, *COMMAND, given]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        url = first_line(parent)
        assert answers(url)

        os.kill(parent.pid, signal.SIGKILL)

        deadline = time.monotonic() + 10
        while answers(url) and time.monotonic() < deadline:
            threading.Event().wait(0.02)
        assert not answers(url)
